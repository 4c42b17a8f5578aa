"""Our own aggregation of metrics, at a tenth of the cost of the SDK's instruments; used if nobody else reads our meter.

Cumulative or delta temporality, explicit buckets, the last sampled measurement of each bucket as its exemplar (OpenTelemetry metrics SDK specification).
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import time_ns
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.trace import TraceFlags

from otel_agents.telemetry.context import SPAN

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from otel_agents.telemetry.instruments import Instrument

Part = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]  # the keys of the labels to keep, and additional labels
MAX_SERIES = 2000  # of one metric; further ones go to the overflow series of the specification
OVERFLOW = {"otel.metric.overflow": True}
DELTA, CUMULATIVE = 1, 2
KINDS = {"create_histogram": "histogram", "create_counter": "sum", "create_up_down_counter": "sum", "gauge": "gauge"}


class Labels(dict[str, Any]):
    """An immutable set of labels, shared by all values that have it. `series` caches the series of these labels, by metric or by metric and part."""

    __slots__ = ("series",)

    def __init__(self, given: Mapping[str, Any]) -> None:
        super().__init__(given)
        self.series: dict[Any, Series] = {}


class Series(Protocol):
    """The values of one metric with one set of labels."""

    def take(self, value: float, origin: Origin | None) -> None:
        """Add or record one value."""


class Backend(Protocol):
    """What aggregates: our own Aggregation, or the instruments of a provider that others read too (meter.py)."""

    def series(self, name: str, row: Instrument, labels: Labels) -> Series:
        """The series of this metric and these labels; always the same one."""

    def observe(self, name: str, row: Instrument, ask: Callable[[], float]) -> None:
        """Register a gauge whose value is asked for at each collection."""


class Origin:
    """The sampled span in which values were measured, and the time: one object for all measurements of an ended operation, without a reference to it."""

    __slots__ = ("sampled", "time")

    def __init__(self, sampled: SpanContext) -> None:
        self.sampled, self.time = sampled, time_ns()


def origin_in(context: Context) -> Origin | None:
    """The origin of values that are measured now; None without a sampled span."""
    span: Any = context.get(SPAN)
    ids: SpanContext | None = span.get_span_context() if span is not None else None
    return Origin(ids) if ids is not None and ids.trace_flags & TraceFlags.SAMPLED else None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One measurement and its span."""

    value: float
    time_unix_nano: int
    trace_id: int
    span_id: int
    filtered_attributes: None = None  # every label is on the data point


def exemplars(kept: Iterable[tuple[float, Origin]]) -> list[Exemplar]:
    return [Exemplar(value, origin.time, origin.sampled.trace_id, origin.sampled.span_id) for value, origin in kept]


class Batched:
    """Takes values without a lock and aggregates many at a time, so that most of the cost is the collector's."""

    __slots__ = ("_lock", "_new", "_settling")

    BATCH = 256  # values and origins, alternating

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._new: list[Any] = []
        self._settling = False
        self._begin()

    @abstractmethod
    def _begin(self) -> None:
        """Start from zero."""

    @abstractmethod
    def _add(self, values: list[float], origins: list[Any]) -> None:
        """Aggregate these."""

    def take(self, value: float, origin: Origin | None) -> None:
        new = self._new
        new.extend((value, origin))  # atomic: another thread may do the same
        if len(new) >= self.BATCH:
            self.settle()

    def settle(self) -> None:
        """Aggregate what has been taken so far."""
        with self._lock:
            if self._settling or not self._new:  # called by a signal handler in the middle of it: the next call sees the rest
                return
            self._settling = True
            try:
                taken = self._new[:]
                del self._new[: len(taken)]
                self._add(taken[::2], taken[1::2])
            finally:
                self._settling = False


class Sum(Batched):
    """A sum of integers or floats."""

    __slots__ = ("_last", "_value", "labels")

    def __init__(self, labels: Mapping[str, Any], row: Instrument, lock: threading.RLock) -> None:
        self.labels = labels
        super().__init__(lock)

    def _begin(self) -> None:
        self._value: float = 0  # not 0.0: counts of tokens stay integers
        self._last: tuple[tuple[float, Origin], ...] = ()

    def _add(self, values: list[float], origins: list[Any]) -> None:
        self._value += sum(values)
        for value, origin in zip(reversed(values), reversed(origins), strict=True):
            if origin is not None:
                self._last = ((value, origin),)
                return

    def point(self, *, reset: bool) -> dict[str, Any]:
        """The values of a data point; reset: start from zero."""
        self.settle()
        point = {"value": self._value, "exemplars": exemplars(self._last)}
        self._last = ()
        if reset:
            self._begin()
        return point


