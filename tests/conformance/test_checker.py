"""The checker can fail: each rule, broken by hand in what a real program recorded, is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from typing import Any

import pytest
from conformance import registry
from conformance.checker import Checked, check, check_event, check_metrics, check_spans
from jsonschema import Draft7Validator

import otel_agents as oa
from otel_agents.testing import Telemetry, capture

Json = dict[str, Any]
COPIED = "97996f75966bd20ebcc01dac3476313ec15b4b065df3bc11ef8171da066f8ccd"  # of the conventions of 2026-10-09 as they were published
SYSTEM = [{"type": "text", "content": "Be brief."}]


@pytest.fixture(scope="module")
def recorded() -> Telemetry:
    """A run with a tool and a model."""

    @oa.tool
    def search(query: str) -> str:
        """Search."""
        return query

    @oa.llm(model="gpt-4o", provider="openai")
    def ask(prompt: str) -> str:
        oa.current().usage(input_tokens=10, output_tokens=5, cache_read_input_tokens=4)
        oa.current().response(id="r1", model="gpt-4o", finish_reasons=["stop"])
        return "answer"

    @oa.agent(name="researcher")
    def run(question: str) -> str:
        return ask(search(question))

    with capture(content="full", content_in="spans,events") as telemetry, oa.session("c1"):
        run("why?")
    return telemetry


def span(telemetry: Telemetry, name: str) -> Json:
    return deepcopy(telemetry.span(name))


def lines(telemetry: Telemetry, name: str) -> Json:
    return next(line for line in map(json.loads, telemetry.lines("metrics")) if line["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["name"] == name)


def test_what_was_recorded_has_no_findings(recorded: Telemetry) -> None:
    checked = check(recorded)
    assert checked.findings == []
    assert set(checked.coverage.seen["span types"]) == {"gen_ai.client.inference", "gen_ai.execute_tool.internal", "gen_ai.invoke_agent.internal"}


def put(**attributes: Any) -> Callable[[Json], None]:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return lambda record: record["attributes"].update(named)


def drop(name: str) -> Callable[[Json], None]:
    return lambda record: record["attributes"].pop(name)


def change(**fields: Any) -> Callable[[Json], None]:
    return lambda record: record.update(fields)


SPANS = (
    (change(name="chat"), "its name is not chat gpt-4o"),
    (change(kind="server"), "its kind is server"),
    (change(status="ok"), "its status is ok"),
    (change(status="error"), "its status is error, its error.type None"),
    (put(error__type="ValueError"), "its status is unset, its error.type 'ValueError'"),
    (change(events=[{"name": "exception", "attributes": {}}]), "recorded as a span event"),
    (change(scope={"name": "otel_agents", "schema_url": "x"}), "schema URL is 'x'"),
    (change(end=1), "ids or times"),
    (put(gen_ai__operation__name="talk"), "no span type has the operation 'talk'"),
    (drop("gen_ai.provider.name"), "gen_ai.provider.name is required"),
    (drop("gen_ai.request.model"), "gen_ai.request.model is required"),
    (drop("gen_ai.conversation.id"), "has no gen_ai.conversation.id"),
    (put(server__address="localhost"), "server.port is required here"),
    (put(gen_ai__response__time_to_first_chunk=0.1), "gen_ai.request.stream is required here"),
    (put(gen_ai__response__finish_reasons=["stop", "stop"]), "gen_ai.request.choice.count is required here"),
    (put(gen_ai__response__finish_reasons=["tool_calls"]), "holds a reason the conventions don't know"),
    (put(gen_ai__request__max_tokens=1.0), "gen_ai.request.max_tokens is float 1.0, not int"),
    (put(gen_ai__request__temperature=1), "gen_ai.request.temperature is int 1, not double"),
    (put(gen_ai__usage__input_tokens=True), "gen_ai.usage.input_tokens is bool True, not int"),
    (put(gen_ai__request__stop_sequences="x"), "is str 'x', not string[]"),
    (put(gen_ai__request__stream=False), "absent is how this is said"),
    (put(gen_ai__response__id=""), "absent is how this is said"),
    (put(gen_ai__output__type="xml"), "gen_ai.output.type='xml' is none of the enum"),
    (put(gen_ai__usage__cache_read__input_tokens=11), "is less than its parts"),
    (put(gen_ai__agent__name="researcher"), "gen_ai.agent.name does not belong here"),
    (put(gen_ai__system="openai"), "gen_ai.system does not belong here"),
    (put(otel_agents__new="x"), "otel_agents.new does not belong here"),
    (put(tenant="x"), "tenant does not belong here"),
    (put(gen_ai__input__messages=[{"role": "user", "parts": []}]), "is list where it is JSON text"),
    (put(gen_ai__input__messages="hello"), "is no JSON"),
    (put(gen_ai__input__messages='[{"role":"user"}]'), "'parts' is a required property"),
    (put(gen_ai__output__messages='[{"role":"assistant","parts":[{"content":"x"}]}]'), "is not valid under any of the given schemas"),
)


@pytest.mark.parametrize(("broken", "finding"), SPANS, ids=[finding for _, finding in SPANS])
def test_a_broken_span_is_found(recorded: Telemetry, broken: Callable[[Json], None], finding: str) -> None:
    spans = [span(recorded, name) for name in ("chat gpt-4o", "invoke_agent researcher")]
    broken(spans[0])
    checked = Checked()
    check_spans(checked, spans)
    assert any(finding in found for found in checked.findings), checked.findings


def test_other_types_of_spans_have_rules_of_their_own(recorded: Telemetry) -> None:
    tool, run = span(recorded, "execute_tool search"), span(recorded, "invoke_agent researcher")
    put(gen_ai__agent__name="somebody", gen_ai__tool__call__result='"text"', gen_ai__usage__input_tokens=1)(tool)
    put(gen_ai__provider__name="openai")(run)
    checked = Checked()
    check_spans(checked, [tool, run])
    assert sorted(checked.findings) == [
        "span 'execute_tool search': gen_ai.tool.call.result: 'text' is not of type 'object'",
        "span 'execute_tool search': gen_ai.usage.input_tokens does not belong here",
        "span 'execute_tool search': the agent 'researcher' does this, gen_ai.agent.name says 'somebody'",
        "span 'invoke_agent researcher': gen_ai.provider.name does not belong here",
    ]


def test_what_the_program_calls_its_own_is_its_own_unless_it_is_conventional(recorded: Telemetry) -> None:
    chat = span(recorded, "chat gpt-4o")
    put(tenant="x", gen_ai__system="openai")(chat)
    checked = Checked(own=frozenset({"tenant", "gen_ai.system"}))
    check_spans(checked, [chat])
    assert checked.findings == ["span 'chat gpt-4o': gen_ai.system does not belong here"]


EVENTS = (
    (change(body="x"), "has a body"),
    (change(event_name="gen_ai.choice"), "is not known"),
    (change(severity_number=9), "its severity is 9, not 5"),
    (change(span_id=""), "belongs to no span"),
    (drop("gen_ai.operation.name"), "gen_ai.operation.name is required"),
    (drop("gen_ai.response.id"), "gen_ai.response.id is on its span only"),
    (put(gen_ai__response__model="other"), "gen_ai.response.model differs from its span's"),
    (put(gen_ai__input__messages="[]"), "is str where it is structured"),
    (put(gen_ai__tool__name="x"), "gen_ai.tool.name does not belong here"),
)


@pytest.mark.parametrize(("broken", "finding"), EVENTS, ids=[finding for _, finding in EVENTS])
def test_a_broken_event_is_found(recorded: Telemetry, broken: Callable[[Json], None], finding: str) -> None:
    event = deepcopy(next(one for one in recorded.events if one["event_name"].startswith("gen_ai.client")))
    broken(event)
    checked = Checked()
    check_event(checked, event, {one["span_id"]: one for one in recorded.spans})
    assert any(finding in found for found in checked.findings), checked.findings


DURATION, TOKENS = "gen_ai.client.inference.duration", "gen_ai.client.inference.usage.input_tokens"
METRICS: tuple[tuple[str, Callable[[Json, Json], Any], str], ...] = (
    (DURATION, lambda metric, point: metric.update(name="gen_ai.client.latency"), "is not known"),
    (DURATION, lambda metric, point: metric.update(name="gen_ai.client.operation.duration"), "is not for chat"),
    (DURATION, lambda metric, point: metric.update(unit="ms"), "is a histogram in 'ms', not a histogram in 's'"),
    (DURATION, lambda metric, point: point.update(explicitBounds=[1, 2]), "its buckets are [1, 2]"),
    (DURATION, lambda metric, point: point.update(startTimeUnixNano=point["timeUnixNano"]), "starts when it is read"),
    (DURATION, lambda metric, point: point["exemplars"][0].pop("traceId"), "an exemplar without a trace"),
    (DURATION, lambda metric, point: point["attributes"].append({"key": "user.id", "value": {"stringValue": "u"}}), "user.id does not belong here"),
    (DURATION, lambda metric, point: point.update(attributes=[]), "gen_ai.provider.name is required"),
    (TOKENS, lambda metric, point: metric["sum"].update(isMonotonic=False), "is a updowncounter in '{token}', not a counter"),
    (TOKENS, lambda metric, point: point.update(asDouble=10.0), "counts whole things and has 10.0"),
    (TOKENS, lambda metric, point: point["attributes"].append({"key": "gen_ai.token.modality", "value": {"stringValue": "smell"}}), "is none of the enum"),
    ("otel_agents.runs", lambda metric, point: metric.update(unit="1"), "is a counter in '1', not a counter in '{run}'"),
)


@pytest.mark.parametrize(("name", "broken", "finding"), METRICS, ids=[finding for _, _, finding in METRICS])
def test_a_broken_metric_is_found(recorded: Telemetry, name: str, broken: Callable[[Json, Json], Any], finding: str) -> None:
    line = lines(recorded, name)
    metric = line["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    broken(metric, (metric.get("histogram") or metric["sum"])["dataPoints"][0])
    checked = Checked()
    check_metrics(checked, line)
    assert any(finding in found for found in checked.findings), checked.findings


def test_a_resource_without_an_instance_is_found(recorded: Telemetry) -> None:
    line = lines(recorded, DURATION)
    line["resourceMetrics"][0]["resource"] = {}
    checked = Checked()
    check_metrics(checked, line)
    assert checked.findings[0] == f"metric {DURATION}: its resource lacks service.name"


def test_the_conventions_are_as_they_were_copied() -> None:
    """Nobody makes a finding go away by an edit of the conventions; a newer copy brings its own fingerprint."""
    files = {file.relative_to(registry.HERE).as_posix(): json.loads(file.read_text()) for file in registry.HERE.rglob("*.json")}
    assert sha256(json.dumps(files, sort_keys=True).encode()).hexdigest() == COPIED


def test_every_attribute_with_a_schema_has_one() -> None:
    assert {f"gen-ai-{name}.json" for name in registry.SCHEMAS.values()} == {file.name for file in (registry.HERE / "schemas").iterdir()}
    for name in registry.SCHEMAS:
        schema = registry.schema(name)
        assert schema is not None
        Draft7Validator.check_schema(schema.schema)
