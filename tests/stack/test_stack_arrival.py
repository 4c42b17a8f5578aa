"""An agent program runs with the variable set: every span, log line and metric value that it made is found by query, with equal values, joined by trace id."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import sent
from processes import environment

from otel_agents.stack.log_lines import Line, Selection
from otel_agents.stack.native import Native
from otel_agents.stack.servers import LOKI_TEMPO, OPEN
from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

Eventually = Callable[..., None]


@pytest.fixture(scope="module")
def demo(stack: Native, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of the demo's assistant, which has tools, a memory, streaming and a failure it recovers from; all of it is sent, too."""
    journal = tmp_path_factory.mktemp("demo") / "journal"
    given = environment(journal, OTEL_EXPORTER_OTLP_ENDPOINT=stack.stores().otlp, OTEL_AGENTS_CONTENT="full", OTEL_RESOURCE_ATTRIBUTES=RESOURCE)
    done = subprocess.run(
        [sys.executable, "-m", "otel_agents", "demo", "--json", "--journal", str(journal)], env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return journal


OURS = {"service.namespace": "tests", "deployment.environment.name": "proving"}
RESOURCE = "deployment.environment.name=proving,service.version=7,service.namespace=tests"


def test_the_demo_makes_enough_to_compare(demo: Path) -> None:
    telemetry = Telemetry(demo)
    assert len(telemetry.spans) >= 12
    assert len(telemetry.events) >= 10
    assert any(not record["event_name"] for record in telemetry.logs)
    assert len(telemetry.metrics) >= 10


def test_every_span_is_stored_with_all_that_it_has(demo: Path, stores: Stores, eventually: Eventually) -> None:
    made = sent.spans(demo)
    trace_ids = {span.trace_id for span in made.values()}
    kept = {span_id: sent.as_kept(span, stores) for span_id, span in made.items()}
    eventually(lambda: check_equal(sent.stored_spans(stores, trace_ids), kept))


def check_equal(found: Mapping[Any, Any], made: Mapping[Any, Any]) -> None:
    assert found.keys() == made.keys()
    assert {key: str(one) for key, one in found.items()} == {key: str(one) for key, one in made.items()}


def test_every_run_is_found_by_search(demo: Path, stores: Stores, eventually: Eventually) -> None:
    runs = {span["trace_id"] for span in Telemetry(demo).spans if span["attributes"].get("gen_ai.operation.name") == "invoke_agent"}
    service = Telemetry(demo).spans[0]["resource"]["service.name"]
    wanted = {"deployment.environment.name": "proving", "gen_ai.operation.name": "invoke_agent"}
    assert runs
    eventually(lambda: {one["traceId"] for one in stores.spans(service, attributes=wanted)} == runs)


def test_every_log_line_and_event_is_stored_with_all_that_it_has(demo: Path, stores: Stores, eventually: Eventually) -> None:
    records = Telemetry(demo).logs
    lines: list[Line] = []

    def all_there() -> None:
        lines[:] = stores.lines(attributes=OURS)
        assert len(lines) == len(records)

    eventually(all_there)
    left = [(line.text, dict(line.labels)) for line in lines]
    for record in records:
        metadata = sent.as_metadata(record)
        matching = [one for one in left if metadata.items() <= one[1].items() and says(one[0], record, stores.kind)]
        assert matching, f"not stored as it was sent: {record['event_name'] or record['body']} {metadata}"
        left.remove(matching[0])


def says(text: str, record: Mapping[str, Any], kind: str) -> bool:
    """Whether the line is the record's body, or its content as one JSON object; VictoriaLogs shows an event without either by its name."""
    content = sent.content_of(record)
    if not content:
        return bool(text == (record["body"] or (record["event_name"] if kind == OPEN else "")))
    return bool(json.loads(text) == content)


QUERIES = {  # the first thing that was said to a model, as the store's own language reads it
    LOKI_TEMPO: '{service_namespace="tests"} | event_name="gen_ai.client.inference.operation.details" '
    '| json q="[\\"gen_ai.input.messages\\"][0].parts[0].content" | __error__="" | q!=""',
    OPEN: '"service.namespace":="tests" event_name:="gen_ai.client.inference.operation.details" '
    '| unpack_json fields (gen_ai.input.messages) | extract_regexp "\\"parts\\":\\\\[(?P<part>{[^}]*})" from gen_ai.input.messages '
    "| unpack_json from part fields (content) | filter content:* | copy content as q",
}


def test_what_was_said_is_read_by_the_stores_language(demo: Path, stores: Stores, eventually: Eventually) -> None:
    made = [
        json.loads(json.dumps(event["attributes"]["gen_ai.input.messages"]))[0]["parts"][0].get("content")
        for event in Telemetry(demo).events
        if event["attributes"].get("gen_ai.input.messages")
    ]
    assert any(made)
    eventually(lambda: sorted(line.labels["q"] for line in asked(stores, QUERIES[stores.kind])) == sorted(filter(None, made)))


def asked(stores: Stores, query: str) -> list[Line]:
    return stores.logs.query(query, *Selection().window)


def test_every_metric_value_is_in_prometheus_with_all_its_labels(demo: Path, stores: Stores, eventually: Eventually) -> None:
    made = sent.samples(demo)
    assert {"otel_agents_runs_total", "gen_ai_client_inference_duration_seconds_count", "otel_agents_cost_USD_total"} <= made.keys()
    for name, samples in made.items():
        eventually(lambda name=name, samples=samples: in_prometheus(stores, name, samples))


def in_prometheus(stores: Stores, name: str, samples: list[tuple[dict[str, str], float]]) -> None:
    found = {key(one["metric"]): float(one["value"][1]) for one in stores.query(f'{name}{{service_namespace="tests"}}')}
    assert {labels: pytest.approx(value) for labels, value in found.items()} == {key(labels): value for labels, value in samples}


def key(labels: Mapping[str, str]) -> str:
    kept = {name: value for name, value in labels.items() if name not in ("__name__", "otel_scope_name", "otel_scope_version", "otel_scope_schema_url")}
    if "le" in kept:
        kept["le"] = "+Inf" if kept["le"] == "+Inf" else f"{float(kept['le']):g}"
    return json.dumps({**kept, "job": kept["job"].rpartition("/")[2]}, sort_keys=True)


def test_the_three_are_joined_by_trace_id(demo: Path, stores: Stores) -> None:
    logged = {record["trace_id"] for record in Telemetry(demo).logs if record["trace_id"]}
    assert logged
    for trace_id in logged:
        lines = stores.lines(trace_id=trace_id, attributes=OURS)
        spans = {span.span_id.hex() for span in sent.stored_spans(stores, {bytes.fromhex(trace_id)}).values()}
        assert lines
        assert {line.labels["span_id"] for line in lines} <= spans
