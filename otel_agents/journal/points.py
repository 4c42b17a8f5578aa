"""Metrics and their data points → OTLP/JSON Metric objects, split so that each fits into a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
from opentelemetry.sdk.metrics.export import AggregationTemporality, ExponentialHistogram, Gauge, Histogram, Metric, Sum

from otel_agents.journal.sizes import ITEM_LIMIT, dumped
from otel_agents.journal.values import Json, attributes, count, double, nanoseconds, whole, words
from otel_agents.redaction.by_shape import Redact

Point = Any  # NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint: read by the table of their metric's kind
Encode = Callable[[Point, Redact, int | None], Json]
ENVELOPE = 2**14  # room for name, unit, description and the parts around the points


def metrics_of(metric: Metric, redact: Redact, start: int | None) -> Iterator[bytes]:
    """An SDK metric as one Metric object, or as several of the same name if it has too many points for a line."""
    kind = KINDS.get(type(metric.data))
    if kind is not None:
        yield from split(metric, metric.data, *kind, redact, start if cumulative(metric.data) else None)


def series_of(collected: Any, redact: Redact) -> Iterator[bytes]:
    """The same for a metric that the engine aggregates itself (telemetry/series.py, whose points have the SDK's fields)."""
    yield from split(collected, collected, *OWN[collected.kind], redact, None)


def split(metric: Any, data: Any, name: str, encode: Encode, redact: Redact, start: int | None) -> Iterator[bytes]:
    """Points and their times come first: a Collector identifies files by their first bytes, which must differ however long a metric's name is."""
    head = {part: words(value, redact) for part, value in (("name", metric.name), ("description", metric.description), ("unit", metric.unit)) if value}
    rest = rest_of(data) if name != "gauge" else {}
    for points in batches([encode(point, redact, start) for point in data.data_points]):
        yield dumped({name: {"dataPoints": points, **rest}, **head})


def rest_of(data: Any) -> Json:
    """The other fields of the kind: temporality and monotonicity."""
    rest: Json = {"aggregationTemporality": int(data.aggregation_temporality)} if hasattr(data, "aggregation_temporality") else {}
    return {**rest, "isMonotonic": True} if getattr(data, "is_monotonic", False) else rest


def cumulative(data: Any) -> bool:
    return getattr(data, "aggregation_temporality", None) is AggregationTemporality.CUMULATIVE


def batches(points: list[Json]) -> Iterator[list[Json]]:
    batch: list[Json] = []
    size = 0
    for point in points:
        length = len(orjson.dumps(point, default=str)) if len(points) > 64 else 0  # so few always fit
        if batch and size + length > ITEM_LIMIT - ENVELOPE:
            yield batch
            batch, size = [], 0
        batch.append(point)
        size += length + 1
    if batch:
        yield batch


def number_point(point: Point, redact: Redact, start: int | None) -> Json:
    return {**timed(point, redact, start), **number(point.value)}


def gauge_point(point: Point, redact: Redact, start: int | None) -> Json:
    record = number_point(point, redact, None)
    record.pop("startTimeUnixNano")  # a gauge has none
    return record


def histogram_point(point: Point, redact: Redact, start: int | None) -> Json:
    return {
        **timed(point, redact, start),
        **summary(point),
        "bucketCounts": [count(one) for one in point.bucket_counts],
        "explicitBounds": [double(float(one)) for one in point.explicit_bounds],
    }


def exponential_point(point: Point, redact: Redact, start: int | None) -> Json:
    record = {**timed(point, redact, start), **summary(point), "scale": point.scale, "zeroCount": count(point.zero_count), "flags": point.flags}
    for side, buckets in (("positive", point.positive), ("negative", point.negative)):
        if buckets.bucket_counts:
            record[side] = {"offset": buckets.offset, "bucketCounts": [count(one) for one in buckets.bucket_counts]}
    return record


def timed(point: Point, redact: Redact, start: int | None) -> Json:
    """The fields every point has: attributes, times, exemplars."""
    began = point.start_time_unix_nano if start is None or point.start_time_unix_nano is None else min(start, point.start_time_unix_nano)
    record: Json = {"startTimeUnixNano": nanoseconds(began), "timeUnixNano": nanoseconds(point.time_unix_nano)}
    if point.attributes:
        record["attributes"] = attributes(point.attributes, redact)
    if point.exemplars:
        record["exemplars"] = exemplars(point.exemplars, redact)
    return record


def summary(point: Point) -> Json:
    values = (("sum", point.sum), ("min", point.min), ("max", point.max))
    return {"count": count(point.count), **{name: double(real(value)) for name, value in values if value is not None}}


def exemplars(given: Sequence[Any], redact: Redact) -> list[Json]:
    return [exemplar(one, redact) for one in given]


def exemplar(given: Any, redact: Redact) -> Json:
    record: Json = {"timeUnixNano": nanoseconds(given.time_unix_nano), **number(given.value)}
    if given.filtered_attributes:
        record["filteredAttributes"] = attributes(given.filtered_attributes, redact)
    if given.span_id is not None and given.trace_id is not None:
        record |= {"spanId": f"{given.span_id:016x}", "traceId": f"{given.trace_id:032x}"}
    return record


def number(value: Any) -> Json:
    """A measured value by its wire type; numbers of other libraries such as numpy become doubles."""
    return {"asInt": whole(int(value))} if isinstance(value, int) else {"asDouble": double(real(value))}


def real(value: Any) -> float:
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):  # an integer too large for a double, or not a number
        return float("nan") if not isinstance(value, int) else float("inf") if value > 0 else float("-inf")


OWN: dict[str, tuple[str, Encode]] = {"sum": ("sum", number_point), "gauge": ("gauge", gauge_point), "histogram": ("histogram", histogram_point)}
KINDS: dict[type, tuple[str, Encode]] = {
    Sum: OWN["sum"],
    Gauge: OWN["gauge"],
    Histogram: OWN["histogram"],
    ExponentialHistogram: ("exponentialHistogram", exponential_point),
}
