"""Operation: one thing an agent does, started once, ended exactly once.

The only place that starts and ends spans. What is known at the start is given to the sampler; the rest is kept and set in one call at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import pairwise
from time import perf_counter_ns, time_ns
from typing import Any

from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Span, TraceFlags

from otel_agents import semconv as names
from otel_agents.telemetry import events, metrics
from otel_agents.telemetry.content import for_span
from otel_agents.telemetry.context import NOTHING, OPERATION, SPAN, SUPPRESSED, Context, get_current, session_of
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import Steps, each, guard
from otel_agents.telemetry.kinds import KINDS, Kind
from otel_agents.telemetry.outcomes import error_type, outcome_of
from otel_agents.telemetry.seams import Spans
from otel_agents.telemetry.setters import Setters


class Operation(Setters):
    """One running operation; `oa.current()` gives it to the program (its typed setters: setters.py)."""

    __slots__ = (
        "_chunks",
        "_initial_attributes",
        "_once",
        "_started",
        "agent",
        "captured",
        "context",
        "error",
        "fields",
        "inferences",
        "kind",
        "loops",
        "nanoseconds",
        "outcome",
        "parent",
        "session",
        "signature",
        "span",
        "started",
        "tools",
        "transparent",
    )  # fmt: skip

    span: Span
    context: Context

    def __init__(self, kind: Kind, fields: dict[str, Any], parent: Operation | None) -> None:
        self.kind = kind
        self.fields = fields
        self.parent = parent
        self.agent: Operation | None = None if parent is None else parent if parent.kind.is_agent else parent.agent
        self.session: Mapping[str, Any] = NOTHING
        self.captured: dict[str, Any] = {}
        self.signature: int | None = None
        self.loops = False
        self.transparent = False
        self.outcome = "ok"
        self.error: BaseException | None = None
        self.inferences: list[Mapping[str, Any]] = []
        self.tools: list[int | None] = []
        self._chunks: list[int] = []
        self._initial_attributes: Mapping[str, Any] = NOTHING
        self._once = threading.Lock()
        self.started = time_ns()
        self._started = perf_counter_ns()

    def set(self, fields: Mapping[str, Any]) -> None:
        """Keep attributes for the span's end; those that are None are absent."""
        kept = self.fields
        for name, value in fields.items():
            if value is not None:
                kept[name] = value

    def capture(self, content: Mapping[str, Any]) -> None:
        """Keep content, as far as the policy lets it through, for the events and, if asked for, the span."""
        if engine.policy is not None and engine.policy.captures and self.span.is_recording():
            self.captured.update(engine.policy.content(content))

    def chunk(self) -> None:
        """One more chunk of a streamed response has come."""
        self._chunks.append(perf_counter_ns())

    def chunk_seconds(self) -> list[float]:
        """Seconds from the request to the first chunk, then from each chunk to the next."""
        if not self._chunks:
            return []
        edges = [self._started, *self._chunks]
        return [(later - earlier) / 1e9 for earlier, later in pairwise(edges)]

    def agent_name(self) -> str | None:
        """The agent that runs, or does this."""
        doer = self if self.kind.is_agent else self.agent
        return doer.fields.get(names.AGENT_NAME) if doer is not None else None

    def labelled(self) -> Mapping[str, Any]:
        """The attributes, with the agent that does this: what metrics and events also carry."""
        agent = None if names.AGENT_NAME in self.fields else self.agent_name()
        return {**self.fields, names.AGENT_NAME: agent} if agent is not None else self.fields

    @property
    def ended(self) -> bool:
        """Whether its end has come."""
        return self._once.locked()

    def stop(self, outcome: str = "ok") -> None:
        """End well. Only the first of all ends counts."""
        with guard("end an operation"):
            if self._once.acquire(blocking=False):
                self.outcome = outcome
                self._finish()

    def fail(self, error: BaseException) -> None:
        """End with this exception: an error, or, where it means that, cancelled or interrupted."""
        with guard("end an operation"):
            if self._once.acquire(blocking=False):
                self.outcome = outcome_of(error)
                if self.outcome == "error":
                    self.error = error
                    self.fields[names.ERROR_TYPE] = error_type(error)
                self._finish()

    def _finish(self) -> None:
        if self._started < engine.forked_at:  # a fork inherited it: the parent ends it, once
            return
        self.nanoseconds = perf_counter_ns() - self._started
        if self.span.is_recording():
            each(RECORDED, self)
        elif engine.instruments is not None:
            each(MEASURED, self)
        if engine.on_root_end is not None and (self.parent is None or self.parent._started < engine.forked_at):
            engine.on_root_end()
        self.error = None  # its traceback holds the frame that holds us: a circle
        if self.context.get(OPERATION) is self:  # a circle that the collector would have to find: the context holds the operation, and that its context
            self.context = Context({**self.context, OPERATION: None})

    def start_span(self, context: Context) -> None:
        """Start the span below this context, with what is known by now."""
        self._initial_attributes = self.fields.copy()
        self.span = _spans().start(self.kind.span_name(self._initial_attributes), context, self.kind.span, self._initial_attributes, self.started)

    def _measure(self) -> None:
        if engine.instruments is not None and self.kind.measure is not None:
            self.kind.measure(engine.instruments, self, self.nanoseconds / 1e9)

    def _end_span(self) -> None:
        policy, initial, about = engine.policy, self._initial_attributes, self.kind.named_by
        if self.outcome != "ok":
            self.fields[names.OA_OUTCOME] = self.outcome
        content = for_span(self.captured) if self.captured and policy is not None and policy.spans else NOTHING
        name = self.kind.span_name(self.fields) if self.fields.get(about) is not initial.get(about) else None
        error = policy.message(self.error) if self.error is not None and policy is not None else None
        _spans().end(self.span, initial, {**self.fields, **content} if content else self.fields, name, error, self.started + self.nanoseconds)


