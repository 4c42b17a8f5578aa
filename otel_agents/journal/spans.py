"""Where the engine's spans begin and end: at any provider's tracer through the API, or, where only our journal is behind a provider of ours, as lean spans.

A lean span is the SDK's span without the parts that are rarely asked for (its lock, its bounded attributes, its lists): it is made whole, by the SDK's own
constructor, the moment somebody asks for one. A span that nobody touched becomes its line straight from what the engine knows.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, Tracer, TracerProvider, sampling
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_agents.journal import values
from otel_agents.journal.encode import Lines, Tail, span_head
from otel_agents.journal.sizes import dumped
from otel_agents.otlp import signals
from otel_agents.sdk.internals import SPAN, held, missed

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TraceState
    from opentelemetry.trace import Tracer as ApiTracer

    from otel_agents.journal.fragments import SpanHead
    from otel_agents.journal.processors import Append

HEAD = signals.HEAD["traces"]
SAMPLED = int(TraceFlags.SAMPLED)
RANDOM = int(getattr(TraceFlags, "RANDOM_TRACE_ID", 0))
FLAGS = tuple(TraceFlags(number) for number in range(4))
MAX_ATTRIBUTES = 128  # of an item, the SDK's default; it drops and counts further ones, so items with more are left to it
DROPPED, RECORDED = sampling.Decision.DROP, sampling.Decision.RECORD_AND_SAMPLE
EXCEPTION_ESCAPED = "exception.escaped"
FAILED: values.Json = {"code": StatusCode.ERROR.value}


class Spans:
    """Spans of a tracer, by the API alone."""

    def __init__(self, tracer: ApiTracer) -> None:
        self._tracer = tracer

    def start(self, name: str, context: Context, kind: SpanKind, attributes: Mapping[str, Any], start_time: int) -> Span:
        """Start a span below the context's."""
        return self._tracer.start_span(name, context, kind, attributes, start_time=start_time)

    def end(self, span: Span, initial_attributes: Mapping[str, Any], attributes: Mapping[str, Any], name: str | None, error: str | None, end_time: int) -> None:
        """Set what is new in one call, and end it."""
        span.set_attributes({key: value for key, value in attributes.items() if initial_attributes.get(key) is not value})
        if name is not None:
            span.update_name(name)
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(end_time)


class Look(Protocol):
    """How values of the program are read: none of its code is run, and what is read has limits."""

    def read(self, value: Any, name: str = "") -> Any:
        """The value as plain data."""

    def exception(self, error: BaseException) -> dict[str, Any]:
        """Type, message and stack of an exception as attributes."""


