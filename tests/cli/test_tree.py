"""`otel-agents trace`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from command_line import Command
from inline_snapshot import snapshot
from written_journal import TRACE, Written, attributes, log, nanoseconds, span

TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather", "error.type": "TimeoutError"}
PLANNED = {"gen_ai.response.finish_reasons": ["tool_call"], "otel_agents.cost": 0.000085}
AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.conversation.id": "c-1"}
DETAILS = "gen_ai.client.inference.operation.details"


def chat(given: int, came: int, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": given,
        "gen_ai.usage.output_tokens": came,
        **more,
    }


def message(role: str, **part: Any) -> dict[str, Any]:
    return {"role": role, "parts": [part]}


@pytest.fixture
def run(written: Written) -> None:
    retry = {"timeUnixNano": nanoseconds(1.2), "name": "retry", "attributes": attributes({"attempt": 2})}
    written.spans(
        "11-a-b-1",
        span("search_memory", id=2, parent=1, start=0.01, end=0.012, **{"gen_ai.operation.name": "search_memory", "gen_ai.memory.record.count": 2}),
        span(
            "chat gpt-4o-mini",
            id=3,
            parent=1,
            start=0.02,
            end=0.86,
            **chat(412, 38, **PLANNED),
        ),
        span("execute_tool weather", id=4, parent=1, start=0.87, end=0.97, error="the weather service\ndid not answer", **TOOL),
        span("chat gpt-4o-mini", id=6, parent=5, start=1, end=2.4, events=[retry], **chat(590, 120, **{"gen_ai.usage.cache_read.input_tokens": 384})),
        span("summarise", id=5, parent=1, start=0.98, end=2.41),
        span("invoke_agent planner", id=1, end=2.42, **AGENT),
    )
    written.logs(
        "11-a-b-1",
        log("asking the weather service", id=4, at=0.88),
        log("no answer", id=4, at=0.96, level="WARNING"),
        log(id=1, event="otel_agents.run.started", **AGENT),
        log(
            id=3, at=0.86, event=DETAILS, level="DEBUG",
            **{
                "gen_ai.input.messages": [message("system", type="text", content="Be kind."), message("user", type="text", content="What should I\npack?")],
                "gen_ai.output.messages": [message("assistant", type="tool_call", name="weather", arguments={"city": "Lisbon"})],
            },
        ),
    )  # fmt: skip


@pytest.mark.usefixtures("run")
def test_the_tree_on_a_narrow_terminal(command: Command) -> None:
    result = command("trace", TRACE)
    assert result.status == 0
    assert result.out == snapshot("""\
trace 5b8efff798038103d269b633813fc60c
2026-09-21 14:13:20 · travel · conversation c-1
ok, 1 error · 2.42 s · 6 spans · 2 model calls · 1 tool call
1,002 → 158 tokens (384 cached) · $0.000085 · 1 call without a known price

invoke_agent planner                             2.42 s  1,002 → 158  $0.000085+
├─ search_memory  2 found                        2.0 ms
├─ chat gpt-4o-mini  tool_call                   840 ms     412 → 38   $0.000085
│     ◂ system: Be kind.
│     ◂ user: What should I pack?
│     ▸ assistant: weather({"city":"Lisbon"})
├─ execute_tool weather  ✗                       100 ms
│     ✗ TimeoutError: the weather service did not answer
└─ summarise                                     1.43 s    590 → 120
   └─ chat gpt-4o-mini  384 cached               1.40 s    590 → 120
      └─ · retry attempt=2
""")


@pytest.mark.usefixtures("run")
def test_the_tree_with_log_lines_and_a_time_line_on_a_wide_one(command: Command) -> None:
    assert command("trace", "last", "--logs", width=120).out == snapshot("""\
trace 5b8efff798038103d269b633813fc60c
2026-09-21 14:13:20 · travel · conversation c-1
ok, 1 error · 2.42 s · 6 spans · 2 model calls · 1 tool call · 1,002 → 158 tokens (384 cached) · $0.000085
1 call without a known price