MEASURED: Steps = (("finish", lambda operation: operation.kind.finish(operation)), ("measure", Operation._measure))
RECORDED: Steps = (*MEASURED, *events.AT_END, ("end an operation", Operation._end_span))


class Absorbed(Operation):
    """A model call inside a model call: no span and no count of its own; what it learns goes to the outer one."""

    __slots__ = ()

    def chunk(self) -> None:
        if self.parent is not None:
            self.parent.chunk()

    def capture(self, content: Mapping[str, Any]) -> None:
        if self.parent is not None:
            self.parent.capture({name: value for name, value in content.items() if name not in self.parent.captured})

    def _finish(self) -> None:
        if self.parent is not None and self.outcome == "ok":
            for name, value in self.fields.items():
                self.parent.fields.setdefault(name, value)


class Unrecorded(Operation):
    """One that the sampler left out, where nothing is measured either: only its context counts."""

    __slots__ = ()

    def __init__(self, kind: Kind, span: Span, context: Context) -> None:
        self.kind, self.span, self.context = kind, span, context
        self.fields, self.agent, self.parent = {}, None, None

    @property
    def ended(self) -> bool:
        return True

    def set(self, fields: Mapping[str, Any]) -> None:
        return None

    def capture(self, content: Mapping[str, Any]) -> None:
        return None

    def chunk(self) -> None:
        return None

    def stop(self, outcome: str = "ok") -> None:
        return None

    def fail(self, error: BaseException) -> None:
        return None


class NoopOperation(Operation):
    """What `oa.current()` gives where nothing runs: takes everything and does nothing."""

    __slots__ = ()

    def set(self, fields: Mapping[str, Any]) -> None:
        return None

    def _finish(self) -> None:
        return None


NOOP = NoopOperation(KINDS["step"], {}, None)
NOOP.span, NOOP.context = INVALID_SPAN, Context()


def current() -> Operation:
    """The operation that runs here; where none does, one that takes everything and does nothing."""
    running = get_current().get(OPERATION)
    return running if isinstance(running, Operation) and not running.ended else NOOP


def _spans() -> Spans:
    """Where spans begin and end, once `begin` has made sure that there is such a place."""
    assert engine.spans is not None
    return engine.spans


# ------------------------------------------------------------------------------------------------ start


