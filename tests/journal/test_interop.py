"""What we encode equals what the SDK's own protobuf encoder gives for the same items, whatever values both can represent.

The one mapping that the issue allows: ids are hex in OTLP/JSON and base64 in protobuf's own JSON.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
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
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState, set_span_in_context
from otlp_server import ITEMS, REQUESTS

from otel_agents.journal.encode import Lines
from otel_agents.journal.protobuf import PARTS, request
from otel_agents.journal.reading import joined

IDS = {"traceId", "spanId", "parentSpanId"}
LINES = Lines(lambda text, name="": text)

texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
doubles = st.one_of(st.floats(allow_nan=False), st.just(math.nan))  # a NaN's payload has no word in JSON
scalars = st.one_of(texts, st.booleans(), st.integers(-(2**63), 2**63 - 1), doubles, st.binary(max_size=20), st.none())
values = st.recursive(scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)), max_leaves=8)
attributes = st.dictionaries(names, values, max_size=6)
moments = st.integers(0, 2**64 - 1)
counts = st.integers(0, 2**64 - 1)
trace_ids, span_ids = st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)
trace_states = st.dictionaries(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True), st.from_regex(r"[!-+.-<>-~]{1,8}", fullmatch=True), max_size=3)
contexts = st.builds(
    lambda trace, span, remote, flags, state: SpanContext(trace, span, remote, TraceFlags(flags), TraceState(list(state.items()))),
    trace_ids,
    span_ids,
    st.booleans(),
    st.integers(0, 1),
    trace_states,
)
urls = st.sampled_from(["", "https://example.test/1", "https://example.test/2"])
resources = st.builds(Resource, st.dictionaries(names, st.one_of(texts, st.integers(0, 9)), max_size=3), urls)
scopes = st.builds(InstrumentationScope, names, st.one_of(st.none(), texts), urls, st.dictionaries(names, texts, max_size=2))
statuses = st.one_of(
    st.just(Status(StatusCode.UNSET)), st.just(Status(StatusCode.OK)), st.builds(lambda text: Status(StatusCode.ERROR, text), st.one_of(st.none(), texts))
)
events = st.builds(Event, names, attributes, moments)
links = st.builds(Link, contexts, attributes)
spans = st.builds(
    ReadableSpan,
    name=texts,
    context=contexts,
    parent=st.one_of(st.none(), contexts),
    resource=resources,
    attributes=attributes,
    events=st.lists(events, max_size=3),
    links=st.lists(links, max_size=3),
    kind=st.sampled_from(SpanKind),
    status=statuses,
    start_time=moments,
    end_time=moments,
    instrumentation_scope=scopes,
)


def record(context: SpanContext | None, **given: Any) -> LogRecord:
    return LogRecord(context=set_span_in_context(NonRecordingSpan(context), Context()) if context else Context({"": ""}), **given)


records = st.builds(
    record,
    context=st.one_of(st.none(), contexts),
    timestamp=st.one_of(st.none(), moments),
    observed_timestamp=moments,
    severity_text=st.one_of(st.none(), texts),
    severity_number=st.one_of(st.none(), st.sampled_from(SeverityNumber)),
    body=values,
    attributes=attributes,
    event_name=st.one_of(st.none(), texts),
)
logs = st.builds(ReadableLogRecord, records, resources, scopes)
exemplars = st.lists(
    st.one_of(
        st.builds(Exemplar, attributes, st.one_of(st.integers(-(2**63), 2**63 - 1), doubles), moments, span_ids, trace_ids),
        st.builds(Exemplar, attributes, doubles, moments),
    ),
    max_size=2,
)
numbers = st.lists(
    st.builds(NumberDataPoint, attributes, moments, moments, st.one_of(st.integers(-(2**63), 2**63 - 1), doubles), exemplars), min_size=1, max_size=3
)
bucket_counts, bounds = st.lists(counts, max_size=4), st.lists(doubles, max_size=3)
histograms = st.lists(
    st.builds(
        HistogramDataPoint,
        attributes,
        moments,
        moments,
        counts,
        doubles,
        st.lists(counts, max_size=4),
        st.lists(doubles, max_size=3),
        doubles,
        doubles,
        exemplars,
    ),
    min_size=1,
    max_size=2,
)
buckets = st.builds(Buckets, st.integers(-(2**31), 2**31 - 1), st.lists(counts, max_size=4))
exponentials = st.lists(
    st.builds(
        ExponentialHistogramDataPoint,
        attributes,
        moments,
        moments,
        counts,
        doubles,
        st.integers(-10, 20),
        counts,
        buckets,
        buckets,
        st.just(0),
        doubles,
        doubles,
        exemplars,
    ),
    min_size=1,
    max_size=2,
)
temporalities = st.sampled_from([AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA])
kinds = st.one_of(
    st.builds(Sum, numbers, temporalities, st.booleans()),
    st.builds(Gauge, numbers),
    st.builds(Histogram, histograms, temporalities),
    st.builds(ExponentialHistogram, exponentials, temporalities),
)
metrics = st.builds(Metric, texts, texts, texts, kinds)


@given(st.lists(spans, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_spans_equal_the_official_encoding(given_spans: list[ReadableSpan]) -> None:
    check("traces", [LINES.span(one)[:-1] for one in given_spans], encode_spans(given_spans))


@given(st.lists(logs, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_logs_equal_the_official_encoding(given_logs: list[ReadableLogRecord]) -> None:
    check("logs", [LINES.log(one)[:-1] for one in given_logs], encode_logs(given_logs))


@given(resources, st.lists(st.tuples(scopes, st.lists(metrics, min_size=1, max_size=3)), min_size=1, max_size=2, unique_by=lambda pair: pair[0]))
@settings(max_examples=60, deadline=None)
def test_metrics_equal_the_official_encoding(resource: Resource, given_metrics: list[tuple[InstrumentationScope, list[Metric]]]) -> None:
    data = MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, some, scope.schema_url or "") for scope, some in given_metrics], resource.schema_url)])
    check("metrics", [line[:-1] for line in LINES.metrics(data)], encode_metrics(data))


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
    text = json.dumps(with_base64_ids(json.loads(joined(signal, lines))))
    assert Counter(flat(signal, json_format.Parse(text, REQUESTS[signal](), ignore_unknown_fields=False))) == expected
    body, unreadable = request(signal, lines, lambda: None)
    assert unreadable == 0
    assert Counter(flat(signal, REQUESTS[signal].FromString(body))) == expected
    for line in lines:
        one = json.dumps(with_base64_ids(json.loads(line)))
        assert len(list(flat(signal, json_format.Parse(one, REQUESTS[signal]())))) == 1


def flat(signal: str, message: Any) -> Iterator[bytes]:
    """Each item with its scope and resource, as deterministic bytes."""
    outer, inner, name = PARTS[signal]
    for element in getattr(message, outer):
        for scope in getattr(element, inner):
            around = (element.resource, element.schema_url, scope.scope, scope.schema_url)
            for item in getattr(scope, name):
                yield repr([part if isinstance(part, str) else part.SerializeToString(deterministic=True) for part in (*around, item)]).encode()


def with_base64_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [with_base64_ids(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {name: b64encode(bytes.fromhex(part)).decode() if name in IDS else with_base64_ids(part) for name, part in node.items()}


assert set(ITEMS) == set(PARTS)
