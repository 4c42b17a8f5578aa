"""The main job: a program of 40 lines that knows nothing of us becomes observable by one variable, and all of it arrives."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from model_server import USAGE, ModelServer, chat, chat_stream, tool_call
from otlp_server import Receiver, http_receiver
from processes import Done, run

PROGRAMS = Path(__file__).parent / "programs"
CITIES = ("Rome", "Oslo", "Lima")
QUESTIONS = [f"Is it raining in {city}?" for city in CITIES]
OUTPUT = "".join(f"It rains in {city}.\n" for city in CITIES)
ERRORS = "".join(f"looking up {city}\n" for city in CITIES)
CALLS = 2 * len(CITIES)


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def observed(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return start(model, tmp_path_factory.mktemp("journal"), OTEL_AGENTS_CONTENT="full", OTEL_AGENTS_CONTENT_IN="spans,events")


@pytest.fixture(scope="module")
def traced(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Receiver]:
    """The same with a span of the program's own around each conversation, and an endpoint."""
    with http_receiver() as receiver:
        return start(model, tmp_path_factory.mktemp("journal"), "traced_program.py", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url), receiver


def start(model: ModelServer, journal: Path, program: str = "agent_program.py", **settings: str | None) -> Done:
    """The program with three conversations: for each a tool call through litellm, then a streamed answer through openai."""
    for city in CITIES:
        model.will(chat("", tool_calls=[tool_call("weather", {"city": city})]), chat_stream("It rains ", "in ", f"{city}.", usage=USAGE))
    given = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*", **settings}
    return run(PROGRAMS / program, model.url, *QUESTIONS, journal=journal, **given)


def listed(journal: Path, *words: str) -> Any:
    command = [sys.executable, "-m", "otel_agents", *words, "--json", "--journal", str(journal)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_the_program_is_short_and_knows_nothing_of_us() -> None:
    code = (PROGRAMS / "agent_program.py").read_text()
    assert len(code.splitlines()) <= 40
    assert "import otel" not in code
    assert "opentelemetry" not in code


def test_one_variable_changes_nothing(model: ModelServer, observed: Done, tmp_path: Path) -> None:
    without = start(model, tmp_path / "journal", OTEL_AGENTS_ENABLED=None)
    assert without.said == observed.said == (3, OUTPUT, ERRORS)
    assert not (tmp_path / "journal").exists()


def test_every_conversation_is_there_and_complete(observed: Done) -> None:
    traces = list(reversed(listed(observed.telemetry.journal, "traces")))
    assert [(one["model_calls"], one["outcome"], one["models"]) for one in traces] == [(1, "ok", ["gpt-4o-mini"])] * CALLS
    assert [(one["usage"]["input_tokens"], one["usage"]["output_tokens"]) for one in traces] == [(11, 7)] * CALLS
    assert all(one["cost_usd"] > 0 for one in traces)
    spans = observed.telemetry.spans
    assert [span["attributes"].get("gen_ai.request.stream", False) for span in spans] == [False, True] * len(CITIES)
    assert [span["attributes"]["gen_ai.response.finish_reasons"] for span in spans] == [["tool_call"], ["stop"]] * len(CITIES)
    for number, city in enumerate(CITIES):
        asked, answered = (span["attributes"] for span in spans[2 * number : 2 * number + 2])
        assert json.loads(asked["gen_ai.output.messages"])[0]["parts"][-1]["arguments"] == {"city": city}
        conversation = json.loads(answered["gen_ai.input.messages"]) + json.loads(answered["gen_ai.output.messages"])
        assert [message["role"] for message in conversation] == ["user", "assistant", "tool", "assistant"]
        assert conversation[2]["parts"][0]["response"] == f"rain in {city}"
        assert conversation[3]["parts"][0]["content"] == f"It rains in {city}."


def test_events_metrics_and_logs_are_there_too_linked_by_trace_id(observed: Done) -> None:
    telemetry = observed.telemetry
    ids = [(span["trace_id"], span["span_id"]) for span in telemetry.spans]
    assert [(event["trace_id"], event["span_id"]) for event in telemetry.events] == ids
    said = [record for record in telemetry.logs if not record["event_name"]]
    assert [(record["body"], record["severity"], record["attributes"]["city"]) for record in said] == [(f"looking up {city}", "WARN", city) for city in CITIES]
    [duration] = telemetry.metrics["gen_ai.client.inference.duration"]
    assert duration["count"] == CALLS
    assert {(one["traceId"], one["spanId"]) for one in duration["exemplars"]} <= set(ids)
    usage = {name: sum(point["value"] for point in points) for name, points in telemetry.metrics.items() if ".usage." in name}
    assert (usage["gen_ai.client.inference.usage.input_tokens"], usage["gen_ai.client.inference.usage.output_tokens"]) == (11 * CALLS, 7 * CALLS)


def test_where_the_program_has_a_span_around_a_conversation_all_of_it_is_one_trace(traced: tuple[Done, Receiver]) -> None:
    done, _ = traced
    assert done.said == (0, OUTPUT, ERRORS)
    traces = list(reversed(listed(done.telemetry.journal, "traces")))
    assert [(one["name"], one["model_calls"], one["spans"]) for one in traces] == [(question, 2, 3) for question in QUESTIONS]
    said = {record["trace_id"]: record["body"] for record in done.telemetry.logs if not record["event_name"]}
    assert said == {one["trace_id"]: f"looking up {city}" for one, city in zip(traces, CITIES, strict=True)}


# ------------------------------------------------------------------------------------------------ to an endpoint


def arrived(receiver: Receiver) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Spans by id, logs by what they say, names of metrics."""
    logs = Counter(item.get("eventName") or item["body"]["stringValue"] for item in receiver.items("logs"))
    return Counter(item["spanId"] for item in receiver.items("traces")), logs, Counter(item["name"] for item in receiver.items("metrics"))


def test_with_an_endpoint_all_of_it_arrives_there_too_once(traced: tuple[Done, Receiver]) -> None:
    done, receiver = traced
    spans, logs, metrics = arrived(receiver)
    assert spans == Counter(span["span_id"] for span in done.telemetry.spans)
    assert len(spans) == CALLS + len(CITIES)
    assert logs == Counter({"gen_ai.client.inference.operation.details": CALLS, **{f"looking up {city}": 1 for city in CITIES}})
    assert set(metrics.values()) == {1}
    assert set(metrics) == set(done.telemetry.metrics)
    assert {request.headers["Content-Type"] for request in receiver.requests} == {"application/json"}


def test_what_an_endpoint_missed_arrives_with_the_next_start_once(model: ModelServer, tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        first = start(model, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}")
        missed = [span["span_id"] for span in first.telemetry.spans]
    assert first.said == (3, OUTPUT, ERRORS)
    with http_receiver(port=port) as receiver:
        second = start(model, tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        spans, logs, metrics = arrived(receiver)
    assert second.said == (3, OUTPUT, ERRORS)
    assert spans == Counter(span["span_id"] for span in second.telemetry.spans)
    assert set(missed) < set(spans)
    assert set(spans.values()) == {1}
    assert logs == Counter({"gen_ai.client.inference.operation.details": 2 * CALLS, **{f"looking up {city}": 2 for city in CITIES}})
    assert metrics["gen_ai.client.inference.duration"] == 2