class LeanSpan(SdkSpan):
    """The SDK's span, made whole when first needed. What a program sets on it is read before the SDK sees it, which would run the program's code."""

    is_whole = False  # whether somebody has asked for more than it is made of
    lean_end: int | None = None

    def __init__(self, maker: LeanSpans, head: SpanHead, initial_attributes: Mapping[str, Any] | None) -> None:
        self.maker, self.head, self.initial = maker, head, initial_attributes

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there, which are the SDK's own attributes."""
        if self.is_whole or name.startswith("__") or name in OURS:
            raise AttributeError(name)
        self._make_whole()
        return getattr(self, name)

    def _make_whole(self) -> None:
        with WHOLE:
            if not self.is_whole:
                vars(self).update(self.maker.whole(self))
                self.is_whole = True

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        super().set_attributes(self._readable(attributes))

    def set_attribute(self, key: str, value: Any) -> None:
        super().set_attributes(self._readable({key: value}))

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        super().add_event(name, self._readable(attributes), timestamp)

    def record_exception(
        self, exception: BaseException, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        look = self.maker.look
        if look is None:
            return super().record_exception(exception, attributes, timestamp, escaped)
        given = {**look.exception(exception), EXCEPTION_ESCAPED: "True" if escaped else "False"}
        self.add_event("exception", {**given, **self._readable(attributes)}, timestamp)

    def _readable(self, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        look = self.maker.look
        given = attributes or {}
        return dict(given) if look is None else {key: look.read(value, key) for key, value in given.items() if type(key) is str}

    def get_span_context(self) -> SpanContext:
        context: SpanContext = self.head[1]
        return context

    def is_recording(self) -> bool:
        return self.lean_end is None and (not self.is_whole or super().is_recording())


OURS = ("maker", "head", "initial")  # missing only in copies that are being made
WHOLE = threading.Lock()  # held while a span is made whole, which calls nothing of the program's


class WholeSpan(SdkSpan):
    """The SDK's span; its own class can't be instantiated."""


class LeanSpans(Spans):
    """Spans of a provider of ours. As soon as it has another processor than ours, they are the SDK's."""

    def __init__(self, provider: TracerProvider, tracer: Tracer, scope: InstrumentationScope, lines: Lines, append: Append, look: Look | None = None) -> None:
        super().__init__(tracer)
        self.look = look
        self._sdk, self._scope, self._lines, self._append = tracer, scope, lines, append
        self._limits = SpanLimits()
        self._fragments, self._tail = lines.fragments, Tail(lines, "traces", scope)
        self._processors = held("traces", provider)
        self._ours = self._processors()
        self._ids, self._sampler = provider.id_generator, provider.sampler
        self._keeps_all = self._sampler is sampling.DEFAULT_ON
        self._random = RANDOM if RANDOM and self._ids.is_trace_id_random() else 0

    def whole(self, span: LeanSpan) -> dict[str, Any]:
        """The attributes that the SDK's constructor and methods give a span as it is now."""
        name, context, parent, kind, start_time = span.head
        mute = SpanProcessor()
        made = WholeSpan(
            name=name,
            context=context,
            parent=parent,
            sampler=self._sampler,
            resource=self._sdk.resource,
            attributes=span.initial,
            kind=kind,
            span_processor=mute,
            limits=self._limits,
            instrumentation_scope=self._scope,
        )
        made.start(start_time)
        if span.lean_end is not None:
            made.end(span.lean_end)
        return {name: self._sdk.span_processor if value is mute else value for name, value in vars(made).items()}

    def is_possible(self) -> bool:
        """Whether this release's span can be made whole late; what a lean span lacks then are names that have changed."""
        context = SpanContext(1, 1, is_remote=False)
        span = LeanSpan(self, ("lean", context, None, SpanKind.INTERNAL, 1), {"a": 1})
        try:
            span.update_name("whole")
            span.set_attribute("b", 2)
            found = (span.is_whole, span.name, span.start_time, dict(span.attributes or {}), span.get_span_context() is context, span.is_recording())
        except (AttributeError, TypeError) as error:
            missed(f"lean span ({error})")
            return False
        return found == (True, "whole", 1, {"a": 1, "b": 2}, True, True)

    def start(self, name: str, context: Context, kind: SpanKind, attributes: Mapping[str, Any], start_time: int) -> Span:
        """Start a span below the context's."""
        if self._processors() is not self._ours:
            return super().start(name, context, kind, attributes, start_time)
        above: Any = context.get(SPAN)
        parent = None if above is None else above.get_span_context()
        if parent is None or not parent.is_valid:
            parent, trace_id, flags, state = None, self._ids.generate_trace_id(), SAMPLED, None
        else:
            trace_id, _, _, flags, state, _ = parent
        initial_attributes: Mapping[str, Any] | None = attributes
        sampled, recording = SAMPLED, True
        if not (self._keeps_all and flags & SAMPLED):
            sampled, recording, state, initial_attributes = self._decided(context, trace_id, name, kind, attributes)
        random = self._random if parent is None else flags & RANDOM
        ids = SpanContext(trace_id, self._ids.generate_span_id(), False, FLAGS[sampled | random], state)
        return LeanSpan(self, (name, ids, parent, kind, start_time), initial_attributes) if recording else NonRecordingSpan(ids)

    def _decided(
        self, context: Context, trace_id: int, name: str, kind: SpanKind, attributes: Mapping[str, Any]
    ) -> tuple[int, bool, TraceState | None, Mapping[str, Any] | None]:
        """Whether it is sampled, whether it is recorded, the trace's state, and the attributes that it starts with: the sampler may add some."""
        result = self._sampler.should_sample(context, trace_id, name, kind, attributes, ())
        decision = result.decision
        return SAMPLED if decision is RECORDED else 0, decision is not DROPPED, result.trace_state, result.attributes

    def end(self, span: Span, initial_attributes: Mapping[str, Any], attributes: Mapping[str, Any], name: str | None, error: str | None, end_time: int) -> None:
        """Write its line; where somebody else has touched it or processes it, leave that to the SDK."""
        if type(span) is not LeanSpan or span.is_whole or len(attributes) > MAX_ATTRIBUTES or self._processors() is not self._ours:
            return super().end(span, initial_attributes, attributes, name, error, end_time)
        if name is not None:
            span.head = (name, *span.head[1:])
        span.lean_end = end_time
        if span.head[1][3] & SAMPLED:
            self._append(
                "traces", self._line(span, end_time, attributes if span.initial is initial_attributes else {**(span.initial or {}), **attributes}, error)
            )

    def _line(self, span: LeanSpan, end_time: int, attributes: Mapping[str, Any], error: str | None) -> bytes:
        item = self._fragments.span(span.head, end_time, attributes) if error is None else None
        return b"".join((HEAD, item or self._from_data(span, end_time, attributes, error), self._tail.of(self._sdk.resource)))

    def _from_data(self, span: LeanSpan, end_time: int, attributes: Mapping[str, Any], error: str | None) -> bytes:
        redact = self._lines.redact
        record = span_head(span.head, end_time, redact)
        record["attributes"] = values.attributes(attributes, redact)
        record["status"] = {} if error is None else {**FAILED, "message": values.words(error, redact)} if error else FAILED
        return dumped(record)


def follows_parent(sampler: Any) -> bool:
    """Whether what is below an unsampled span is surely not sampled either."""
    return sampler is sampling.ALWAYS_OFF or isinstance(sampler, sampling.ParentBased)
