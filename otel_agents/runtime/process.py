"""What the process and its environment say of themselves: when it began, what it is called, which ids it wants, which version of us it has; and how we
are imported into it."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest: it would look again and again at the modules being imported, all of which stay (30 ms of a start)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            age()
            gc.enable()


def age() -> None:
    """Count all that there is as old, or the program's next step would wait for a look at what was imported (5 ms); not where it froze objects itself."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()


def at_the_end_of_a_worker(act: Callable[[], None]) -> None:
    """Run `act` when this process ends, where it is a child of multiprocessing: that ends without atexit."""
    if "multiprocessing.process" in sys.modules:
        from multiprocessing import process, util

        if process.parent_process() is not None:
            util.Finalize(None, act, exitpriority=0)


def at_the_end_of_forked_workers(owner: object, act: Callable[[], None]) -> None:
    """The same for a fork: multiprocessing empties its list of finalizers after it, and looks then at what is registered here."""
    if "multiprocessing.util" in sys.modules:
        from multiprocessing import util

        util.register_after_fork(owner, lambda _: util.Finalize(None, act, exitpriority=0))
