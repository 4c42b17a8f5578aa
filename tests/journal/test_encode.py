"""The lines themselves: exact, for plain items; bounded and parseable, for hostile ones."""

from __future__ import annotations

import json
import time
from typing import Any

import hostile_items
import pytest
from google.protobuf import json_format
from hostile_items import HOSTILE, Text
from hypothesis import given, settings
from hypothesis import strategies as st
from official import flat, parsed
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState
from otlp_server import REQUESTS
from rig import log

from otel_agents.journal import encode
from otel_agents.journal.encode import Lines
from otel_agents.journal.sizes import ITEM_LIMIT, LINE_LIMIT, shrunk
from otel_agents.journal.values import any_value
from otel_agents.otlp.signals import HEAD, TAIL_START

RESOURCE = Resource({"service.name": "shop"}, "https://example.test/resource")
SCOPE = InstrumentationScope("otel_agents", "1", "https://example.test/scope", {"a": 1})


def same(text: str, name: str = "", /) -> str:
    return text


def shout(text: str, name: str = "", /) -> str:
    return text.upper()


def context(trace: int, span: int, *, remote: bool = False) -> SpanContext:
    return SpanContext(trace, span, remote, TraceFlags(1), TraceState([("v", "1"), ("w", "2")]))


SPAN = ReadableSpan(
    name="chat m",
    context=context(0xA1, 0xB2),
    parent=context(0xA1, 0xC3, remote=True),
    resource=RESOURCE,
    attributes={"text": "é", "whole": 2**53 + 1, "real": 0.5, "yes": True, "list": ("a", 1), "bytes": b"\x00\xff", "map": {"k": None}},
    events=[Event("token", {"n": 1}, 5)],
    links=[Link(context(0xD4, 0xE5), {"why": "retry"})],
    kind=SpanKind.CLIENT,
    status=Status(StatusCode.ERROR, "refused"),
    start_time=10,
    end_time=20,
    instrumentation_scope=SCOPE,
)


def test_a_span_as_it_stands_in_the_file() -> None:
    line = Lines(same).span(SPAN)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line) == {
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "000000000000000000000000000000a1",
                                "spanId": "00000000000000b2",
                                "traceState": "v=1,w=2",
                                "parentSpanId": "00000000000000c3",
                                "flags": 0x300,
                                "name": "chat m",
                                "kind": 3,
                                "startTimeUnixNano": "10",
                                "endTimeUnixNano": "20",
                                "attributes": [
                                    {"key": "text", "value": {"stringValue": "é"}},
                                    {"key": "whole", "value": {"intValue": "9007199254740993"}},
                                    {"key": "real", "value": {"doubleValue": 0.5}},
                                    {"key": "yes", "value": {"boolValue": True}},
                                    {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}},
                                    {"key": "bytes", "value": {"bytesValue": "AP8="}},
                                    {"key": "map", "value": {"kvlistValue": {"values": [{"key": "k", "value": {}}]}}},
                                ],
                                "events": [{"timeUnixNano": "5", "name": "token", "attributes": [{"key": "n", "value": {"intValue": "1"}}]}],
                                "links": [
                                    {
                                        "traceId": "000000000000000000000000000000d4",
                                        "spanId": "00000000000000e5",
                                        "flags": 0x100,
                                        "attributes": [{"key": "why", "value": {"stringValue": "retry"}}],
                                    }
                                ],
                                "status": {"code": 2, "message": "refused"},
                            }
                        ],
                        "scope": {"name": "otel_agents", "version": "1", "attributes": [{"key": "a", "value": {"intValue": "1"}}]},
                        "schemaUrl": "https://example.test/scope",
                    }
                ],
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "schemaUrl": "https://example.test/resource",
            }
        ]
    }


def test_a_line_is_head_item_tail() -> None:
    item = encode.span(SPAN, same)
    assert Lines(same).span(SPAN) == HEAD["traces"] + item + encode.tail("traces", RESOURCE, SCOPE, same) + b"\n"
    assert (HEAD["traces"] + item).count(TAIL_START) == 0


