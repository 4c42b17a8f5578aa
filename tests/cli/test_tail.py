"""`otel-agents tail`, as a process of its own: it ends when it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from written_journal import Written, line, log, span

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner", "gen_ai.conversation.id": "c-1"}
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 3, "otel_agents.cost": 0.01}
PATIENCE_S = 20


class Tail:
    def __init__(self, journal: Path, output: Path, *words: str) -> None:
        self.output = output
        environment = {**os.environ, "COLUMNS": "100", "TZ": "UTC"}
        command = [sys.executable, "-m", "otel_agents", "tail", "--journal", str(journal), *words]
        with output.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=environment, text=True)
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()

    def lines(self, count: int) -> list[str]:
        """The first lines, as soon as there are so many."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if len(found := self.output.read_text().splitlines()) >= count:
                return found
            time.sleep(0.05)
        return self.output.read_text().splitlines()

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)


Start = Callable[..., Tail]


@pytest.fixture
def tail(written: Written, tmp_path: Path) -> Iterator[Start]:
    started: list[Tail] = []

    def start(*words: str) -> Tail:
        started.append(Tail(written.folder, tmp_path / "out", *words))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.communicate()


def append(path: Path, signal: str, *records: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write("".join(line(signal, record) for record in records))


def test_what_was_and_what_comes(tail: Start, written: Written) -> None:
    path = written.spans("1-a-b-1", span("chat gpt-4o-mini", id=2, parent=1, end=0.5, **CHAT))
    running = tail()
    assert running.said.startswith(f"otel-agents: following {written.folder}")
    assert running.lines(1) == ["14:13:20.500  5b8efff7  chat gpt-4o-mini  500 ms  12 → 3  $0.010"]
    append(path, "traces", span("execute_tool weather", id=3, parent=1, start=1, end=2, error="no answer", **{"error.type": "TimeoutError"}))
    written.logs("1-a-b-1", log(id=1, at=2.5, event="otel_agents.run.started", **AGENT), log("hello", id=1, at=3, level="WARNING"))
    assert running.lines(4)[1:] == [
        "14:13:22.000  5b8efff7  execute_tool weather  ✗  1.00 s  TimeoutError: no answer",
        "14:13:22.500  5b8efff7  ▶ planner started",
        "14:13:23.000  5b8efff7  WARNING  hello",
    ]
    assert running.interrupt() == 0


def test_json_lines_of_one_agent(tail: Start, written: Written) -> None:
    written.spans("1-a-b-1", span("chat other", id=9, trace="8" * 32))
    written.logs("1-a-b-1", log(id=1, event="otel_agents.run.started", **AGENT))
    running = tail("--json", "--agent", "planner")
    running.lines(1)
    written.spans("1-a-b-2", span("chat gpt-4o-mini", id=2, parent=1, **CHAT))
    found = [json.loads(one) for one in running.lines(2)]
    assert [(one["signal"], one.get("event") or one.get("name")) for one in found] == [("log", "otel_agents.run.started"), ("span", "chat gpt-4o-mini")]
    assert found[1]["attributes"]["gen_ai.usage.input_tokens"] == 12
    assert running.interrupt() == 0


def test_nothing_of_before(tail: Start, written: Written) -> None:
    written.spans("1-a-b-1", span("before", id=1))
    running = tail("-n", "0")
    written.spans("2-a-b-1", span("after", id=2))
    assert "after" in running.lines(1)[0]
    assert len(running.lines(1)) == 1
