"""Where the engine's spans begin and end: at any provider's tracer by the API, or, where our journal is all that stands behind a provider of ours, leanly.

A lean span is the SDK's span without the parts that nobody may ever ask for (its lock, its bounded attributes, its lists), which it gets the moment somebody
does. One that nobody touched becomes its line straight from what the engine knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace import Tracer, TracerProvider, sampling
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation import _SPAN_KEY as SPAN

from otel_agents.journal import values
from otel_agents.journal.encode import Lines, Tail, span_head
from otel_agents.journal.sizes import dumped
from otel_agents.otlp import signals

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind, TraceState
    from opentelemetry.trace import Tracer as ApiTracer

    from otel_agents.journal.processors import Append

HEAD = signals.HEAD["traces"]
SAMPLED = int(TraceFlags.SAMPLED)
RANDOM = int(getattr(TraceFlags, "RANDOM_TRACE_ID", 0))
FLAGS = tuple(TraceFlags(number) for number in range(4))
MAX_ATTRIBUTES = 128  # attributes of an item, as the SDK has it; further ones are its to drop and to count
DROPPED, RECORDED = sampling.Decision.DROP, sampling.Decision.RECORD_AND_SAMPLE
UNSET = Status(StatusCode.UNSET)
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
    """How values of the program are looked at: nothing of their own is run, and what is read has its limits."""

    def read(self, value: Any, name: str = "") -> Any:
        """The value as plain data."""

    def exception(self, error: BaseException) -> dict[str, Any]:
        """Type, message and stack of an exception as attributes."""


class LeanSpan(SdkSpan):
    """The SDK's span; what it lacks of it is made when first asked for. What a program sets on it is read before the SDK sees it, which would run its code."""

    _end_time: int | None = None
    _status = UNSET
    _record_exception = _set_status_on_exception = True
    _record_end_metrics = _instrumentation_info = None

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        initial_attributes: Mapping[str, Any] | None,
        start_time: int,
        look: Look | None = None,
    ) -> None:
        self._look = look
        self._tracer, self._name, self._context, self._parent = tracer, name, context, parent
        self._kind, self._initial, self._start_time = kind, initial_attributes, start_time

    def __getattr__(self, name: str) -> Any:
        make = LATE.get(name)
        if make is None:
            raise AttributeError(name)
        return self.__dict__.setdefault(name, make(self))

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        super().set_attributes(self._readable(attributes))

    def set_attribute(self, key: str, value: Any) -> None:
        super().set_attributes(self._readable({key: value}))

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        super().add_event(name, self._readable(attributes), timestamp)

    def record_exception(
        self, exception: BaseException, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        if self._look is None:
            return super().record_exception(exception, attributes, timestamp, escaped)
        given = {**self._look.exception(exception), EXCEPTION_ESCAPED: "True" if escaped else "False"}
        self.add_event("exception", {**given, **self._readable(attributes)}, timestamp)

    def _readable(self, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        look = self._look
        given = attributes or {}
        return dict(given) if look is None else {key: look.read(value, key) for key, value in given.items() if type(key) is str}

    def get_span_context(self) -> SpanContext:
        return self._context  # type: ignore[return-value]  # ours always have one

    @property
    def is_touched(self) -> bool:
        """Whether somebody has changed it by the SDK's own methods: each of them takes its lock."""
        return "_lock" in self.__dict__


LATE: Mapping[str, Callable[[LeanSpan], Any]] = {
    "_lock": lambda span: threading.Lock(),
    "_attributes": lambda span: BoundedAttributes(
        span._limits.max_span_attributes, span._initial, immutable=False, max_value_len=span._limits.max_span_attribute_length
    ),
    "_events": lambda span: BoundedList(span._limits.max_events),
    "_links": lambda span: BoundedList(span._limits.max_links),
    "_limits": lambda span: span._tracer._span_limits,
    "_sampler": lambda span: span._tracer.sampler,
    "_resource": lambda span: span._tracer.resource,
    "_span_processor": lambda span: span._tracer.span_processor,
    "_instrumentation_scope": lambda span: span._tracer._instrumentation_scope,
}


class LeanSpans(Spans):
    """Spans of a provider of ours. As soon as it has another processor than ours, they are the SDK's."""

    def __init__(self, provider: TracerProvider, tracer: Tracer, lines: Lines, append: Append, look: Look | None = None) -> None:
        super().__init__(tracer)
        self._look = look
        self._sdk, self._lines, self._append = tracer, lines, append
        self._fragments, self._tail = lines.fragments, Tail(lines, "traces", tracer._instrumentation_scope)
        self._composite = provider._active_span_processor
        self._ours = self._composite._span_processors
        self._ids, self._sampler = provider.id_generator, provider.sampler
        self._keeps_all = self._sampler is sampling.DEFAULT_ON
        self._random = RANDOM if RANDOM and self._ids.is_trace_id_random() else 0

    @property
    def _is_alone(self) -> bool:
        return self._composite._span_processors is self._ours

    def start(self, name: str, context: Context, kind: SpanKind, attributes: Mapping[str, Any], start_time: int) -> Span:
        """Start a span below the context's."""
        if not self._is_alone:
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
        return LeanSpan(self._sdk, name, ids, parent, kind, initial_attributes, start_time, self._look) if recording else NonRecordingSpan(ids)

    def _decided(
        self, context: Context, trace_id: int, name: str, kind: SpanKind, attributes: Mapping[str, Any]
    ) -> tuple[int, bool, TraceState | None, Mapping[str, Any] | None]:
        """Whether it is sampled, whether it is recorded, the trace's state, and the attributes that it starts with: the sampler may add some."""
        result = self._sampler.should_sample(context, trace_id, name, kind, attributes, ())
        decision = result.decision
        return SAMPLED if decision is RECORDED else 0, decision is not DROPPED, result.trace_state, result.attributes

    def end(self, span: Span, initial_attributes: Mapping[str, Any], attributes: Mapping[str, Any], name: str | None, error: str | None, end_time: int) -> None:
        """Write its line; where somebody else has a hand in it, leave that to the SDK."""
        if type(span) is not LeanSpan or span.is_touched or len(attributes) > MAX_ATTRIBUTES or not self._is_alone:
            return super().end(span, initial_attributes, attributes, name, error, end_time)
        span._name, span._end_time = name or span._name, end_time
        if span.get_span_context()[3] & SAMPLED:
            self._append("traces", self._line(span, attributes if span._initial is initial_attributes else {**(span._initial or {}), **attributes}, error))

    def _line(self, span: LeanSpan, attributes: Mapping[str, Any], error: str | None) -> bytes:
        item = self._fragments.span(span, attributes) if error is None else None
        return b"".join((HEAD, item or self._from_data(span, attributes, error), self._tail.of(self._sdk.resource)))

    def _from_data(self, span: LeanSpan, attributes: Mapping[str, Any], error: str | None) -> bytes:
        redact = self._lines.redact
        record = span_head(span, redact)
        record["attributes"] = values.attributes(attributes, redact)
        record["status"] = {} if error is None else {**FAILED, "message": values.words(error, redact)} if error else FAILED
        return dumped(record)


def follows_parent(sampler: Any) -> bool:
    """Whether what is below an unsampled span is surely not sampled either."""
    return sampler is sampling.ALWAYS_OFF or isinstance(sampler, sampling.ParentBased)
