"""How an operation ended, told from its exception: an error, or what only travels as one (cancellation, an interrupt, a guardrail's trip)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from otel_agents.telemetry.slots import type_name

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


def outcome_of(error: BaseException) -> str:
    """ok | error | interrupted | cancelled: the nearest ancestor that the table knows decides; a clean `SystemExit` is well."""
    if type(error) is SystemExit:
        return "ok" if error.code in (None, 0) else "error"
    kind: type = type(error)
    return _outcome_of_type(kind)


@lru_cache(maxsize=1024)
def _outcome_of_type(kind: type) -> str:
    known = (OUTCOMES.get(type_name(ancestor)) for ancestor in type.mro(kind))
    return next((outcome for outcome in known if outcome is not None), "error")


@lru_cache(maxsize=1024)
def _name(kind: type) -> str:
    return type_name(kind)


def error_type(error: BaseException) -> str:
    """The class of the exception as `error.type` wants it: qualified, built-in ones by their bare name."""
    kind: type = type(error)
    return _name(kind)