def begin(kind: Kind, fields: Mapping[str, Any], *, transparent: bool = False) -> Operation | None:
    """Start an operation below the current one; None where there is nothing to observe.

    fields: attributes known now, for the sampler, with None for absent. transparent: a model call inside this one may complete it (a decorated function
    that calls a client), instead of being ignored (a client over a client).
    """
    context = _open(kind)
    if context is None:
        return None
    running = context.get(OPERATION)
    parent = running if isinstance(running, Operation) else None
    if parent is not None and _absorbs(parent, kind):
        return _absorbed(kind, parent, context)
    if parent is None and engine.instruments is None:
        return _root(kind, fields, context, transparent)
    operation = Operation(kind, kind.first(), parent)
    operation.set(fields)
    if kind.names_agent and (agent := operation.agent_name()) is not None:
        operation.fields.setdefault(names.AGENT_NAME, agent)
    operation.transparent = transparent
    _place(operation, context, _unsampled(context))
    return operation


def _root(kind: Kind, fields: Mapping[str, Any], context: Context, transparent: bool) -> Operation:
    """Start an operation without one above where nothing is measured: the sampler may spare it everything but its context."""
    initial = kind.first() | {name: value for name, value in fields.items() if value is not None}
    session = session_of(context) if context else NOTHING
    if session:
        initial.update(session)
    started = time_ns()
    span = _spans().start(kind.span_name(initial), context, kind.span, initial, started)
    if not span.is_recording():
        return Unrecorded(kind, span, Context({**context, SPAN: span}))
    operation = Operation(kind, initial.copy(), None)
    operation.session, operation.transparent, operation.started = session, transparent, started
    operation.span, operation._initial_attributes = span, initial
    operation.context = Context({**context, SPAN: span, OPERATION: operation})
    if kind.is_agent:
        _start_run(operation)
    return operation


def would_begin(kind: Kind) -> bool:
    """Whether there is something to observe here, asked before a request is read for it."""
    return _open(kind) is not None


def _open(kind: Kind) -> Context | None:
    """The context that an operation may begin in; None where there is nothing to observe."""
    if engine.spans is None:
        engine.prepare()
    context = get_current()
    if engine.spans is None or context.get(SUPPRESSED):
        return None
    running = context.get(OPERATION)
    if isinstance(running, Operation) and _absorbs(running, kind):
        return context if running.transparent else None
    return context if engine.instruments is not None or _unsampled(context) is None else None


def _absorbs(outer: Operation, kind: Kind) -> bool:
    """Whether what begins is a model call inside a model call."""
    return kind.is_model and outer.kind.is_model and not outer.ended


def _absorbed(kind: Kind, outer: Operation, context: Context) -> Operation:
    inner = Absorbed(kind, {}, outer)
    inner.span, inner.context = outer.span, context
    return inner


def _unsampled(context: Context) -> Span | None:
    """The parent, where it decides for its children that they are not sampled: they need no span and no context of their own."""
    span = context.get(SPAN)
    if type(span) is not NonRecordingSpan or not engine.follows_parent:
        return None
    parent = span.get_span_context()
    return span if not parent.trace_flags & TraceFlags.SAMPLED and parent.is_valid and not parent.is_remote else None


def _place(operation: Operation, context: Context, unsampled: Span | None) -> None:
    """Give the operation its span and its context."""
    if unsampled is not None:
        operation.span = unsampled
    else:
        operation.session = session_of(context)
        if operation.session:
            operation.fields.update(operation.session)
        operation.start_span(context)
    quiet = unsampled is not None and not (operation.kind.is_agent or operation.kind.is_model)  # these two are still asked for: what counts goes to them
    operation.context = context if quiet else Context({**context, SPAN: operation.span, OPERATION: operation})
    if operation.kind.is_agent:
        _start_run(operation)


def _start_run(operation: Operation) -> None:
    if engine.instruments is not None:
        with guard("measure"):
            metrics.measure_start_of_run(engine.instruments, operation)
    if operation.span.is_recording():
        events.of_start(operation)


__all__ = ["KINDS", "NOOP", "Kind", "Operation", "begin", "current", "would_begin"]
