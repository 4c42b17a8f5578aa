"""One OTLP/JSON line of a journal → spans, log records or metric points as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from otel_agents.otlp.any_value import attributes_of, value_of
from otel_agents.otlp.signals import HEAD, METRIC_DATA, NESTING, SPAN_KINDS, TAIL_START

Json = dict[str, Any]
NONE: Mapping[str, Any] = {}
REMOTE_PARENT = 0x200
ERROR = 2


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item comes from: resource attributes and the scope's name."""

    resource: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened inside a span; `time` in nanoseconds since the epoch."""

    time: int
    name: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """One span; times in nanoseconds since the epoch, `end` is None if it has not ended, or never will."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start: int
    end: int | None
    attributes: Mapping[str, Any]
    events: tuple[Event, ...] = ()
    links: tuple[Mapping[str, Any], ...] = ()
    failed: bool = False
    message: str = ""
    parent_is_remote: bool = False
    origin: Origin = Origin()
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One log record or event; `time` in nanoseconds since the epoch."""

    time: int
    severity: str
    level: int
    body: Any
    event: str
    trace_id: str
    span_id: str
    attributes: Mapping[str, Any]
    origin: Origin = Origin()
    segment: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One number of a metric, or the count and sum of a histogram; times in nanoseconds since the epoch."""

    metric: str
    unit: str
    start: int
    time: int
    value: float
    count: int | None
    attributes: Mapping[str, Any]
    origin: Origin = Origin()
    segment: str = ""


Item = Span | Log | Point


def span(record: Json, origin: Origin, segment: str) -> Span:
    state = record.get("status") or NONE
    return Span(
        trace_id=record["traceId"],
        span_id=record["spanId"],
        parent_id=record.get("parentSpanId", ""),
        name=record["name"],
        kind=SPAN_KINDS[record.get("kind", 0)],
        start=int(record["startTimeUnixNano"]),
        end=int(record["endTimeUnixNano"]),
        attributes=attributes_of(record),
        events=tuple(event(one) for one in record.get("events", ())),
        links=tuple(link(one) for one in record.get("links", ())),
        failed=state.get("code") == ERROR,
        message=state.get("message", ""),
        parent_is_remote=bool(record.get("flags", 0) & REMOTE_PARENT),
        origin=origin,
        segment=segment,
    )


def event(record: Json) -> Event:
    return Event(int(record["timeUnixNano"]), record.get("name", ""), attributes_of(record))


def link(record: Json) -> Mapping[str, Any]:
    return {"trace_id": record["traceId"], "span_id": record["spanId"], "attributes": attributes_of(record)}


def log(record: Json, origin: Origin, segment: str) -> Log:
    named = attributes_of(record)
    return Log(
        time=int(record.get("timeUnixNano") or 0) or int(record.get("observedTimeUnixNano") or 0),
        severity=record.get("severityText", ""),
        level=record.get("severityNumber", 0),
        body=value_of(record.get("body") or NONE),
        event=record.get("eventName", ""),
        trace_id=record.get("traceId", ""),
        span_id=record.get("spanId", ""),
        attributes=named,
        origin=origin,
        segment=segment,
    )


def points(record: Json, origin: Origin, segment: str) -> Iterator[Point]:
    for kind in METRIC_DATA:
        for one in (record.get(kind) or NONE).get("dataPoints", ()):
            yield point(record, one, origin, segment)


def point(record: Json, one: Json, origin: Origin, segment: str) -> Point:
    return Point(
        metric=record["name"],
        unit=record.get("unit", ""),
        start=int(one.get("startTimeUnixNano") or 0),
        time=int(one.get("timeUnixNano") or 0),
        value=float(next((one[name] for name in ("asInt", "asDouble", "sum") if name in one), 0.0)),
        count=int(one["count"]) if "count" in one else None,
        attributes=attributes_of(one),
        origin=origin,
        segment=segment,
    )


READ: Mapping[str, Callable[[Json, Origin, str], Iterator[Item]]] = {
    "traces": lambda record, origin, segment: iter((span(record, origin, segment),)),
    "metrics": points,
    "logs": lambda record, origin, segment: iter((log(record, origin, segment),)),
}
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, IndexError)


class Decoder:
    """Reads lines of one signal; the tail that lines of a process share is parsed once. Lines that are not OTLP are counted in `skipped`."""

    MAX_ORIGINS = 1024

    def __init__(self, signal: str) -> None:
        self._nesting, self._head, self._read = NESTING[signal], HEAD[signal], READ[signal]
        self.skipped = 0
        self._origins: dict[bytes, Origin] = {}

    def items(self, line: bytes, segment: str = "") -> list[Item]:
        """The items of the line; empty for a torn or foreign one."""
        try:
            return [item for record, origin in self.records(line) for item in self._read(record, origin, segment)]
        except MALFORMED:
            self.skipped += 1
            start = line.rfind(self._head)  # after a fragment; inside a string, its quotes would be escaped
            return self.items(line[start:], segment) if start > 0 else []

    def records(self, line: bytes) -> list[tuple[Json, Origin]]:
        end = line.rfind(TAIL_START)
        if end < 0 or not line.startswith(self._head):
            return list(self.nested(orjson.loads(line)))
        try:
            found = orjson.loads(b"[%b]" % line[len(self._head) : end])
        except ValueError:  # several scopes in one line, as other exporters write them
            return list(self.nested(orjson.loads(line)))
        origin = self.origin(line[end:])
        return [(record, origin) for record in found]

    def origin(self, tail: bytes) -> Origin:
        known = self._origins.get(tail)
        if known is None:
            if len(self._origins) >= self.MAX_ORIGINS:
                self._origins.clear()
            resource, scope, _ = next(self._nesting.walk(orjson.loads(self._head + tail)))
            known = self._origins[tail] = origin_of(resource, scope)
        return known

    def nested(self, line: Json) -> Iterator[tuple[Json, Origin]]:
        for resource, scope, records in self._nesting.walk(line):
            origin = origin_of(resource, scope)
            for record in records:
                yield record, origin


def origin_of(resource: Json, scope: Json) -> Origin:
    return Origin(attributes_of(resource.get("resource") or NONE), (scope.get("scope") or NONE).get("name", ""))
