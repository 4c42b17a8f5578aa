"""Spans → trees, totals, outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from written_journal import EPOCH, TRACE, Written, log, span

from otel_agents.analysis.folder import Folder
from otel_agents.analysis.items import Span
from otel_agents.analysis.search import Search, logs_of
from otel_agents.analysis.traces import Node, Trace, build, summary

SECOND = 10**9
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.conversation.id": "c-1"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"}


def tokens(given: int, answered: int, cost: float | None = None) -> dict[str, Any]:
    usage = {"gen_ai.usage.input_tokens": given, "gen_ai.usage.output_tokens": answered}
    return usage | ({"otel_agents.cost": cost} if cost is not None else {})


def read(folder: Path, *, alive: bool = False) -> Trace:
    search = Search(Folder(folder), lambda segment: alive)
    assert search.by_prefix(TRACE) == [TRACE]
    trace = search.trace(TRACE)
    assert trace is not None
    return trace


def drawn(node: Node) -> Any:
    return {node.span.name: [drawn(child) for child in node.children]} if node.children else node.span.name


def test_a_run_over_two_processes(tmp_path: Path) -> None:
    journal = Written(tmp_path)
    journal.spans(
        "11-a-b-1",
        span("chat gpt-4o-mini", id=2, parent=1, start=0.2, end=0.5, **CHAT, **tokens(10, 5, 0.25)),
        span("invoke_agent planner", id=1, end=2, **AGENT, **tokens(99, 99, 9.0)),
    )
    journal.spans("12-a-b-1", span("execute_tool weather", id=3, parent=1, start=0.6, end=0.9, error="no", flags=0x300, **TOOL))
    trace = read(tmp_path)
    assert [drawn(root) for root in trace.roots] == [{"invoke_agent planner": ["chat gpt-4o-mini", "execute_tool weather"]}]
    found = summary(trace)
    assert (found.name, found.agent, found.conversation_id, found.service) == ("invoke_agent planner", "planner", "c-1", "travel")
    assert (found.spans, found.errors, found.outcome) == (3, 1, "ok")
    assert (dict(found.totals.tokens), found.totals.cost) == ({"input_tokens": 10, "output_tokens": 5}, 0.25)
    assert (found.models, found.tools, found.model_calls, found.tool_calls) == (("gpt-4o-mini",), ("weather",), 1, 1)
    assert (found.start, found.end - found.start) == (EPOCH * SECOND, 2 * SECOND)


def test_a_call_inside_a_call_counts_once_and_an_unknown_price_stays_unknown(tmp_path: Path) -> None:
    Written(tmp_path).spans("1-a-b-1", span("chat outer", id=1, **CHAT, **tokens(10, 5)), span("chat inner", id=2, parent=1, **CHAT, **tokens(10, 5)))
    totals = summary(read(tmp_path)).totals
    assert (dict(totals.tokens), totals.cost, totals.unpriced) == ({"input_tokens": 10, "output_tokens": 5}, None, 1)


def test_an_agent_that_only_knows_its_own_totals(tmp_path: Path) -> None:
    Written(tmp_path).spans("1-a-b-1", span("invoke_agent remote", id=1, **AGENT, **tokens(7, 3)))
    assert dict(summary(read(tmp_path)).totals.tokens) == {"input_tokens": 7, "output_tokens": 3}


def test_a_missing_parent_gets_its_place(tmp_path: Path) -> None:
    Written(tmp_path).spans("1-a-b-1", span("a", id=2, parent=1), span("b", id=3, parent=1), span("from a gateway", id=4, parent=9, start=1, flags=0x300))
    trace = read(tmp_path)
    assert [drawn(root) for root in trace.roots] == [{"(not recorded)": ["a", "b"]}, "from a gateway"]
    assert (summary(trace).spans, trace.outcome) == (3, "died")
    assert read(tmp_path, alive=True).outcome == "running"


def test_a_run_that_has_not_ended(tmp_path: Path) -> None:
    journal = Written(tmp_path)
    journal.logs("1-a-b-1", log(id=1, at=0, event="otel_agents.run.started", **AGENT), log(id=1, at=5, event="otel_agents.run.started", **AGENT))
    journal.spans("1-a-b-1", span("chat gpt-4o-mini", id=2, parent=1, start=1, end=2, **CHAT))
    trace = read(tmp_path, alive=True)
    assert [drawn(root) for root in trace.roots] == [{"invoke_agent planner": ["chat gpt-4o-mini"]}]
    assert (trace.outcome, trace.roots[0].span.start, trace.roots[0].span.end) == ("running", EPOCH * SECOND, None)
    assert read(tmp_path).outcome == "died"


def test_a_run_whose_death_was_recorded(tmp_path: Path) -> None:
    Written(tmp_path).logs(
        "1-a-b-1", log(id=1, event="otel_agents.run.started", **AGENT), log(id=1, at=9, event="otel_agents.run.ended", **{"otel_agents.outcome": "died"})
    )
    trace = read(tmp_path, alive=True)
    assert (trace.outcome, trace.roots[0].span.end, summary(trace).agent) == ("died", None, "planner")


def test_a_span_read_twice_counts_once(tmp_path: Path) -> None:
    journal = Written(tmp_path)
    for name in ("1-a-b-1", "2-a-b-1"):
        journal.spans(name, span("a", id=1))
    assert summary(read(tmp_path)).spans == 1


def test_spans_that_name_each_other_as_parents() -> None:
    def one(span_id: str, parent_id: str, start: int) -> Span:
        return Span("t", span_id, parent_id, span_id, "internal", start, start + 1, {})

    trace = build([one("a", "b", 1), one("b", "a", 2), one("c", "c", 3)])
    assert trace is not None
    assert [drawn(root) for root in trace.roots] == [{"a": ["b"]}, "c"]


def test_a_tree_deeper_than_python() -> None:
    spans = [Span("t", str(depth + 1), str(depth) if depth else "", "n", "internal", depth, 9999, CHAT | tokens(1, 1)) for depth in range(5000)]
    trace = build(spans)
    assert trace is not None
    assert (len(trace.nodes()), summary(trace).totals.tokens["input_tokens"]) == (5000, 1)


def test_nothing_is_no_trace() -> None:
    assert build([]) is None


def test_the_log_lines_of_a_trace(tmp_path: Path) -> None:
    Written(tmp_path).logs("1-a-b-1", log("later", id=1, at=2), log("sooner", id=1, at=1), log("elsewhere", id=1, trace="f" * 32), log(TRACE))
    assert [record.body for record in logs_of(Folder(tmp_path), TRACE)] == ["sooner", "later"]


def test_an_open_run_of_a_sub_agent_stands_below_the_run_that_called_it() -> None:
    import otel_agents as oa
    from otel_agents.testing import capture

    with capture() as telemetry, oa.agent("outer") as outer, oa.agent("inner"):
        inner = telemetry.events[-1]["attributes"]
        assert inner["otel_agents.parent.id"] == f"{outer.span.get_span_context().span_id:016x}"


def test_open_runs_stand_in_their_place(tmp_path: Path) -> None:
    journal = Written(tmp_path)
    inner = {"gen_ai.agent.name": "writer", "otel_agents.parent.id": f"{1:016x}"}
    journal.logs("1-a-b-1", log(id=1, event="otel_agents.run.started", **AGENT), log(id=2, at=1, event="otel_agents.run.started", **inner))
    assert [drawn(root) for root in read(tmp_path, alive=True).roots] == [{"invoke_agent planner": ["invoke_agent writer"]}]
