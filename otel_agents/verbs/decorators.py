"""The decorators @agent @workflow @step @tool @llm @embedding @retriever @memory @plan @evaluator @guardrail: each call or block is an operation.

Each can be used bare (`@oa.agent`), with arguments (`@oa.agent(name="researcher")`) and as a block (`with oa.agent("researcher") as run:` or `async with`), on
sync and async functions and generators, methods, static and class methods, properties, partials, callable objects, and classes (on their entry methods).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar, overload

from otel_agents import semconv as names
from otel_agents.telemetry.calls import Call, around
from otel_agents.telemetry.context import Context, reset_if_current, set_current
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.kinds import KINDS, Kind
from otel_agents.telemetry.operations import NOOP, Operation, begin
from otel_agents.verbs.capture import Subject
from otel_agents.verbs.table import ROWS, Row

F = TypeVar("F", bound=Callable[..., Any])
ENTRIES = ("__call__", "run", "arun", "invoke", "ainvoke", "stream", "astream", "execute", "aexecute", "kickoff")


class Decorator:
    """One of the verbs. Called with a function or class it returns that, observed; called with a name and options it returns a `Scope`."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.__doc__ = row.doc
        self.__name__ = row.verb

    @overload
    def __call__(self, function: F, /) -> F: ...

    @overload
    def __call__(self, name: str | None = None, /, **options: Any) -> Scope: ...

    def __call__(self, subject: Any = None, /, **options: Any) -> Any:
        if subject is None or type(subject) is str:
            return Scope(self._row, subject, options)
        return Scope(self._row, None, options)(subject)

    def __repr__(self) -> str:
        return f"<otel_agents.{self._row.verb}>"


class Scope:
    """A verb with its options: a decorator and a context manager."""

    __slots__ = ("_before", "_entered", "_fields", "_kind", "_name", "_row")

    def __init__(self, row: Row, name: str | None, options: Mapping[str, Any]) -> None:
        self._row = row
        self._kind, self._name, self._fields = row.parse(name, options)
        self._entered: list[tuple[Operation, Context, Context]] = []

    def __call__(self, subject: F) -> F:
        """The function or class, observed."""
        return _decorated(subject, self._row, self._kind, self._name, self._fields)  # type: ignore[no-any-return]  # the same type as the argument

    def __enter__(self) -> Operation:
        operation = self._begin() if engine.on else None
        if operation is None:
            self._entered.append((NOOP, NOOP.context, NOOP.context))
            return NOOP
        ours = operation.context
        self._entered.append((operation, set_current(ours), ours))
        return operation

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        operation, before, ours = self._entered.pop()
        if operation is not NOOP:
            reset_if_current(before, ours)
            operation.stop() if error is None else operation.fail(error)

    async def __aenter__(self) -> Operation:
        return self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.__exit__(kind, error, trace)

    def _begin(self) -> Operation | None:
        with guard("begin a block"):
            return begin(self._kind, self._row.named(self._fields, self._name), transparent=self._kind.is_model)
        return None


class Observed:
    """The plan for a decorated function."""

    __slots__ = ("_fields", "_kind", "_row", "subject")

    def __init__(self, row: Row, kind: Kind, fields: Mapping[str, Any], subject: Subject) -> None:
        self._row, self._kind, self._fields, self.subject = row, kind, fields, subject

    def begin(self, call: Call) -> Operation | None:
        with guard("begin"):
            operation = begin(self._kind, self._fields, transparent=self._kind.is_model)
            if operation is not None:
                with guard("read arguments"):
                    self._row.before(operation, self.subject, call)
            return operation
        return None

    def end(self, operation: Operation, call: Call, result: Any) -> Any:
        with guard("read result"):
            self._row.after(operation, self.subject, result)
        operation.stop()
        return result


def _decorated(subject: Any, row: Row, kind: Kind, name: str | None, fields: Mapping[str, Any]) -> Any:
    decorate = functools.partial(_decorated, row=row, kind=kind, name=name, fields=fields)
    if isinstance(subject, staticmethod | classmethod):
        return type(subject)(decorate(subject.__func__))
    if isinstance(subject, property):
        getter, setter, deleter = (decorate(part) if part else None for part in (subject.fget, subject.fset, subject.fdel))
        return property(getter, setter, deleter, subject.__doc__)
    if isinstance(subject, functools.cached_property):
        return functools.cached_property(decorate(subject.func))
    if isinstance(subject, functools.partialmethod):
        return functools.partialmethod(decorate(subject.func), *subject.args, **subject.keywords)
    if isinstance(subject, type):
        return _decorated_class(subject, row, kind, name, fields)
    if not callable(subject):
        raise TypeError(f"@oa.{row.verb} decorates a function, a method or a class, not {type(subject).__name__}; for a block use `with oa.{row.verb}(name):`")
    described = Subject(subject, name or _own_name(subject))
    wrapped = around(subject, Observed(row, kind, row.named(fields, described.name, described.description), described))
    return row.finish(wrapped, described)


def _decorated_class(subject: type, row: Row, kind: Kind, name: str | None, fields: Mapping[str, Any]) -> type:
    """The same class with its entry methods observed: those of `ENTRIES` that it defines, else all public ones."""
    own = {key: value for key, value in vars(subject).items() if callable(value) or isinstance(value, staticmethod | classmethod)}
    entries = [key for key in ENTRIES if key in own] or [key for key, value in own.items() if not key.startswith("_") and not isinstance(value, type)]
    if not entries:
        raise TypeError(f"@oa.{row.verb} finds no method to observe in class {subject.__qualname__}; give it one of {', '.join(ENTRIES)}, or decorate a method")
    for key in entries:
        setattr(subject, key, _decorated(own[key], row, kind, name or subject.__name__, fields))
    return subject


def _own_name(subject: Any) -> str:
    while isinstance(subject, functools.partial):
        subject = subject.func
    return getattr(subject, "__name__", None) or type(subject).__name__


agent, workflow, step, tool, llm, embedding, retriever, memory, plan, evaluator, guardrail = (Decorator(row) for row in ROWS)
__all__ = ["KINDS", "agent", "embedding", "evaluator", "guardrail", "llm", "memory", "names", "plan", "retriever", "step", "tool", "workflow"]