def test_every_text_is_redacted_names_of_attributes_too() -> None:
    line = json.loads(Lines(shout).span(SPAN))["resourceSpans"][0]
    span = line["scopeSpans"][0]["spans"][0]
    assert [span["name"], span["status"]["message"], span["events"][0]["name"]] == ["CHAT M", "REFUSED", "TOKEN"]
    assert span["attributes"][0] == {"key": "TEXT", "value": {"stringValue": "É"}}
    assert span["links"][0]["attributes"][0]["value"] == {"stringValue": "RETRY"}
    assert line["resource"]["attributes"][0]["value"] == {"stringValue": "SHOP"}


def test_a_log_as_it_stands_in_the_file() -> None:
    given = LogRecord(timestamp=1, observed_timestamp=2, severity_number=SeverityNumber.WARN, severity_text="WARN", body={"a": [1]}, event_name="e")
    assert json.loads(encode.log(ReadWriteLogRecord(given, RESOURCE, SCOPE), same)) == {
        "timeUnixNano": "1",
        "observedTimeUnixNano": "2",
        "severityNumber": 13,
        "severityText": "WARN",
        "body": {"kvlistValue": {"values": [{"key": "a", "value": {"arrayValue": {"values": [{"intValue": "1"}]}}}]}},
        "eventName": "e",
    }


def metrics_data(*metrics: Metric) -> MetricsData:
    return MetricsData([ResourceMetrics(RESOURCE, [ScopeMetrics(SCOPE, metrics, "")], "")])


def point(value: float, start: int = 100, **attributes: Any) -> NumberDataPoint:
    return NumberDataPoint(attributes, start, 200, value)


def test_a_cumulative_point_begins_with_the_process() -> None:
    cumulative = Metric("a", "", "1", Sum([point(1, 100), point(2, 10)], AggregationTemporality.CUMULATIVE, True))
    delta = Metric("b", None, None, Sum([point(1, 100)], AggregationTemporality.DELTA, False))
    items = [json.loads(item) for item, _ in encode.metrics(metrics_data(cumulative, delta), same, start=50)]
    assert [[one["startTimeUnixNano"] for one in item["sum"]["dataPoints"]] for item in items] == [["50", "10"], ["100"]]
    assert items[1] == {"name": "b", "sum": {"dataPoints": [{"startTimeUnixNano": "100", "timeUnixNano": "200", "asInt": "1"}], "aggregationTemporality": 1}}


def test_a_metric_of_many_points_is_split_never_cut() -> None:
    points = [HistogramDataPoint({"n": number}, 1, 2, 1, 1.0, [0] * 20, [1.0] * 19, 0.0, 1.0) for number in range(5_000)]
    lines = list(Lines(same).metrics(metrics_data(Metric("h", "", "s", Histogram(points, AggregationTemporality.CUMULATIVE)))))
    assert len(lines) > 1
    assert all(len(line) < LINE_LIMIT for line in lines)
    found = [one for line in lines for one in json.loads(line)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["histogram"]["dataPoints"]]
    assert [one["attributes"][0]["value"]["intValue"] for one in found] == [str(number) for number in range(5_000)]


def test_a_lost_surrogate_harms_one_character() -> None:
    span = ReadableSpan("n\ud800", context(1, 2), attributes={"k\udfff": "a\ud83d\ude00b\ud800"}, resource=RESOURCE)
    found = json.loads(encode.span(span, same))
    assert found["name"] == "n\ufffd"
    assert found["attributes"] == [{"key": "k\ufffd", "value": {"stringValue": "a😀b\ufffd"}}]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_value_is_bounded_in_time_and_size_and_runs_no_foreign_code(name: str) -> None:
    value, expected = HOSTILE[name]
    began = time.thread_time()
    item = encode.log(log(value), same)
    assert time.thread_time() - began < 1.0
    assert len(item) < ITEM_LIMIT
    json_format.Parse(b'{"logRecords":[' + item + b"]}", REQUESTS["logs"]().resource_logs.add().scope_logs.add())
    if expected is not None:
        assert json.loads(item)["body"] == expected


ENCODED = {
    "traces": (hostile_items.span, lambda item: [Lines(same).span(item)]),
    "logs": (hostile_items.log, lambda item: [Lines(same).log(item)]),
    "metrics": (hostile_items.metric, lambda item: list(Lines(same).metrics(item))),
}


@pytest.mark.parametrize("signal", ENCODED)
def test_hostile_items_are_lines_of_one_item_each(signal: str) -> None:
    make, lines = ENCODED[signal]
    for item in hostile_items.hostile(make):
        for line in lines(item):
            assert line.count(b"\n") == 1
            assert len(line) < LINE_LIMIT
            assert len(list(flat(signal, parsed(signal, line)))) == 1


