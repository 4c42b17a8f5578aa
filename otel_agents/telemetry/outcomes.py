"""How an operation ended, told from its exception: an error, or what only travels as one (cancellation, an interrupt, a guardrail's trip)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from otel_agents.telemetry.introspection import head, is_any, mro, type_name

DEEPEST = 16  # groups within groups
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
    """ok | error | interrupted | cancelled: the nearest ancestor that the table knows decides.

    A clean `SystemExit` is well; a group is what all its members are.
    """
    ancestors = mro(type(error))
    if is_any(SystemExit, ancestors):
        code = EXIT_CODE(error)
        return "ok" if code is None or ((type(code) is int or type(code) is bool) and not code) else "error"
    if is_any(BaseExceptionGroup, ancestors) and depth < DEEPEST:
        outcomes = {outcome_of(member, depth + 1) for member in head(MEMBERS(error), DEEPEST)}
        return outcomes.pop() if len(outcomes) == 1 else "error"
    return _cached(_outcome_of_type, type(error))


def _cached(read: Any, kind: type) -> str:
    """What is read of a class, remembered where its metaclass has no hash of its own that would be run."""
    return str(read(kind) if type(kind) is type else read.__wrapped__(kind))


@lru_cache(maxsize=1024)
def _outcome_of_type(kind: type) -> str:
    known = (OUTCOMES.get(type_name(ancestor)) for ancestor in mro(kind))
    return next((outcome for outcome in known if outcome is not None), "error")


@lru_cache(maxsize=1024)
def _name(kind: type) -> str:
    return type_name(kind)


def error_type(error: BaseException) -> str:
    """The class of the exception as `error.type` wants it: qualified, built-in ones by their bare name."""
    return _cached(_name, type(error))
