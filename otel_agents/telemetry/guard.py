"""Failures of telemetry are caught here and counted: no exception of ours reaches the program."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from types import TracebackType
from typing import Any

from otel_agents.telemetry.engine import engine

Steps = Iterable[tuple[str, Callable[[Any], None]]]
logger = logging.getLogger("otel_agents")


class Guard:
    """Swallows and counts any `Exception` in the block; `where` names the block in `doctor` and in the debug log.

    Besides `each` the only place that catches `Exception`. The program's own functions are never called inside a guard.
    """

    __slots__ = ("where",)

    def __init__(self, where: str) -> None:
        self.where = where

    __enter__ = staticmethod(bool)  # does nothing, without a Python frame

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        return swallow(self.where, error)


def each(steps: Steps, subject: Any) -> None:
    """Run every step in a guard of its own: one that fails does not keep the others from running."""
    for where, step in steps:
        try:
            step(subject)
        except Exception as error:
            if not swallow(where, error):
                raise


@lru_cache(maxsize=256)
def guard(where: str) -> Guard:
    """The guard of this name, `with guard("read response"):`; it has no state, so one object serves every block."""
    return Guard(where)


def swallow(where: str, error: Exception) -> bool:
    """Count a failure; False (raise it again) in strict mode, which tests use."""
    engine.failures[where] = engine.failures.get(where, 0) + 1
    if engine.strict:
        return False
    if engine.failures[where] == 1:
        logger.debug("otel-agents: telemetry failed in %s and was skipped: %s", where, type(error).__name__)
    return True
