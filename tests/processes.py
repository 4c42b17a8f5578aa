"""Programs as their users start them: a process of its own, a journal of its own, an environment that nobody else's variables reach."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from switching import passed_on

from otel_agents.testing import Telemetry

FOREIGN = ("OTEL_", "PYTHON", "TRACEPARENT", "TRACESTATE", "BAGGAGE", "COV_")


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it left in its journal."""

    status: int
    out: str
    err: str
    telemetry: Telemetry

    @property
    def said(self) -> tuple[int, str, str]:
        """Exit status, standard output and standard error: what must not change."""
        return self.status, self.out, self.err

    @property
    def spans(self) -> list[str]:
        return sorted(span["name"] for span in self.telemetry.spans)

    @property
    def parents(self) -> dict[str, str]:
        """The name of each span's parent, by the name of the span; "" for a root."""
        spans = self.telemetry.spans
        names = {span["span_id"]: span["name"] for span in spans}
        return {span["name"]: names.get(span["parent_id"], span["parent_id"]) for span in spans}


def environment(journal: Path | str, **more: str | None) -> dict[str, str]:
    """This process's environment without anybody's settings, observed; None takes a variable away."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    given: Mapping[str, str | None] = {"OTEL_AGENTS_ENABLED": "true", "OTEL_AGENTS_JOURNAL_DIR": str(journal), **passed_on(), **more}
    return {name: value for name, value in {**plain, **given}.items() if value is not None}


def run(*words: str | Path, journal: Path, python: Path | str = sys.executable, cwd: Path | None = None, timeout: float = 60, **more: str | None) -> Done:
    """Run the interpreter with these words to its end. timeout: seconds."""
    command = [str(python), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment(journal, **more), timeout=timeout, check=False)
    return Done(done.returncode, done.stdout, done.stderr, Telemetry(journal))


def written(folder: Path, code: str, name: str = "program.py") -> Path:
    """The code as a file of its own."""
    path = folder / name
    path.write_text(dedent(code))
    return path


def ran(folder: Path, code: str, *arguments: str, python: Path | str = sys.executable, timeout: float = 60, **more: str | None) -> Done:
    """Run the code as a file; its journal is `journal` in the folder."""
    return run(written(folder, code), *arguments, journal=folder / "journal", python=python, timeout=timeout, **more)
