"""`otel-agents traces`."""

from __future__ import annotations

import pytest
from command_line import Command
from inline_snapshot import snapshot
from written_journal import Written, log, span

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.conversation.id": "c-1"}
CHAT = {
    "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 1204, "gen_ai.usage.output_tokens": 310,
    "gen_ai.usage.cache_read.input_tokens": 1024, "otel_agents.cost": 0.00033,
}  # fmt: skip
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"}


@pytest.fixture
def runs(written: Written) -> None:
    written.spans(
        "11-a-b-1",
        span("execute_tool weather", id=3, parent=1, start=0.6, end=0.9, error="no answer", **TOOL),
        span("chat gpt-4o-mini", id=2, parent=1, start=1, end=2, **CHAT),
        span("invoke_agent planner", id=1, end=2.31, **AGENT),
    )
    written.spans("12-a-b-1", span("invoke_agent writer", id=1, trace="8" * 32, start=60, end=124, error="boom", **(AGENT | {"gen_ai.agent.name": "writer"})))
    written.logs("13-a-b-1", log(id=1, trace="9" * 32, at=120, event="otel_agents.run.started", **AGENT))


@pytest.mark.usefixtures("runs")
def test_the_newest_first_on_a_narrow_terminal(command: Command) -> None:
    assert command("traces").out == snapshot("""\
TIME        TRACE    NAME        TOOK SPANS      TOKENS     COST OUTCOME
09-21 14:15 99999999 planner              1                      died   \n\
09-21 14:14 88888888 writer  1 m 04 s     1                      error  \n\
09-21 14:13 5b8efff7 planner   2.31 s     3 1,204 → 310 $0.00033 ok 1✗  \n\
""")


@pytest.mark.usefixtures("runs")
def test_with_agent_and_conversation_on_a_wide_one(command: Command) -> None:
    assert command("traces", width=120).out == snapshot("""\
TIME         TRACE     NAME     MODEL        CONVERSATION      TOOK  SPANS       TOKENS      COST  OUTCOME    \n\
09-21 14:15  99999999  planner               c-1                         1                         died       \n\
09-21 14:14  88888888  writer                c-1           1 m 04 s      1                         error      \n\
09-21 14:13  5b8efff7  planner  gpt-4o-mini  c-1             2.31 s      3  1,204 → 310  $0.00033  ok, 1 error
""")


@pytest.mark.usefixtures("runs")
def test_as_json(command: Command) -> None:
    found = command("traces", "--json").json
    assert [one["outcome"] for one in found] == ["died", "error", "ok"]
    assert found[-1] == snapshot(
        {
            "trace_id": "5b8efff798038103d269b633813fc60c",
            "name": "invoke_agent planner",
            "agent": "planner",
            "agents": ["planner"],
            "service": "travel",
            "conversation_id": "c-1",
            "start": "2026-09-21T14:13:20.000000+00:00",
            "end": "2026-09-21T14:13:22.310000+00:00",
            "duration_s": 2.31,
            "outcome": "ok",
            "errors": 1,
            "spans": 3,
            "model_calls": 1,
            "tool_calls": 1,
            "models": ["gpt-4o-mini"],
            "tools": ["weather"],
            "usage": {"input_tokens": 1204, "output_tokens": 310, "cache_read_input_tokens": 1024},
            "cost_usd": 0.00033,
            "unpriced_calls": 0,
        }
    )


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--errors",), ["9", "8", "5"]), (("--agent", "writer"), ["8"]), (("--session", "c-1", "--limit", "1"), ["9"]), (("--limit", "2"), ["9", "8"]),
        (("--since", "2026-09-21T14:14:30+00:00"), ["9", "8"]),
    ],
)  # fmt: skip
def test_filters(command: Command, words: tuple[str, ...], expected: list[str]) -> None:
    assert [one["trace_id"][0] for one in command("traces", "--json", *words).json] == expected


@pytest.mark.usefixtures("runs")
def test_a_filter_that_nothing_passes(command: Command) -> None:
    result = command("traces", "--agent", "nobody")
    assert (result.status, result.out) == (1, "")
    assert "no trace matches" in result.err


def test_an_empty_journal_says_what_to_do(command: Command) -> None:
    result = command("traces")
    assert (result.status, result.out) == (1, "")
    assert "otel-agents demo" in result.err
    assert "OTEL_AGENTS_ENABLED=true" in result.err
    assert command("traces", "--json").json == []


def test_lines_that_are_no_telemetry_are_counted(command: Command, written: Written) -> None:
    with written.spans("11-a-b-1", span("a", id=1)).open("a") as file:
        file.write("hello\n{\n")
    result = command("traces")
    assert result.status == 0
    assert "skipped 2 lines" in result.err


@pytest.mark.parametrize("words", [("--since", "yesterday"), ("--limit", "many"), ("--limit", "0"), ("--colour",)])
def test_wrong_use(command: Command, words: tuple[str, ...]) -> None:
    result = command("traces", *words)
    assert result.status == 2
    assert result.err.startswith("otel-agents traces: ")


def test_names_cannot_steer_the_terminal(command: Command, written: Written) -> None:
    written.spans("11-a-b-1", span("\x1b[2Jgone", id=1))
    assert "\x1b" not in command("traces").out
    assert "\x1b" not in command("trace").out
