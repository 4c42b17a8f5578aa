"""Operation: one thing that an agent does, started once and ended exactly once.

The only place that starts and ends spans. Attributes known at the start are given to the sampler; the others are collected and set in one call at the end.
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
        """Collect attributes for the end of the span; None means absent."""
        kept = self.fields
        for name, value in fields.items():
            if value is not None:
                kept[name] = value

    def capture(self, content: Mapping[str, Any]) -> None:
        """Collect content, as far as the policy allows, for events and, if enabled, the span."""
        if engine.policy is not None and engine.policy.captures and self.span.is_recording():
            self.captured.update(engine.policy.content(content))

    def chunk(self) -> None:
        """Take the time of one more chunk of a streamed response."""
        self._chunks.append(perf_counter_ns())

    def chunk_seconds(self) -> list[float]:
        """Seconds from the request to the first chunk, then between chunks."""
        if not self._chunks:
            return []
        edges = [self._started, *self._chunks]
        return [(later - earlier) / 1e9 for earlier, later in pairwise(edges)]

    def agent_name(self) -> str | None:
        """The name of the agent that this is or that performs this."""
        agent = self if self.kind.is_agent else self.agent
        return agent.fields.get(names.AGENT_NAME) if agent is not None else None

    def labelled(self) -> Mapping[str, Any]:
        """The attributes with the agent's name among them, as metrics need them."""
        agent = None if names.AGENT_NAME in self.fields else self.agent_name()
        return {**self.fields, names.AGENT_NAME: agent} if agent is not None else self.fields

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._once.locked()

    def stop(self, outcome: str = "ok") -> None:
        """End without an exception. Only the first end counts."""
        with guard("end an operation"):
            if self._once.acquire(blocking=False):
                self.outcome = outcome
                self._finish()

    def fail(self, error: BaseException) -> None:
        """End with this exception: as an error, or cancelled or interrupted if that is what it means."""
        with guard("end an operation"):
            if self._once.acquire(blocking=False):
                self.outcome = outcome_of(error)
                if self.outcome == "error":
                    self.error = error
                    self.fields[names.ERROR_TYPE] = error_type(error)
                self._finish()

    def _finish(self) -> None:
        if self._started < engine.forked_at:  # inherited by a fork: the parent process ends it
            return
        self.nanoseconds = perf_counter_ns() - self._started
        if self.span.is_recording():
            each(RECORDED, self)
        elif engine.instruments is not None:
            each(MEASURED, self)
        if engine.on_root_end is not None and (self.parent is None or self.parent._started < engine.forked_at):
            engine.on_root_end()
        self.error = None  # its traceback references the frame that references us: a reference cycle
        if self.context.get(OPERATION) is self:  # break the reference cycle of operation and context
            self.context = Context({**self.context, OPERATION: None})

    def start_span(self, context: Context) -> None:
        """Start the span as a child in this context, with the attributes known so far."""
        self._initial_attributes = self.fields.copy()
        self.span = _spans().start(self.kind.span_name(self._initial_attributes), context, self.kind.span, self._initial_attributes, self.started)

    def _measure(self) -> None:
        if engine.instruments is not None and self.kind.measure is not None:
            self.kind.measure(engine.instruments, self, self.nanoseconds / 1e9)

    def _end_span(self) -> None:
        policy, initial, named_by = engine.policy, self._initial_attributes, self.kind.named_by
        if self.outcome != "ok":
            self.fields[names.OA_OUTCOME] = self.outcome
        content = for_span(self.captured) if self.captured and policy is not None and policy.spans else NOTHING
        name = self.kind.span_name(self.fields) if self.fields.get(named_by) is not initial.get(named_by) else None
        error = policy.message(self.error) if self.error is not None and policy is not None else None
        _spans().end(self.span, initial, {**self.fields, **content} if content else self.fields, name, error, self.started + self.nanoseconds)


MEASURED: Steps = (("finish", lambda operation: operation.kind.finish(operation)), ("measure", Operation._measure))
RECORDED: Steps = (*MEASURED, *events.AT_END, ("end an operation", Operation._end_span))


class Absorbed(Operation):
    """A model call inside a model call: without span or metrics of its own; its attributes complete the outer one."""

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
    """An operation that is neither sampled nor measured: only its context matters."""

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
    """The no-op operation that `oa.current()` returns outside of operations."""

    __slots__ = ()

    def set(self, fields: Mapping[str, Any]) -> None:
        return None

    def _finish(self) -> None:
        return None


NOOP = NoopOperation(KINDS["step"], {}, None)
NOOP.span, NOOP.context = INVALID_SPAN, Context()


def current() -> Operation:
    """The current operation; outside of operations a no-op one."""
    running = get_current().get(OPERATION)
    return running if isinstance(running, Operation) and not running.ended else NOOP


def _spans() -> Spans:
    """The pipeline's spans; `begin` has made sure that they exist."""
    assert engine.spans is not None
    return engine.spans


# ------------------------------------------------------------------------------------------------ start


def begin(kind: Kind, fields: Mapping[str, Any], *, transparent: bool = False) -> Operation | None:
    """Start an operation as a child of the current one; None if there is nothing to observe.

    fields: attributes for the sampler, None for absent ones. transparent: a model call inside this one completes it (a decorated function that calls a
    client) instead of being ignored (a client built on another).
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
    """Start an operation without a parent if nothing is measured: unsampled, it needs nothing but a context."""
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
    """Whether `begin` would start an operation; saves reading the request if not."""
    return _open(kind) is not None


def _open(kind: Kind) -> Context | None:
    """The context to start an operation in; None if there is nothing to observe."""
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
    """Whether an operation of this kind would be a model call inside a model call."""
    return kind.is_model and outer.kind.is_model and not outer.ended


def _absorbed(kind: Kind, outer: Operation, context: Context) -> Operation:
    inner = Absorbed(kind, {}, outer)
    inner.span, inner.context = outer.span, context
    return inner


def _unsampled(context: Context) -> Span | None:
    """The parent span if its children are not sampled either: they need no span and no context of their own."""
    span = context.get(SPAN)
    if type(span) is not NonRecordingSpan or not engine.follows_parent:
        return None
    parent = span.get_span_context()
    return span if not parent.trace_flags & TraceFlags.SAMPLED and parent.is_valid and not parent.is_remote else None


def _place(operation: Operation, context: Context, unsampled: Span | None) -> None:
    """Set the operation's span and context."""
    if unsampled is not None:
        operation.span = unsampled
    else:
        operation.session = session_of(context)
        if operation.session:
            operation.fields.update(operation.session)
        operation.start_span(context)
    is_context_kept = unsampled is not None and not (operation.kind.is_agent or operation.kind.is_model)  # the children of these look them up
    operation.context = context if is_context_kept else Context({**context, SPAN: operation.span, OPERATION: operation})
    if operation.kind.is_agent:
        _start_run(operation)


def _start_run(operation: Operation) -> None:
    if engine.instruments is not None:
        with guard("measure"):
            metrics.measure_start_of_run(engine.instruments, operation)
    if operation.span.is_recording():
        events.run_started(operation)


__all__ = ["KINDS", "NOOP", "Kind", "Operation", "begin", "current", "would_begin"]