class Distribution(Batched):
    """A histogram with explicit buckets; upper bounds are inclusive."""

    __slots__ = ("_bounds", "_count", "_counts", "_last", "_max", "_min", "_sum", "labels")

    def __init__(self, labels: Mapping[str, Any], row: Instrument, lock: threading.RLock) -> None:
        self.labels, self._bounds = labels, row.buckets
        super().__init__(lock)

    def _begin(self) -> None:
        self._counts = [0] * (len(self._bounds) + 1)
        self._count, self._sum, self._min, self._max = 0, 0.0, float("inf"), float("-inf")
        self._last: dict[int, tuple[float, Origin]] = {}

    def _add(self, values: list[float], origins: list[Any]) -> None:
        counts, buckets = self._counts, [bisect_left(self._bounds, value) for value in values]
        for bucket in buckets:
            counts[bucket] += 1
        for value in values:
            self._sum += value
        last = zip(buckets, zip(values, origins, strict=True), strict=True)
        self._last.update(last if None not in origins else (one for one in last if one[1][1] is not None))
        self._count += len(values)
        self._min, self._max = min(self._min, min(values)), max(self._max, max(values))

    def point(self, *, reset: bool) -> dict[str, Any]:
        """The values of a data point; reset: start from zero."""
        self.settle()
        point = {
            "count": self._count,
            "sum": self._sum,
            "min": self._min,
            "max": self._max,
            "bucket_counts": self._counts.copy(),
            "explicit_bounds": self._bounds,
            "exemplars": exemplars(self._last[bucket] for bucket in sorted(self._last)),
        }
        self._last = {}
        if reset:
            self._begin()
        return point


class Gauge:
    """A gauge whose value is asked for when it is collected."""

    __slots__ = ("_ask", "labels")

    def __init__(self, ask: Callable[[], float]) -> None:
        self.labels, self._ask = Labels({}), ask

    def take(self, value: float, origin: Origin | None) -> None:
        """Ignored: a gauge is asked for its value."""

    def point(self, *, reset: bool) -> dict[str, Any]:
        return {"value": self._ask(), "exemplars": []}


@dataclass(frozen=True, slots=True)
class Point:
    """One data point. values: its `value`, or `count`, `sum`, `min`, `max`, `bucket_counts` and `explicit_bounds`; and `exemplars`; all read as attributes."""

    attributes: Mapping[str, Any]
    start_time_unix_nano: int
    time_unix_nano: int
    values: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(frozen=True, slots=True)
class Collected:
    """A metric at a collection: kind is "sum" | "histogram" | "gauge", temporality DELTA | CUMULATIVE."""

    name: str
    unit: str
    description: str
    kind: str
    aggregation_temporality: int
    is_monotonic: bool
    data_points: list[Point]


@dataclass(slots=True)
class Metric:
    """One metric's series by labels, and the time of the last collection."""

    row: Instrument
    collected: int
    series: dict[frozenset[tuple[str, Any]], Any] = field(default_factory=dict)


class Aggregation:
    """The metrics of one process. began: start time, nanoseconds since the epoch; deltas: the kinds of instruments with delta temporality."""

    def __init__(self, began: int, deltas: frozenset[str] = frozenset()) -> None:
        self._began, self._deltas = began, deltas
        self._lock = threading.RLock()  # a signal handler may end an operation while this thread holds it
        self._metrics: dict[str, Metric] = {}

    def series(self, name: str, row: Instrument, labels: Labels) -> Series:
        """The series of this metric and these labels; always the same one."""
        make = Distribution if row.buckets else Sum
        with self._lock:
            metric = self._metric(name, row)
            key = frozenset(labels.items())
            if key not in metric.series and len(metric.series) >= MAX_SERIES:
                labels, key = Labels(OVERFLOW), frozenset(OVERFLOW.items())
            found: Series = metric.series.get(key) or metric.series.setdefault(key, make(labels, row, self._lock))
            return found

    def observe(self, name: str, row: Instrument, ask: Callable[[], float]) -> None:
        """Register a gauge whose value is asked for at each collection."""
        with self._lock:
            self._metric(name, row).series[frozenset()] = Gauge(ask)

    def _metric(self, name: str, row: Instrument) -> Metric:
        return self._metrics.get(name) or self._metrics.setdefault(name, Metric(row, self._began))

    def collect(self) -> list[Collected]:
        """Every metric as it is now; with delta temporality what has been added since the last collection."""
        with self._lock:
            return [collected for name, metric in self._metrics.items() if (collected := self._collected(name, metric)).data_points]

    def _collected(self, name: str, metric: Metric) -> Collected:
        row, reset = metric.row, metric.row.make in self._deltas
        points = list(self._points(metric, reset=reset))
        return Collected(name, row.unit, row.description, KINDS[row.make], DELTA if reset else CUMULATIVE, row.make == "create_counter", points)

    def _points(self, metric: Metric, *, reset: bool) -> Iterator[Point]:
        now, start = time_ns(), metric.collected if reset else self._began
        metric.collected = now
        for series in metric.series.values():
            values = series.point(reset=reset)
            if not reset or values.get("count", values.get("value")):
                yield Point(series.labels, start, now, values)
