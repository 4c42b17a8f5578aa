"""Metrics: the conventions' newest ones and ours, their data, from one process and from several."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider, sampling

import otel_agents as oa
from otel_agents.otlp.any_value import attributes_of
from otel_agents.runtime.process import process_start
from otel_agents.telemetry.context import Context
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import swallow
from otel_agents.testing import Telemetry, capture

PROGRAM = Path(__file__).parents[1] / "programs" / "workers.py"
SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
TOKENS = [float(4**power) for power in range(14)]
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06"}
OF_AGENT = {"gen_ai.agent.name": "researcher"}


@oa.tool
def search(query: str) -> str:
    """Search."""
    return query


@oa.llm(model="gpt-4o", provider="openai")
def ask(prompt: str) -> str:
    oa.current().usage(input_tokens=100, output_tokens=50, cache_read_input_tokens=40, cache_write_input_tokens=8, reasoning_output_tokens=20)
    oa.current().response(id="r1", model="gpt-4o-2024-08-06", finish_reasons=["stop"])
    return "answer"


@oa.agent(name="researcher")
def research(question: str) -> str:
    return ask(search(question))


def values(telemetry: Telemetry, metric: str, *labels: str) -> dict[Any, Any]:
    """Value (or count) by the values of some labels; a single label is not in a tuple."""
    points = telemetry.metrics.get(metric, ())
    found = {tuple(point["attributes"].get(label) for label in labels): point.get("value", point.get("count")) for point in points}
    return {key[0] if len(key) == 1 else key: value for key, value in found.items()}


def only(telemetry: Telemetry, metric: str) -> dict[str, Any]:
    [point] = telemetry.metrics[metric]
    return dict(point)


def test_one_run_is_measured_in_the_newest_names_with_their_units_buckets_and_labels() -> None:
    with capture() as telemetry:
        research("why?")
    metrics = telemetry.metrics
    told = {name: [(point["kind"], point["unit"], point["bounds"], point["attributes"]) for point in points] for name, points in metrics.items()}
    counted = ("sum", "{token}", [], {**CALL, **OF_AGENT, "gen_ai.token.modality": "unknown"})
    assert told == {
        "gen_ai.client.inference.duration": [("histogram", "s", SECONDS, CALL | OF_AGENT)],
        **{
            f"gen_ai.client.inference.usage.{kind}": [counted]
            for kind in ("input_tokens", "output_tokens", "cache_read.input_tokens", "cache_write.input_tokens", "reasoning.output_tokens")
        },
        "gen_ai.client.inference.operation.input_tokens": [("histogram", "{token}", TOKENS, CALL)],
        "gen_ai.client.inference.operation.output_tokens": [("histogram", "{token}", TOKENS, CALL)],
        "gen_ai.execute_tool.duration": [("histogram", "s", SECONDS, {"gen_ai.tool.name": "search", "gen_ai.tool.type": "function", **OF_AGENT})],
        "gen_ai.invoke_agent.duration": [("histogram", "s", [0.1 * 2**power for power in range(13)], OF_AGENT)],
        "gen_ai.invoke_agent.inference_calls": [("histogram", "{inference_call}", [1, 2, 4, 8, 16, 32, 64, 128], OF_AGENT)],
        "gen_ai.invoke_agent.tool_calls": [("histogram", "{tool_call}", [1, 2, 4, 8, 16, 32, 64, 128], OF_AGENT)],
        "otel_agents.agents.active": [("sum", "{agent}", [], OF_AGENT)],
        "otel_agents.cost": [("sum", "USD", [], CALL | OF_AGENT)],
        "otel_agents.runs": [("sum", "{run}", [], {**OF_AGENT, "otel_agents.outcome": "ok"})],
        "otel_agents.shipper.lag": [("gauge", "s", [], {})],
    }
    usage = {name.removeprefix("gen_ai.client.inference.usage."): points[0]["value"] for name, points in metrics.items() if ".usage." in name}
    assert usage == {"input_tokens": 100, "output_tokens": 50, "cache_read.input_tokens": 40, "cache_write.input_tokens": 8, "reasoning.output_tokens": 20}
    assert only(telemetry, "otel_agents.cost")["value"] == telemetry.span("chat gpt-4o")["attributes"]["otel_agents.cost"] > 0


def test_a_duration_is_that_of_its_span_and_an_exemplar_leads_to_it() -> None:
    with capture() as telemetry:
        research("why?")
    spans = {"gen_ai.client.inference.duration": "chat gpt-4o", "gen_ai.execute_tool.duration": "execute_tool search"}
    for metric, name in {**spans, "gen_ai.invoke_agent.duration": "invoke_agent researcher"}.items():
        point, span = only(telemetry, metric), telemetry.span(name)
        assert point["sum"] == pytest.approx((span["end"] - span["start"]) / 1e9, abs=1e-9)
        assert [(one["traceId"], one["spanId"]) for one in point["exemplars"]] == [(span["trace_id"], span["span_id"])]
    unled = {name for name, points in telemetry.metrics.items() for point in points if not point["exemplars"]}
    assert unled == {"otel_agents.shipper.lag"}


def test_time_to_the_first_and_between_chunks_of_a_stream_without_the_agents_name() -> None:
    @oa.llm(model="gpt-4o", provider="openai")
    def stream() -> Iterable[str]:
        oa.current().attributes({"gen_ai.request.stream": True})
        for word in "abc":
            time.sleep(0.012)
            yield word

    with capture() as telemetry, oa.agent("researcher"):
        list(stream())
    first, between = (only(telemetry, f"gen_ai.client.inference.{name}") for name in ("time_to_first_chunk", "time_per_output_chunk"))
    labels = {name: value for name, value in CALL.items() if name != "gen_ai.response.model"}
    assert [(point["count"], point["attributes"], point["bounds"]) for point in (first, between)] == [(1, labels, SECONDS), (2, labels, SECONDS)]
    assert first["sum"] == pytest.approx(telemetry.span("chat gpt-4o")["attributes"]["gen_ai.response.time_to_first_chunk"])
    assert 0.012 <= first["sum"] < 1
    assert 0.024 <= between["sum"] < 1


def test_scores_of_evaluators_are_measured_by_verdict_and_lead_to_what_was_evaluated() -> None:
    @oa.evaluator("polite")
    def judge(score: object) -> object:
        return {"score": score, "label": "pass"} if score == 0.5 else score

    with capture() as telemetry, oa.agent("researcher"):
        for score in (0.5, 0.75, 4, True, False, "a label alone", -1, float("nan"), float("inf"), 1e308, None):
            judge(score)
    verdict = "gen_ai.evaluation.score.label"
    points = {point["attributes"].get(verdict): point for point in telemetry.metrics["otel_agents.evaluation.score"]}
    assert {label: (point["count"], point["sum"]) for label, point in points.items()} == {"pass": (2, 1.5), "fail": (1, 0), None: (2, 4.75)}
    assert {point["attributes"]["gen_ai.evaluation.name"] for point in points.values()} == {"polite"}
    run = telemetry.span("invoke_agent researcher")
    assert {(one["traceId"], one["spanId"]) for point in points.values() for one in point["exemplars"]} == {(run["trace_id"], run["span_id"])}


def test_a_value_too_long_for_a_label_becomes_other() -> None:
    with capture() as telemetry:
        oa.evaluator("polite")(lambda said: {"score": 1, "label": said})("what a person has said " * 9)
    assert values(telemetry, "otel_agents.evaluation.score", "gen_ai.evaluation.score.label") == {"_other": 1}


def test_scores_are_measured_where_nothing_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with capture() as telemetry:
        oa.evaluator("polite")(lambda answer: bool(answer))("yes")
    assert values(telemetry, "otel_agents.evaluation.score", "gen_ai.evaluation.score.label") == {"pass": 1}
    assert telemetry.spans == telemetry.logs == []


def test_tokens_are_split_by_modality_as_far_as_the_provider_splits_them() -> None:
    with capture() as telemetry, oa.llm(model="gpt-4o", provider="openai"):
        oa.current().usage(input_tokens=100, output_tokens=30)
        oa.current().attributes({"gen_ai.usage.audio.input_tokens": 60, "gen_ai.usage.text.input_tokens": 30, "gen_ai.usage.audio.output_tokens": 30})
    prefix = "gen_ai.client.inference.usage."
    assert values(telemetry, f"{prefix}input_tokens", "gen_ai.token.modality") == {"audio": 60, "text": 30, "unknown": 10}
    assert values(telemetry, f"{prefix}output_tokens", "gen_ai.token.modality") == {"audio": 30}
    assert only(telemetry, "gen_ai.client.inference.operation.input_tokens")["sum"] == 100


def test_unbounded_values_become_other() -> None:
    with capture(metric_cardinality=3) as telemetry:
        for number in range(7):
            with oa.agent(f"agent-{number}"), oa.llm(model=f"model-{number}", provider="openai"):
                oa.current().usage(input_tokens=1, cost=0.5)
    models = {"model-0": 1, "model-1": 1, "model-2": 1, "_other": 4}
    assert values(telemetry, "gen_ai.client.inference.duration", "gen_ai.request.model") == models
    assert values(telemetry, "gen_ai.client.inference.usage.input_tokens", "gen_ai.request.model") == models
    assert values(telemetry, "otel_agents.cost", "gen_ai.request.model")["_other"] == 2.0
    assert values(telemetry, "otel_agents.runs", "gen_ai.agent.name") == {"agent-0": 1, "agent-1": 1, "agent-2": 1, "_other": 4}
    assert values(telemetry, "otel_agents.agents.active", "gen_ai.agent.name") == {"agent-0": 0, "agent-1": 0, "agent-2": 0, "_other": 0}
    assert len(telemetry.spans) == 14
    assert telemetry.span("invoke_agent agent-6")["attributes"]["gen_ai.agent.name"] == "agent-6"


ENDS = {"ok": None, "error": ValueError("no"), "cancelled": asyncio.CancelledError(), "interrupted": KeyboardInterrupt()}


def test_runs_are_counted_by_outcome() -> None:
    @oa.agent(name="researcher")
    def run(error: BaseException | None) -> None:
        if error is not None:
            raise error

    with capture() as telemetry:
        run(None)
        for error in filter(None, ENDS.values()):
            with pytest.raises(type(error)):
                run(error)
    assert values(telemetry, "otel_agents.runs", "gen_ai.agent.name", "otel_agents.outcome") == {("researcher", outcome): 1 for outcome in ENDS}
    assert values(telemetry, "gen_ai.invoke_agent.duration", "error.type") == {None: 3, "ValueError": 1}
    assert values(telemetry, "otel_agents.agents.active", "gen_ai.agent.name") == {"researcher": 0}


def test_agents_that_run_are_active() -> None:
    with capture() as telemetry, oa.agent("outer"), oa.agent("inner"):
        assert values(telemetry, "otel_agents.agents.active", "gen_ai.agent.name") == {"outer": 1, "inner": 1}


def test_a_loop_is_counted_once_for_its_agent() -> None:
    with capture() as telemetry:
        with oa.agent("researcher"):
            for query in ("a", "b", "a", "a", "a", "a", "b", "b"):
                search(query)
        with oa.agent("other"):
            search("a")
            search("a")
        for _ in range(4):
            search("a")
    assert values(telemetry, "otel_agents.loops", "gen_ai.agent.name") == {"researcher": 2}


def test_memory_searches_by_result() -> None:
    @oa.memory("search", store="notes")
    def recall(query: str) -> list[str]:
        return [query] if query else []

    @oa.memory("search")
    def remember(query: str) -> None:
        return None

    with capture() as telemetry:
        for query in ("x", "y", ""):
            recall(query)
        remember("z")
    assert values(telemetry, "otel_agents.memory.searches", "otel_agents.memory.store", "otel_agents.result") == {
        ("notes", "hit"): 2,
        ("notes", "miss"): 1,
        (None, "miss"): 1,
    }
    assert values(telemetry, "gen_ai.client.operation.duration", "gen_ai.operation.name") == {"search_memory": 4}


def test_a_run_totals_its_own_calls_not_those_of_agents_below() -> None:
    @oa.agent(name="inner")
    def inner() -> str:
        search("deep")
        return ask("deep")

    @oa.agent(name="outer")
    def outer() -> None:
        ask("first")
        inner()
        with oa.step("retry"), pytest.raises(TimeoutError), oa.llm(model="gpt-4o", provider="openai"):
            raise TimeoutError

    with capture() as telemetry:
        outer()
    runs = {span["attributes"]["gen_ai.agent.name"]: span["attributes"] for span in telemetry.spans if span["name"].startswith("invoke_agent")}
    assert [(runs[name]["gen_ai.usage.input_tokens"], runs[name]["gen_ai.usage.output_tokens"]) for name in ("outer", "inner")] == [(100, 50)] * 2
    assert (runs["outer"]["gen_ai.response.finish_reasons"], runs["inner"]["gen_ai.response.finish_reasons"]) == (["error"], ["stop"])
    calls = {point["attributes"]["gen_ai.agent.name"]: point["sum"] for point in telemetry.metrics["gen_ai.invoke_agent.inference_calls"]}
    tools = {point["attributes"]["gen_ai.agent.name"]: point["sum"] for point in telemetry.metrics["gen_ai.invoke_agent.tool_calls"]}
    assert (calls, tools) == ({"outer": 2, "inner": 1}, {"outer": 0, "inner": 1})
    assert values(telemetry, "gen_ai.client.inference.usage.input_tokens", "gen_ai.agent.name") == {"outer": 100, "inner": 100}


def test_the_older_names_come_beside_the_newer_ones_by_a_switch() -> None:
    with capture(old_metrics=True) as telemetry:
        research("why?")
    assert values(telemetry, "gen_ai.client.operation.duration", "gen_ai.operation.name") == {"chat": 1}
    sums = {
        point["attributes"]["gen_ai.token.type"]: (point["sum"], point["unit"], point["bounds"]) for point in telemetry.metrics["gen_ai.client.token.usage"]
    }
    assert sums == {"input": (100, "{token}", TOKENS), "output": (50, "{token}", TOKENS)}
    assert only(telemetry, "gen_ai.client.inference.duration")["count"] == 1


def test_lost_telemetry_is_counted_by_signal_and_reason() -> None:
    with capture() as telemetry:
        research("why?")
        engine.strict = False
        assert swallow("read response", ValueError("ours")) is True
        engine.strict = True
        assert values(telemetry, "otel_agents.telemetry.dropped", "otel_agents.signal", "otel_agents.reason") == {("any", "failed: read response"): 1}
    assert values(telemetry, "otel_agents.shipper.lag") == {(): 0.0}


def test_counts_begin_with_the_process() -> None:
    with capture() as telemetry:
        research("why?")
    points = [point for name, points in telemetry.metrics.items() if name != "otel_agents.shipper.lag" for point in points]
    assert {point["start"] < point["time"] for point in points} == {True}
    assert all(abs(point["start"] - process_start()) < 100_000_000 for point in points)


def test_no_sampling_takes_a_metric_away_or_counts_twice() -> None:
    @oa.llm(model="gpt-4o")
    def client_over_client(prompt: str) -> str:
        return ask(prompt)

    with capture() as telemetry:
        tracer = TracerProvider(sampler=sampling.ALWAYS_OFF, shutdown_on_exit=False).get_tracer("program")
        with tracer.start_as_current_span("unsampled", Context()), oa.agent("researcher"):
            search("why?")
            client_over_client("why?")
    assert telemetry.spans == []
    assert values(telemetry, "gen_ai.client.inference.duration", "gen_ai.request.model") == {"gpt-4o": 1}
    assert only(telemetry, "gen_ai.client.inference.duration")["exemplars"] == []
    assert values(telemetry, "otel_agents.runs", "gen_ai.agent.name", "otel_agents.outcome") == {("researcher", "ok"): 1}
    assert values(telemetry, "gen_ai.client.inference.usage.input_tokens", "gen_ai.agent.name") == {"researcher": 100}


# ------------------------------------------------------------------------------------------------ processes


def work(journal: Path) -> None:
    given = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ours = {"OTEL_AGENTS_ENABLED": "true", "OTEL_AGENTS_JOURNAL_DIR": str(journal), "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=web-1,team=a"}
    done = subprocess.run([sys.executable, "-W", "error", str(PROGRAM)], env={**given, **ours}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def resources(journal: Path, signal: str, outer: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every line's resource and its one item."""
    inner, items = {"traces": ("scopeSpans", "spans"), "metrics": ("scopeMetrics", "metrics")}[signal]
    lines = [json.loads(line) for file in journal.glob(f"*/{signal}-*.jsonl") for line in file.read_text().splitlines()]
    return [(attributes_of(one["resource"]), one[inner][0][items][0]) for line in lines for one in line[outer]]


def test_each_process_has_an_instance_a_start_and_counts_of_its_own(tmp_path: Path) -> None:
    began = time.time_ns()
    for _ in range(2):
        work(tmp_path)
    metrics = resources(tmp_path, "metrics", "resourceMetrics")
    runs: dict[str, dict[str, Any]] = {}
    for resource, metric in metrics:
        assert (resource["team"], resource["service.name"]) == ("a", "workers")
        if metric["name"] == "otel_agents.runs":
            [runs[resource["service.instance.id"]]] = metric["sum"]["dataPoints"]
    assert len(runs) == 6
    assert {name.startswith("web-1-") for name in runs} == {True}
    assert [int(point["asInt"]) for point in runs.values()] == [1] * 6
    starts = {int(point["startTimeUnixNano"]) for point in runs.values()}
    assert len(starts) == 6
    assert {began - 2e9 < int(point["startTimeUnixNano"]) < int(point["timeUnixNano"]) for point in runs.values()} == {True}
    spans = resources(tmp_path, "traces", "resourceSpans")
    assert sorted({resource["service.instance.id"] for resource, _ in spans}) == sorted(runs)
    assert len(spans) == 12
