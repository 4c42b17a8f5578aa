"""Programs as their users run them: with the variable set and the endpoint at the Collector."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from processes import environment

from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

PROGRAMS = Path(__file__).parent / "programs"


def start(program: str, *words: object, journal: Path, stores: Stores | None, said: str = "", **more: str | None) -> subprocess.Popen[str]:
    """The program under way; with no stores it has no endpoint and keeps its journal to itself."""
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": stores.otlp} if stores is not None else {}
    command = [sys.executable, str(PROGRAMS / f"{program}.py"), *map(str, words)]
    given = environment(journal, **{**endpoint, **more})
    process = subprocess.Popen(command, env=given, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(said)
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str], timeout: float = 120.0) -> None:
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, f"{out}\n{err}"


def run(program: str, *words: object, journal: Path, stores: Stores | None, said: str = "", **more: str | None) -> Telemetry:
    """What the program left in its journal, when it has ended."""
    finish(start(program, *words, journal=journal, stores=stores, said=said, **more))
    return Telemetry(journal)
