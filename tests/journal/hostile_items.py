"""Items that hurt whoever writes them down: every hostile value, text, number and moment at each of their places."""

from __future__ import annotations

import enum
import itertools
from collections import OrderedDict, UserDict, namedtuple
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from generated import collected, record
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics._internal.point import Buckets
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState


class Text(str):
    def __str__(self) -> str:
        raise AssertionError("foreign code was called")

    __repr__ = __str__


class Whole(int):
    def __str__(self) -> str:
        raise AssertionError("foreign code was called")

    __repr__ = __int__ = __index__ = __str__  # type: ignore[assignment]


class Hostile:
    def __getattribute__(self, name: str) -> Any:
        raise AssertionError("foreign code was called")

    __repr__ = __str__ = __len__ = __bool__ = __iter__ = __hash__ = __eq__ = __getattribute__  # type: ignore[assignment]


class Colour(enum.IntEnum):
    RED = 3


Pair = namedtuple("Pair", "left right")
cyclic: list[Any] = []
cyclic += [cyclic, cyclic]
wide: list[Any] = []
wide += [wide] * 1_000
deep: Any = "bottom"
for _ in range(10_000):
    deep = [deep]

HOSTILE: dict[str, tuple[Any, Any]] = {
    "huge int": (10**5000, {"intValue": str(2**63 - 1)}),
    "huge negative int": (-(10**5000), {"intValue": str(-(2**63))}),
    "nan": (float("nan"), {"doubleValue": "NaN"}),
    "infinity": (float("-inf"), {"doubleValue": "-Infinity"}),
    "none in a list": ([None], {"arrayValue": {"values": [{}]}}),
    "keys of all kinds": ({1: 1, None: 2, (3,): 4}, None),
    "a class's own text": (Text("a"), {"stringValue": "a"}),
    "a class's own number": (Whole(3), {"intValue": "3"}),
    "an enum": (Colour.RED, {"intValue": "3"}),
    "a named tuple": (Pair(1, "b"), {"arrayValue": {"values": [{"intValue": "1"}, {"stringValue": "b"}]}}),
    "an ordered dict": (OrderedDict(a=1), {"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}),
    "an unknown mapping": (UserDict(a=1), {"stringValue": "<UserDict>"}),
    "an unknown object": (PurePosixPath("x"), {"stringValue": "<PurePosixPath>"}),
    "hostile": (Hostile(), {"stringValue": "<Hostile>"}),
    "cyclic": (cyclic, None),
    "cyclic and wide": (wide, None),
    "deep": (deep, None),
    "a million items": ([1] * 1_000_000, None),
    "50 MB of text": ("x" * 50_000_000, None),
    "50 MB of bytes": (b"x" * 50_000_000, {"stringValue": "<50000000 bytes>"}),
}

VALUES: dict[str, Any] = {
    **{name: value for name, (value, _) in HOSTILE.items()},
    "edges of whole numbers": [0, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, True, False],
    "edges of real numbers": [0.0, -0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1e16, 1e22, float("nan"), float("inf"), -float("inf")],
    "bytes": [b"", b"\x00", b"\xff\xfe", bytes(range(256))],
    "nothing": [None, [], {}, "", (), [[]], [{}], {"": {}}, {"a": None}],
    "keys that become one": dict.fromkeys(("\ud800", "\udfff", "\ufffd", 1, "1", None, "None", 1.5, "1.5", False, "False", float("nan"), "nan"), 1),
    "a pair that was split": ["\ud83d\ude00", {"\ud83d\ude00": "\ude00\ud83d"}],
    "just not too deep": {"a": [{"b": [{"c": [{"d": [{"e": [{"f": [{"g": "h"}]}]}]}]}]}]},
    "wide": {f"k{number}": [number] * 50 for number in range(300)},
    "long texts": ["é" * 400_000, "\x00" * 200_000, "\ud800" * 100_000],
    "long bytes": [bytes(300_000), b"\xff" * 500_000],
}
TEXTS = {
    "empty": "",
    "blank": " \t ",
    "controls": "".join(map(chr, range(32))) + "\x7f\x80\x9f",
    "ends of lines": "a\nb\rc\r\nd\u2028e\u2029f\x0bg\x0ch\x85i",
    "lone surrogates": "\ud800a\udfff",
    "a split pair": "\ud83d\ude00",
    "a byte order mark": "\ufeffa\ufeff",
    "beyond the plane": "\U0010ffff\U00010000\ufffe\uffff",
    "JSON": '{"a": [1, "\\\\"\\u0000"]}',
    "a seam": '],"scope":{},"resource":{}}]}{"resourceSpans":[{"scopeSpans":[{"spans":[',
    "a note": "… [cut, 5 characters]",
    "numbers": "9007199254740993",
    "words": "NaN null true Infinity",
    "long": "long " * 20_000,
    "longest": "\x01é😀" * 200_000,
}
MOMENTS = {
    "none": None,
    "zero": 0,
    "negative": -1,
    "last": 2**64 - 1,
    "after it": 2**64,
    "far": 10**5000,
    "real": 1.5e18,
    "no number": float("nan"),
    "no moment": "yesterday",
}
NUMBERS = {
    "zero": 0,
    "negative": -0.0,
    "true": True,
    "most": 2**63 - 1,
    "too much": 2**80,
    "absurd": 10**5000,
    "least": -(2**80),
    "small": 5e-324,
    "great": 1.7e308,
    "nan": float("nan"),
    "infinite": float("inf"),
    "endless": -float("inf"),
}
KEYS = (5, -1, True, None, 0.5, 10**5000, ("a", 1), b"k", Hostile, Text("own"), Colour.RED, "")
EPOCH = 1_700_000_000_000_000_000
ELSEWHERE = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "1")]))
Keys = dict[Any, Any]
ids = itertools.count(1)


