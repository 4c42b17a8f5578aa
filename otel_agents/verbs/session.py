"""session(): the conversation, the user and attributes of the program's own, set once and carried by every span, log record and event within."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeVar

from otel_agents import semconv as names
from otel_agents.telemetry.calls import Call, around
from otel_agents.telemetry.context import Context, get_current, reset_if_current, set_current, with_session
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.values import plain

F = TypeVar("F", bound=Callable[..., Any])


class session:  # lower case as a verb: `with oa.session("order-17", user="ann"):`
    """Everything inside belongs to this conversation: `with oa.session(conversation, user=…, tenant=…)`, `async with` or `@oa.session(…)`.

    conversation: the application's id for it (`gen_ai.conversation.id`, never generated). user: `user.id`. attributes: short texts under the given names.
    All of them reach threads, executors, processes and, as W3C baggage, other services, so they must not be secret; credentials are redacted.
    """

    def __init__(self, /, conversation: str | None = None, *, user: str | None = None, **attributes: str | int | float | bool | None) -> None:
        given = {names.CONVERSATION_ID: conversation, names.USER_ID: user, **attributes}
        texts = {name: value if type(value) is str else str(plain(value)) for name, value in given.items() if value is not None}
        self._attributes = {without_credentials(name): without_credentials(value) for name, value in texts.items()}
        self._entered: list[tuple[Context, Context]] = []

    def __call__(self, function: F) -> F:
        """The function, sync or async; each of its calls belongs to this conversation."""
        return around(function, Within(self.context_within))  # type: ignore[return-value,arg-type]  # the same signature; a ContextRun has all that `around` needs

    def context_within(self, context: Context) -> Context:
        """The context with this session in it."""
        with guard("session"):
            return with_session(context, self._attributes)
        return context

    def __enter__(self) -> session:
        before = get_current()
        ours = self.context_within(before)
        set_current(ours)
        self._entered.append((before, ours))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        reset_if_current(*self._entered.pop())

    async def __aenter__(self) -> session:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.__exit__(kind, error, trace)


@lru_cache(maxsize=1024)
def without_credentials(text: str) -> str:
    """The text with credentials redacted: every service that the program calls may receive it."""
    from otel_agents.redaction.by_shape import credential_free  # its tables are loaded with the first session, not with this module

    return credential_free(text)


class Within:
    """The plan for a decorated function: each of its calls runs within the session."""

    __slots__ = ("_context_within",)

    def __init__(self, context_within: Callable[[Context], Context]) -> None:
        self._context_within = context_within

    def begin(self, call: Call) -> ContextRun:
        return ContextRun(self._context_within(get_current()))

    def end(self, run: ContextRun, call: Call, result: Any) -> Any:
        return result


class ContextRun:
    """The run of a function with its own context, in place of an operation: nothing to measure or end."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context

    def chunk(self) -> None:
        """No operation to measure."""

    def stop(self, outcome: str = "ok") -> None:
        """No operation to end."""

    def fail(self, error: BaseException) -> None:
        """No operation to end."""
