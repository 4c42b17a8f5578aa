"""session(): what is said once and stands on every span, log record and event below: the conversation, the user, attributes of the program's own."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from otel_agents import semconv as names
from otel_agents.telemetry.context import Context, get_current, restore, swap, with_session
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.values import plain


class session:  # noqa: N801 - read as a word where it stands: `with oa.session("order-17", user="ann"):`
    """Everything inside belongs to this conversation: `with oa.session(conversation, user=…, tenant=…)`, `async with` and `@oa.session(…)` too.

    conversation: the id that the application has for it (`gen_ai.conversation.id`; never made up here). user: `user.id`. attributes: short texts, under the names
    given. They reach threads, executors and processes, and, as W3C baggage, other services: nothing secret belongs here.
    """

    def __init__(self, conversation: str | None = None, /, *, user: str | None = None, **attributes: Any) -> None:
        given = {names.CONVERSATION_ID: conversation, names.USER_ID: user, **attributes}
        self._attributes = {name: value if type(value) is str else str(plain(value)) for name, value in given.items() if value is not None}
        self._entered: list[tuple[Context, Context]] = []

    def __enter__(self) -> session:
        ours = before = get_current()
        with guard("session"):
            ours = with_session(before, self._attributes)
        swap(ours)
        self._entered.append((before, ours))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        restore(*self._entered.pop())

    async def __aenter__(self) -> session:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.__exit__(kind, error, trace)
