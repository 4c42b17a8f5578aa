"""What the process and its environment say of themselves: when it began, what it is called, which ids it wants, which version of us it has."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from typing import Any

VERSION = "0.1.0"  # written here, whence the wheel takes it: to ask the installed package's metadata costs a start 10 ms
logger = logging.getLogger("otel_agents")


def process_start() -> int:
    """Nanoseconds since the epoch at which this process began; where the system does not say, now."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/self/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return time.time_ns() - max(1_000_000, int(age * 1e9))
    return time.time_ns()


def service_name() -> str:
    """The program's name, where nobody gave one: its file or module."""
    called = sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    stem = os.path.splitext(os.path.basename(called))[0]
    return (os.path.basename(os.path.dirname(os.path.abspath(called))) if stem == "__main__" else stem) or "python"


def id_generator(name: str | None) -> Any:
    """The generator that OTEL_PYTHON_ID_GENERATOR names; None (the SDK's random one) where there is none of that name."""
    if name is None or name == "random":
        return None
    from importlib.metadata import entry_points

    for found in entry_points(group="opentelemetry_id_generator", name=name):
        return found.load()()
    logger.warning("otel-agents: OTEL_PYTHON_ID_GENERATOR=%s: no installed package offers it; ids are random. Install the one that does, or unset it.", name)
    return None


def version() -> str:
    """Our version, for the scope."""
    return VERSION
