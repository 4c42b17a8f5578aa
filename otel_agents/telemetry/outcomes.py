"""The outcome of an operation by its exception: an error, or control flow (cancellation, an interrupt, a guardrail that tripped)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from otel_agents.telemetry.introspection import head, is_any, mro, type_name

MAX_DEPTH = 16  # of groups within groups
EXIT_CODE: Callable[[BaseException], Any] = SystemExit.__dict__["code"].__get__
MEMBERS: Callable[[BaseException], tuple[BaseException, ...]] = BaseExceptionGroup.__dict__["exceptions"].__get__

OUTCOMES: Mapping[str, str] = {
    "GeneratorExit": "cancelled",
    "asyncio.exceptions.CancelledError": "cancelled",
    "concurrent.futures._base.CancelledError": "cancelled",
    "KeyboardInterrupt": "interrupted",
    "langgraph.errors.GraphInterrupt": "interrupted",
    "langgraph.errors.NodeInterrupt": "interrupted",
    "agents.exceptions.InputGuardrailTripwireTriggered": "interrupted",
    "agents.exceptions.OutputGuardrailTripwireTriggered": "interrupted",
}


def outcome_of(error: BaseException, depth: int = 0) -> str:
    """ok | error | interrupted | cancelled, by the nearest base class in the table.

    `SystemExit` without an error code is ok; a group has the outcome that all its members have, or is an error.
    """
    ancestors = mro(type(error))
    if is_any(SystemExit, ancestors):
        code = EXIT_CODE(error)
        return "ok" if code is None or ((type(code) is int or type(code) is bool) and not code) else "error"
    if is_any(BaseExceptionGroup, ancestors) and depth < MAX_DEPTH:
        outcomes = {outcome_of(member, depth + 1) for member in head(MEMBERS(error), MAX_DEPTH)}
        return outcomes.pop() if len(outcomes) == 1 else "error"
    return _cached(_outcome_of_type, type(error))


def _cached(function: Any, kind: type) -> str:
    """A function of a class, cached unless a metaclass could define its `__hash__`."""
    return str(function(kind) if type(kind) is type else function.__wrapped__(kind))


@lru_cache(maxsize=1024)
def _outcome_of_type(kind: type) -> str:
    known = (OUTCOMES.get(type_name(ancestor)) for ancestor in mro(kind))
    return next((outcome for outcome in known if outcome is not None), "error")


@lru_cache(maxsize=1024)
def _name(kind: type) -> str:
    return type_name(kind)


def error_type(error: BaseException) -> str:
    """The exception's class as `error.type`: the qualified name, for built-in ones without the module."""
    return _cached(_name, type(error))