def test_a_key_that_is_no_text_harms_nothing() -> None:
    labels = {5: 1, None: "a", 0.5: "b", b"k": 2, ("a", 1): "c", Text("own"): 3}
    [(item, _)] = encode.metrics(metrics_data(Metric("m", "", "", Gauge([NumberDataPoint(labels, 1, 2, 3)]))), same)
    found = json.loads(item)["gauge"]["dataPoints"][0]["attributes"]
    assert [one["key"] for one in found] == ["5", "None", "0.5", "<bytes>", "<tuple>", "own"]


def test_no_two_collections_begin_alike() -> None:
    """A Collector knows a file by its first 1,000 bytes, and takes two that begin alike for one."""
    beginnings = set()
    for moment in range(10):
        points = [NumberDataPoint({}, 100, moment, 1)]
        for kind in (Sum(points, AggregationTemporality.CUMULATIVE, True), Gauge(points)):
            [line] = Lines(same).metrics(metrics_data(Metric("m" * 2000, "d" * 2000, "u" * 2000, kind)))
            beginnings.add(line[:1000])
    assert len(beginnings) == 20


def test_what_is_cut_says_how_long_it_was() -> None:
    found = json.loads(encode.log(log("ä" * 3_000_000), same))["body"]["stringValue"]
    assert found.endswith("… [cut, 3000000 characters]")
    assert len(found) > 400_000
    span = ReadableSpan("s", context(1, 2), resource=RESOURCE, attributes={f"k{number:06}": "v" * 20 for number in range(40_000)})
    record = json.loads(encode.span(span, same))
    assert len(record["attributes"]) + record["droppedAttributesCount"] == 40_000


def test_a_credential_at_the_edge_of_the_window_is_not_half_kept() -> None:
    secret = "sk-" + "a" * 40

    def redact(text: str, name: str = "", /) -> str:
        return text.replace(secret, "[redacted]")

    for shift in range(0, 50, 7):
        found = any_value("x" * (2**20 - shift) + secret + "y" * 100, redact)["stringValue"]
        assert "sk-" not in found


@given(
    st.recursive(
        st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none(), st.booleans()),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=100, deadline=None)
def test_whatever_is_logged_parses_in_the_official_messages(value: Any) -> None:
    item = encode.log(log(value, {"value": value}), same)
    json_format.Parse(b'{"logRecords":[' + item + b"]}", REQUESTS["logs"]().resource_logs.add().scope_logs.add())
    assert b"\n" not in item


@given(st.integers(0, 200_000), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_a_large_item_is_cut_below_its_limit(length: int, times: int) -> None:
    span = ReadableSpan("s", context(1, 2), resource=RESOURCE, attributes={f"k{number}": "\x00é" * length for number in range(times)})
    assert len(encode.span(span, same)) < ITEM_LIMIT


def test_tails_are_kept_and_do_not_pile_up() -> None:
    lines = Lines(same)
    assert lines.tail("traces", RESOURCE, SCOPE) is lines.tail(
        "traces", RESOURCE, InstrumentationScope("otel_agents", "1", "https://example.test/scope", {"a": 1})
    )
    for number in range(1_000):
        lines.tail("traces", RESOURCE, InstrumentationScope(f"s{number}"))
    assert len(lines._tails) <= Lines.MAX_TAILS


def test_ids_are_never_cut() -> None:
    smallest = json.loads(shrunk(json.loads(encode.span(SPAN, same)), 10))
    assert [smallest["traceId"], smallest["links"][0]["traceId"]] == ["000000000000000000000000000000a1", "000000000000000000000000000000d4"]


def test_a_text_is_redacted_by_what_it_is_called_too() -> None:
    def redact(text: str, name: str = "", /) -> str:
        return "[redacted]" if name == "password" else text

    span = ReadableSpan("s", context(1, 2), resource=RESOURCE, attributes={"password": "hunter2", "user": "ann"})
    found = json.loads(encode.span(span, redact))["attributes"]
    assert [one["value"]["stringValue"] for one in found] == ["[redacted]", "ann"]
    assert "hunter2" not in json.dumps(any_value([{"login": {"password": "hunter2"}}], redact))