def span(text: str, held: Keys, moment: Any) -> ReadableSpan:
    """With the text, the attributes and the moment wherever a span has one."""
    return ReadableSpan(
        name=text,
        context=SpanContext(0xD4, next(ids), is_remote=False, trace_flags=TraceFlags(1)),
        parent=ELSEWHERE,
        resource=resource(text, held),
        attributes=held,
        events=[Event(text, held, moment), Event(text, {}, moment)],
        links=[Link(ELSEWHERE, held)],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, text),
        start_time=moment,
        end_time=moment,
        instrumentation_scope=scope(text),
    )


def log(text: str, held: Keys, moment: Any) -> ReadableLogRecord:
    made = record(
        SpanContext(0xD4, next(ids), is_remote=False, trace_flags=TraceFlags(1)),
        timestamp=moment,
        observed_timestamp=moment,
        severity_text=text,
        severity_number=SeverityNumber.FATAL4,
        body=[text, held],
        attributes=held,
        event_name=text,
    )
    return ReadableLogRecord(made, resource(text, held), scope(text))


def metric(text: str, held: Keys, moment: Any, number: Any = 1) -> MetricsData:
    """One of each kind."""
    seen = [Exemplar(held, number, moment, 0xB2, 0xA1), Exemplar({}, number, moment)]
    temporality = AggregationTemporality.CUMULATIVE
    points = [NumberDataPoint(held, moment, moment, number, seen)]
    histogram = HistogramDataPoint(held, moment, moment, 2**64, number, [0, 2**64], [float("-inf"), 1.5], number, number, seen)
    exponential = ExponentialHistogramDataPoint(
        held, moment, moment, 3, number, 20, 2**64, Buckets(-(2**31), [1, 2**64]), Buckets(0, []), 0, number, number, seen
    )
    kinds = (
        Sum(points, temporality, True),
        Gauge(points),
        Histogram([histogram], AggregationTemporality.DELTA),
        ExponentialHistogram([exponential], temporality),
    )
    return collected(resource(text, held), [(scope(text), [Metric(text, text, text, kind) for kind in kinds])])


def scope(text: str) -> InstrumentationScope:
    return InstrumentationScope(text, text, text, {"k": text, text: "v"})


def resource(text: str, held: Keys) -> Resource:
    made = Resource({}, text)
    made._attributes = held  # type: ignore[assignment]  # as it is: what the SDK would leave out stays in
    return made


def hostile(make: Any) -> Iterator[Any]:
    """Items that `make` (span, log, metric) builds of every value, text, number, key and moment; each has a time of its own, but those of the moments."""
    moment = itertools.count(EPOCH).__next__
    yield from (make(name, {"held": value, "beside": 1}, moment()) for name, value in VALUES.items())
    yield from (make(text, {text: text, "beside": [text, {text: text}]}, moment()) for text in TEXTS.values())
    yield from (make(name, {"beside": 1}, moment(), number) for name, number in NUMBERS.items() if make is metric)
    yield from (make("keys", {key: 1, "held": {key: 1}}, moment()) for key in KEYS)
    yield from (make("text", {key: "text", "held": {key: "text"}}, moment()) for key in KEYS)
    yield from (make(name, {"beside": 1}, at) for name, at in MOMENTS.items())
