"""Ended spans, log records and metrics → one OTLP/JSON line per item, redacted, sanitised and below 1 MiB.

A line is HEAD + item + tail + newline. The tail (scope and resource) is the same bytes for every item of one origin, so that the shipper recognises it
and sends it once per request. JSON mapping: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import INVALID_SPAN_CONTEXT

from otel_agents.journal.fragments import HAS_IS_REMOTE, IS_REMOTE, Fragments, SpanHead
from otel_agents.journal.points import metrics_of, series_of
from otel_agents.journal.sizes import SCHEMA_LIMIT, TAIL_LIMIT, dumped
from otel_agents.journal.values import Json, any_value, attributes, nanoseconds, words
from otel_agents.otlp.signals import HEAD
from otel_agents.redaction.by_shape import Redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, Status

    from otel_agents.sdk.internals import ReadableLogRecord, ReadWriteLogRecord, SeverityNumber


def span(span: ReadableSpan, redact: Redact) -> bytes:
    """One OTLP/JSON Span (bytes, no newline)."""
    head = (span.name, span.get_span_context() or INVALID_SPAN_CONTEXT, span.parent, span.kind, span.start_time or 0)
    record = span_head(head, span.end_time, redact)
    add_attributes(record, span.attributes, span.dropped_attributes, redact)
    add_list(record, "events", "droppedEventsCount", [event(one, redact) for one in span.events], span.dropped_events)
    add_list(record, "links", "droppedLinksCount", [link(one, redact) for one in span.links], span.dropped_links)
    if span.status is not None:
        record["status"] = status(span.status, redact)
    return dumped(record)


def span_head(head: SpanHead, end_time: int | None, redact: Redact) -> Json:
    """The fields every span has: ids, name, kind, times."""
    name, context, parent, kind, start_time = head
    record: Json = {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}
    if context.trace_state:
        record["traceState"] = trace_state(context, redact)
    if parent is not None:
        record["parentSpanId"] = f"{parent.span_id:016x}"
    record["flags"] = flags(parent)
    record["name"] = words(name, redact)
    record["kind"] = kind.value + 1
    record["startTimeUnixNano"] = nanoseconds(start_time)
    record["endTimeUnixNano"] = nanoseconds(end_time)
    return record


def flags(context: SpanContext | None) -> int:
    """The flags that say whether a parent or linked context is remote, as the official exporter sets them."""
    return HAS_IS_REMOTE | IS_REMOTE if context is not None and context.is_remote else HAS_IS_REMOTE


def trace_state(context: SpanContext, redact: Redact) -> str:
    return ",".join(f"{name}={redact(value, name)}" for name, value in context.trace_state.items())


def status(status: Status, redact: Redact) -> Json:
    record: Json = {"code": status.status_code.value} if status.status_code.value else {}
    if status.description:
        record["message"] = words(status.description, redact)
    return record


def event(event: Event, redact: Redact) -> Json:
    record: Json = {"timeUnixNano": nanoseconds(event.timestamp), "name": words(event.name, redact)}
    add_attributes(record, event.attributes, event.dropped_attributes, redact)
    return record


def link(link: Link, redact: Redact) -> Json:
    context = link.context
    record: Json = {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}", "flags": flags(context)}
    add_attributes(record, link.attributes, link.dropped_attributes, redact)
    return record


def add_attributes(record: Json, given: Mapping[str, Any] | None, dropped: int, redact: Redact) -> None:
    if given:
        add_list(record, "attributes", "droppedAttributesCount", attributes(plain(given), redact), dropped)
    elif dropped:
        record["droppedAttributesCount"] = dropped


def plain(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A copy of the mapping as a dict, if it can make one: iterating the SDK's own mappings takes a lock for each key."""
    copy = getattr(given, "copy", None)
    return copy() if copy else given


def add_list(record: Json, name: str, dropped_name: str, items: Sequence[Json], dropped: int) -> None:
    if items:
        record[name] = items
    if dropped:
        record[dropped_name] = dropped


def log(record: ReadableLogRecord | ReadWriteLogRecord, redact: Redact) -> bytes:
    """One OTLP/JSON LogRecord (bytes, no newline)."""
    given = record.log_record
    line = log_head(given.timestamp, given.observed_timestamp, given.severity_number, given.severity_text, given.body, redact)
    add_attributes(line, given.attributes, record.dropped_attributes, redact)
    add_context(line, given.event_name, given.trace_flags, given.trace_id, given.span_id, redact)
    return dumped(line)


def log_head(timestamp: int | None, observed: int | None, severity: SeverityNumber | None, severity_text: str | None, body: Any, redact: Redact) -> Json:
    """The fields every log record has: times, severity, body."""
    line: Json = {"timeUnixNano": nanoseconds(timestamp), "observedTimeUnixNano": nanoseconds(observed)}
    if severity is not None:
        line["severityNumber"] = severity.value
    if severity_text:
        line["severityText"] = words(severity_text, redact)
    line["body"] = any_value(body, redact)
    return line


