"""Facts about the process (start time, service name, id generator, our version), garbage collection while we import, and hooks at a worker's end."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

VERSION = "0.1.0"  # the build reads it from here; asking the package metadata at start-up would take 10 ms
logger = logging.getLogger("otel_agents")


def process_start() -> int:
    """When this process started, in nanoseconds since the epoch; the current time if the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/self/stat", "rb") as stat:
            ticks = int(stat.read().rpartition(b")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
        return time.time_ns() - max(1_000_000, int(age * 1e9))
    return time.time_ns()


def service_name() -> str:
    """The default service name: the name of the program's file or module."""
    called = sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    stem = os.path.splitext(os.path.basename(called))[0]
    return (os.path.basename(os.path.dirname(os.path.abspath(called))) if stem == "__main__" else stem) or "python"


def id_generator(name: str | None) -> Any:
    """The generator named by OTEL_PYTHON_ID_GENERATOR; None (the SDK's random one) if there is none of that name."""
    if name is None or name == "random":
        return None
    from importlib.metadata import entry_points

    for found in entry_points(group="opentelemetry_id_generator", name=name):
        return found.load()()
    logger.warning("otel-agents: OTEL_PYTHON_ID_GENERATOR=%s: no installed package provides it, so ids are random; install one that does, or unset it.", name)
    return None


def version() -> str:
    """Our version, for the instrumentation scope."""
    return VERSION


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Pause garbage collection while modules are imported: it would traverse them again and again, for nothing (30 ms at start-up)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            promote_all()
            gc.enable()


def promote_all() -> None:
    """Move all objects to the oldest generation, or the next young collection would traverse what was imported (5 ms). Not if the program uses `gc.freeze`."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()


def run_at_worker_exit(act: Callable[[], None]) -> None:
    """Run `act` at the end of this process if it is a child of multiprocessing, which exits without running atexit."""
    if "multiprocessing.process" in sys.modules:
        from multiprocessing import process, util

        if process.parent_process() is not None:
            util.Finalize(None, act, exitpriority=0)


def run_at_forked_worker_exit(owner: object, act: Callable[[], None]) -> None:
    """The same for processes forked later: multiprocessing clears its finalizers after a fork, then runs what is registered here."""
    if "multiprocessing.util" in sys.modules:
        from multiprocessing import util

        util.register_after_fork(owner, lambda _: util.Finalize(None, act, exitpriority=0))
