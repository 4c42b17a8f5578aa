"""Runs that go on, and runs whose process died, as the commands show them: real programs, really killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import Command
from written_journal import Written

PROGRAM = """
import sys, time
import otel_agents as oa

@oa.tool
def look(): ...

@oa.agent(name="watcher")
def watch():
    look()
    print("watching", flush=True)
    sys.stdin.read()

with oa.session("c-9"):
    watch()
"""


@pytest.fixture
def program(written: Written, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    path = tmp_path / "watch.py"
    path.write_text(PROGRAM)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment = kept | {"OTEL_AGENTS_ENABLED": "true", "OTEL_AGENTS_JOURNAL_DIR": str(written.folder)}
    with subprocess.Popen([sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        yield process
        process.kill()


def only(command: Command, *words: str) -> Any:
    (found,) = command("traces", "--json", *words).json
    return found


def test_a_run_that_goes_on_and_is_finished(command: Command, program: subprocess.Popen[str]) -> None:
    found = only(command, "--session", "c-9", "--agent", "watcher")
    assert (found["outcome"], found["end"], found["name"], found["tools"]) == ("running", None, "invoke_agent watcher", ["look"])
    assert "watcher  running" in command("trace").out
    assert command("prune", "--all", "--json").json["deleted"] == []
    program.communicate("")
    assert only(command)["outcome"] == "ok"


def test_a_run_whose_process_is_killed(command: Command, program: subprocess.Popen[str]) -> None:
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert (only(command, "--errors")["outcome"], only(command)["tools"]) == ("died", ["look"])
    assert "watcher  died" in command("trace").out