invoke_agent planner                                           2.42 s  1,002 → 158  $0.000085+  ━━━━━━━━━━━━━━━━━━━━━━━━
├─ search_memory  2 found                                      2.0 ms                           ━
├─ chat gpt-4o-mini  tool_call                                 840 ms     412 → 38   $0.000085  ━━━━━━━━━
│     ◂ system: Be kind.
│     ◂ user: What should I pack?
│     ▸ assistant: weather({"city":"Lisbon"})
├─ execute_tool weather  ✗                                     100 ms                                   ━━
│  │  ✗ TimeoutError: the weather service did not answer
│  ├─ INFO asking the weather service
│  └─ WARNING no answer
└─ summarise                                                   1.43 s    590 → 120                       ━━━━━━━━━━━━━━━
   └─ chat gpt-4o-mini  384 cached                             1.40 s    590 → 120                       ━━━━━━━━━━━━━━━
      └─ · retry attempt=2
""")


@pytest.mark.usefixtures("run")
def test_every_line_fits(command: Command) -> None:
    for width in (40, 60, 80, 100, 120, 200):
        assert max(map(len, command("trace", "--logs", width=width).out.splitlines())) <= width


@pytest.mark.usefixtures("run")
def test_whole_content(command: Command) -> None:
    assert "◂ user: What should I\n│     pack?" in command("trace", "--full", "5b8").out.replace("  \n", "\n")


@pytest.mark.usefixtures("run")
def test_as_json(command: Command) -> None:
    found = command("trace", TRACE[:8], "--json").json
    assert found["summary"]["usage"] == {"input_tokens": 1002, "output_tokens": 158, "cache_read_input_tokens": 384}
    assert [one["span_id"][-1] for one in found["spans"]] == ["1", "2", "3", "4", "5", "6"]
    assert found["spans"][3] == snapshot(
        {
            "trace_id": "5b8efff798038103d269b633813fc60c",
            "span_id": "0000000000000004",
            "parent_span_id": "0000000000000001",
            "name": "execute_tool weather",
            "kind": "internal",
            "start": "2026-09-21T14:13:20.870000+00:00",
            "start_unix_nano": 1790000000870000000,
            "end_unix_nano": 1790000000970000000,
            "duration_s": 0.1,
            "outcome": "error",
            "error": {
                "type": "TimeoutError",
                "message": """\
the weather service
did not answer\
""",
            },
            "attributes": {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather", "error.type": "TimeoutError"},
            "events": [],
            "links": [],
            "resource": {"service.name": "travel", "service.instance.id": "i-1"},
            "scope": "otel_agents",
        }
    )
    assert [one["event"] or one["body"] for one in found["logs"]] == ["otel_agents.run.started", DETAILS, "asking the weather service", "no answer"]


@pytest.mark.usefixtures("run")
def test_last_of_a_conversation(command: Command, written: Written) -> None:
    written.spans("12-a-b-1", span("invoke_agent other", id=1, trace="8" * 32, start=60, end=61))
    assert command("trace", "last", "--session", "c-1", "--json").json["summary"]["trace_id"] == TRACE
    assert command("trace", "--json").json["summary"]["trace_id"] == "8" * 32


@pytest.mark.usefixtures("run")
def test_ids_that_are_not_there_or_not_unique(command: Command, written: Written) -> None:
    written.spans("12-a-b-1", span("a", id=1, trace=TRACE[:10] + "0" * 22))
    missing, several = command("trace", "feed"), command("trace", "5B8E")
    assert (missing.status, several.status) == (1, 1)
    assert "no trace id" in missing.err
    assert "`otel-agents traces`" in missing.err
    assert "2 trace ids start with '5B8E'" in several.err
    assert TRACE in several.err


def test_an_empty_journal(command: Command) -> None:
    result = command("trace")
    assert (result.status, result.out) == (1, "")
    assert "otel-agents demo" in result.err


def test_content_on_the_span_and_of_tools(command: Command, written: Written) -> None:
    given = {"gen_ai.tool.call.arguments": json.dumps({"city": "Lisbon"}), "gen_ai.tool.call.result": "sunny"}
    written.spans("1-a-b-1", span("execute_tool weather", id=1, **given))
    lines = [line.strip() for line in command("trace").out.splitlines()]
    assert lines[-2:] == ['◂ {"city":"Lisbon"}', "▸ sunny"]


def test_a_tree_as_deep_as_it_gets(command: Command, written: Written) -> None:
    written.spans("1-a-b-1", *(span("step", id=depth + 1, parent=depth, start=depth, end=3000) for depth in range(2000)))
    result = command("trace")
    assert result.status == 0
    assert len(result.out.splitlines()) > 2000
    assert max(map(len, result.out.splitlines())) <= 80
