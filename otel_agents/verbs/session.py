"""session(): what is said once and stands on every span, log record and event below: the conversation, the user, attributes of the program's own."""

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


class session:  # read as a word where it stands: `with oa.session("order-17", user="ann"):`
    """Everything inside belongs to this conversation: `with oa.session(conversation, user=…, tenant=…)`, `async with` and `@oa.session(…)` too.

    conversation: the id that the application has for it (`gen_ai.conversation.id`; never made up here). user: `user.id`. attributes: short texts,
    under the names given. They reach threads, executors and processes, and, as W3C baggage, other services: nothing secret belongs here; credentials are
    redacted.
    """

    def __init__(self, conversation: str | None = None, /, *, user: str | None = None, **attributes: Any) -> None:
        given = {names.CONVERSATION_ID: conversation, names.USER_ID: user, **attributes}
        texts = {name: value if type(value) is str else str(plain(value)) for name, value in given.items() if value is not None}
        self._attributes = {fit_to_send(name): fit_to_send(value) for name, value in texts.items()}
        self._entered: list[tuple[Context, Context]] = []

    def __call__(self, function: F) -> F:
        """The function, whatever its colour; each of its calls belongs to this conversation."""
        return around(function, Within(self.over))  # type: ignore[return-value,arg-type]  # the same signature; a stretch is all that `around` needs

    def over(self, context: Context) -> Context:
        """The context with this session in it."""
        with guard("session"):
            return with_session(context, self._attributes)
        return context

    def __enter__(self) -> session:
        before = get_current()
        ours = self.over(before)
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
def fit_to_send(text: str) -> str:
    """The text without a credential: every service that the program calls may get it."""
    from otel_agents.redaction.by_shape import credential_free  # its tables are needed with the first session, not with the first look at us

    return credential_free(text)


class Within:
    """The plan of a decorated function: each of its calls runs within the session."""

    __slots__ = ("_over",)

    def __init__(self, over: Callable[[Context], Context]) -> None:
        self._over = over

    def begin(self, call: Call) -> Stretch:
        return Stretch(self._over(get_current()))

    def end(self, stretch: Stretch, call: Call, result: Any) -> Any:
        return result


class Stretch:
    """A stretch of a function's run that has a context of its own, and nothing else to begin or end."""

    __slots__ = ("context",)

    def __init__(self, context: Context) -> None:
        self.context = context

    def chunk(self) -> None:
        """Nothing is counted."""

    def stop(self, outcome: str = "ok") -> None:
        """Nothing ends."""

    def fail(self, error: BaseException) -> None:
        """Nothing ends."""
