"""A telemetry failure stops here, and is counted: nothing of ours ever reaches the program."""

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
    """Swallows and counts any `Exception` of the block; `where` names the block in `doctor` and in the debug log.

    With `each`, the only place that catches `Exception`. The user's own call never stands inside one.
    """

    __slots__ = ("where",)

    def __init__(self, where: str) -> None:
        self.where = where

    __enter__ = staticmethod(bool)  # nothing to do, and no frame for it

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        return swallow(self.where, error)


def each(steps: Steps, given: Any) -> None:
    """Take every step, each in a guard of its name: one that fails keeps none of the others from being taken."""
    for where, step in steps:
        try:
            step(given)
        except Exception as error:
            if not swallow(where, error):
                raise


@lru_cache(maxsize=256)
def guard(where: str) -> Guard:
    """The guard of this name: `with guard("read response"):`; it holds nothing of a block, so one serves all."""
    return Guard(where)


def swallow(where: str, error: Exception) -> bool:
    """Count one telemetry failure; False (raise it again) in our own suite, which wants to see them."""
    engine.failures[where] = engine.failures.get(where, 0) + 1
    if engine.strict:
        return False
    if engine.failures[where] == 1:
        logger.debug("otel-agents: telemetry failed in %s and was skipped: %s", where, type(error).__name__)
    return True
