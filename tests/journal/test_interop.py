"""What we encode equals what the SDK's own protobuf encoder gives for the same items, whatever values both can represent."""

from __future__ import annotations

import json
from collections import Counter

from generated import collections, logs, spans
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from official import flat, parsed
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import Link, SpanContext
from otlp_server import ITEMS, REQUESTS

from otel_agents.journal.batches import joined
from otel_agents.journal.encode import Lines
from otel_agents.journal.protobuf import PARTS, request

LINES = Lines(lambda text, name="": text)


@given(st.lists(spans, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_spans_equal_the_official_encoding(given_spans: list[ReadableSpan]) -> None:
    check("traces", [LINES.span(one)[:-1] for one in given_spans], encode_spans(given_spans))


@given(st.lists(logs, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_logs_equal_the_official_encoding(given_logs: list[ReadableLogRecord]) -> None:
    check("logs", [LINES.log(one)[:-1] for one in given_logs], encode_logs(given_logs))


@given(collections)
@settings(max_examples=60, deadline=None)
def test_metrics_equal_the_official_encoding(given_metrics: MetricsData) -> None:
    check("metrics", [line[:-1] for line in LINES.metrics(given_metrics)], encode_metrics(given_metrics))


def test_what_the_sdk_dropped_is_counted_alike() -> None:
    provider = TracerProvider(span_limits=SpanLimits(max_attributes=2, max_events=1, max_links=1, max_event_attributes=1, max_link_attributes=1))
    other = SpanContext(1, 2, is_remote=False)
    with provider.get_tracer("t").start_as_current_span("s", links=[Link(other, {"a": 1, "b": 2}), Link(other, {"a": 1, "b": 2})]) as span:
        span.set_attributes({"a": 1, "b": 2, "c": 3})
        for name in "xyz":
            span.add_event(name, {"a": 1, "b": 2})
    assert isinstance(span, ReadableSpan)
    check("traces", [LINES.span(span)[:-1]], encode_spans([span]))
    assert json.loads(LINES.span(span))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["droppedAttributesCount"] == 1


def check(signal: str, lines: list[bytes], official: Message) -> None:
    """As JSON through the strict official parser, and as protobuf, both are the official items as multisets."""
    expected = Counter(flat(signal, official))
    assert Counter(flat(signal, parsed(signal, joined(signal, lines)))) == expected
    body, unreadable = request(signal, lines, lambda: None)
    assert unreadable == 0
    assert Counter(flat(signal, REQUESTS[signal].FromString(body))) == expected
    for line in lines:
        assert len(list(flat(signal, parsed(signal, line)))) == 1


assert set(ITEMS) == set(PARTS)
