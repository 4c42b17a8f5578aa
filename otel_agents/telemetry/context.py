"""The OpenTelemetry context: what is current, how it is set and reset, and the session that it carries, also as baggage to other processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry import baggage
from opentelemetry.context import Context

from otel_agents import semconv
from otel_agents.sdk.internals import BAGGAGE, SPAN, SUPPRESSED, SUPPRESSED_HTTP, UTIL_GENAI, attach, detach, get_current

if TYPE_CHECKING:
    from contextvars import Token

OPERATION = "otel_agents.operation"
SESSION = "otel_agents.session"
MAX_BAGGAGE_VALUE = 1024  # characters; the header holds 8192 bytes, and the API logs a warning for what exceeds them
NOTHING: Mapping[str, Any] = MappingProxyType({})


def set_current(context: Context) -> Context:
    """Make a context current and return the previous one; restoring that by another call can't fail or log, unlike `detach`."""
    before = get_current()
    if before is not context:
        attach(context)
    return before


def reset_if_current(before: Context, ours: Context) -> None:
    """Restore `before` if `ours` is current; otherwise (a coroutine closed by the garbage collector, another task) change nothing."""
    if before is not ours and get_current() is ours:
        attach(before)


def reset_token(token: Token[Context]) -> None:
    """Restore what was current when `attach` returned this token; in another task or thread do nothing."""
    with suppress(ValueError):
        detach(token)


@contextmanager
def suppress_instrumentation() -> Iterator[None]:
    """Suppress instrumentation of our own I/O, by us and by the official instrumentations (both suppression keys of the API)."""
    before = set_current(Context({**get_current(), SUPPRESSED: True, SUPPRESSED_HTTP: True}))
    try:
        yield
    finally:
        set_current(before)


# ------------------------------------------------------------------------------------------------ session

_NAMES = {semconv.CONVERSATION_ID: semconv.CONVERSATION_ID, semconv.USER_ID: semconv.USER_ID}


def session_of(context: Context) -> Mapping[str, Any]:
    """The session's attributes, which everything within it carries: set in this process, received as baggage, or under util-genai's key."""
    known: Mapping[str, Any] | None = context.get(SESSION)  # type: ignore[assignment]  # a Context holds objects; nobody else sets this key
    if known is not None:
        return known
    found = _from_baggage(baggage.get_all(context)) if context.get(BAGGAGE) else NOTHING
    return found if found else _from_util_genai(context)


def _from_baggage(carried: Mapping[str, object]) -> Mapping[str, Any]:
    return {_attribute_name(key): str(value) for key, value in carried.items() if key in _NAMES or key.startswith(semconv.OA_SESSION_PREFIX)}


def _attribute_name(key: str) -> str:
    return key.removeprefix(semconv.OA_SESSION_PREFIX)


def _baggage_key(attribute: str) -> str:
    return attribute if attribute in _NAMES else semconv.OA_SESSION_PREFIX + attribute


def _from_util_genai(context: Context) -> Mapping[str, Any]:
    """The conversation that the official util-genai has set on the context, if that package is loaded."""
    module = sys.modules.get(UTIL_GENAI)
    conversation = context.get(module.CONVERSATION_ID_KEY) if module else None
    return {semconv.CONVERSATION_ID: conversation} if type(conversation) is str else NOTHING


def with_session(context: Context, attributes: Mapping[str, Any]) -> Context:
    """A context whose session also has these attributes, in this process and, by baggage, in the services that it calls."""
    merged = {**session_of(context), **attributes}
    carried = context
    for name, value in attributes.items():
        if len(value) <= MAX_BAGGAGE_VALUE:
            carried = baggage.set_baggage(_baggage_key(name), value, carried)
    return Context({**carried, SESSION: merged, **_to_util_genai(attributes)})


def _to_util_genai(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    module = sys.modules.get(UTIL_GENAI)
    named = semconv.CONVERSATION_ID in attributes
    return {module.CONVERSATION_ID_KEY: attributes[semconv.CONVERSATION_ID]} if module and named else NOTHING


__all__ = [
    "NOTHING",
    "OPERATION",
    "SESSION",
    "SPAN",
    "SUPPRESSED",
    "Context",
    "attach",
    "get_current",
    "reset_if_current",
    "reset_token",
    "session_of",
    "set_current",
    "suppress_instrumentation",
    "with_session",
]
