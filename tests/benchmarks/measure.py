"""Runs the measured program in processes of its own, sides in turn (A B A B …), and takes medians: only ratios within one run are to be trusted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import Any

WORKER = Path(__file__).with_name("worker.py")
Figures = dict[str, float]


def environment(side: str, endpoint: str, journal: str, extra: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without its telemetry settings, with those of this side."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LITELLM_"))}
    ours = {"OTEL_AGENTS_ENABLED": "true", "OTEL_AGENTS_JOURNAL_DIR": journal} if side == "ours" else {}
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if endpoint else {}
    return {**kept, **told, **ours, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **extra}


def run(load: str, side: str, endpoint: str = "", extra: Mapping[str, str] | None = None, **options: Any) -> Figures:
    """The figures of one process, with the CPU that it took as a whole (`process_us`)."""
    with TemporaryDirectory(prefix="otel-agents-bench-") as journal:
        command = [sys.executable, str(WORKER), json.dumps({"load": load, "side": side, **options})]
        process = Popen(command, stdout=PIPE, text=True, env=environment(side, endpoint, journal, extra or {}))
        assert process.stdout is not None  # asked for
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return {**json.loads(said.splitlines()[-1]), "process_us": (used.ru_utime + used.ru_stime) * 1e6}


def compare(
    load: str, sides: Sequence[str], rounds: int, endpoint: str = "", extra: Mapping[str, Mapping[str, str]] | None = None, **options: Any
) -> dict[str, Figures]:
    """Medians by side over so many rounds, each of which runs every side once."""
    runs = [{side: run(load, side, endpoint, (extra or {}).get(side), **options) for side in sides} for _ in range(rounds)]
    return {side: {name: median(one[side][name] for one in runs) for name in runs[0][side]} for side in sides}