def add_context(line: Json, event_name: str | None, trace_flags: int | None, trace_id: int | None, span_id: int | None, redact: Redact) -> None:
    """Add the event name and the ids of the record's span."""
    if event_name:
        line["eventName"] = words(event_name, redact)
    if trace_flags:
        line["flags"] = int(trace_flags)
    if trace_id:
        line["traceId"] = f"{trace_id & (2**128 - 1):032x}"
    if span_id:
        line["spanId"] = f"{span_id & (2**64 - 1):016x}"


def metrics(data: MetricsData, redact: Redact, start: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Each OTLP/JSON Metric with its tail; a metric with many points is split, never cut.

    `start` (ns since the epoch) replaces the start time of every cumulative point that is later than it.
    """
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            origin = tail("metrics", resource_metrics.resource, scope_metrics.scope, redact)
            for metric in scope_metrics.metrics:
                for item in metrics_of(metric, redact, start):
                    yield item, origin


def tail(signal: str, resource: Resource, scope: InstrumentationScope | None, redact: Redact) -> bytes:
    """The end of every line of this origin: scope and resource, without the newline."""
    room = TAIL_LIMIT // 2 - SCHEMA_LIMIT
    of_scope = dumped(scope_record(scope, redact), room) + schema(scope, redact)
    of_resource = dumped(origin(resource, redact), room) + schema(resource, redact)
    return b'],"scope":' + of_scope + b'}],"resource":' + of_resource + b"}]}"


def scope_record(scope: InstrumentationScope | None, redact: Redact) -> Json:
    if scope is None:
        return {}
    record: Json = {name: words(value, redact) for name, value in (("name", scope.name), ("version", scope.version)) if value}
    add_attributes(record, scope.attributes, 0, redact)
    return record


def origin(resource: Resource, redact: Redact) -> Json:
    record: Json = {}
    add_attributes(record, resource.attributes, 0, redact)
    return record


def schema(of: Resource | InstrumentationScope | None, redact: Redact) -> bytes:
    return b',"schemaUrl":' + dumped({"": words(of.schema_url, redact)}, SCHEMA_LIMIT)[4:-1] if of is not None and of.schema_url else b""


class Lines:
    """Encodes items to whole lines, ready to append; caches tails.

    own: what every resource is merged with, where providers keep that of another process.
    """

    MAX_TAILS = 256  # a program that creates a tracer for every span must not fill the memory with tails

    def __init__(self, redact: Redact) -> None:
        self.redact, self.fragments = redact, Fragments(redact)
        self.own: Resource | None = None
        self._tails: dict[tuple[str, int, Any], tuple[Resource, bytes]] = {}

    def span(self, ended: ReadableSpan) -> bytes:
        return self.line("traces", span(ended, self.redact), ended.resource, ended.instrumentation_scope)

    def log(self, record: ReadableLogRecord | ReadWriteLogRecord) -> bytes:
        return self.line("logs", log(record, self.redact), record.resource, record.instrumentation_scope)  # type: ignore[arg-type]  # never None once emitted

    def line(self, signal: str, item: bytes, resource: Resource, scope: InstrumentationScope | None) -> bytes:
        """The item between its signal's head and its origin's tail."""
        return b"".join((HEAD[signal], item, self.tail(signal, resource, scope)))

    def metrics(self, data: MetricsData, start: int | None = None) -> Iterator[bytes]:
        return (b"".join((HEAD["metrics"], item, end, b"\n")) for item, end in metrics(data, self.redact, start))

    def series(self, collected: Iterable[Any], resource: Resource, scope: InstrumentationScope) -> Iterator[bytes]:
        """The metrics that the engine aggregates itself."""
        return (self.line("metrics", item, resource, scope) for metric in collected for item in series_of(metric, self.redact))

    def tail(self, signal: str, resource: Resource, scope: InstrumentationScope | None) -> bytes:
        """The tail with its newline, cached by the resource's identity (hashing it takes 3.5 µs) and the scope."""
        key = (signal, id(resource), scope)
        found = self._tails.get(key)
        if found is None:
            if len(self._tails) >= self.MAX_TAILS:
                self._tails.clear()
            given = resource if self.own is None else resource.merge(self.own)
            found = self._tails[key] = (resource, tail(signal, given, scope, self.redact) + b"\n")  # keeps the resource alive, so that its id stays its own
        return found[1]


class Tail:
    """The tail of one scope's lines, rebuilt when its provider has another resource."""

    __slots__ = ("_lines", "_made", "_scope", "_signal")

    def __init__(self, lines: Lines, signal: str, scope: InstrumentationScope) -> None:
        self._lines, self._signal, self._scope = lines, signal, scope
        self._made: tuple[Resource | None, bytes] = (None, b"")

    def of(self, resource: Resource) -> bytes:
        """The tail with its newline."""
        made, end = self._made
        if made is not resource:
            end = self._lines.tail(self._signal, resource, self._scope)
            self._made = (resource, end)
        return end
