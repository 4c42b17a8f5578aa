"""Hypothesis' strategies for spans, log records and metrics of the SDK with whatever the protocol can represent, and how to draw from them without a test."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
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
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState, set_span_in_context

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


def collected(resource: Resource, given_metrics: list[tuple[InstrumentationScope, list[Metric]]]) -> MetricsData:
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, some, scope.schema_url or "") for scope, some in given_metrics], resource.schema_url)])


collections = st.builds(
    collected, resources, st.lists(st.tuples(scopes, st.lists(metrics, min_size=1, max_size=3)), min_size=1, max_size=2, unique_by=lambda pair: pair[0])
)


wild_texts = st.text(st.characters(), max_size=30)  # lone surrogates, too
wild_values = st.recursive(
    st.one_of(wild_texts, st.booleans(), st.integers(), st.floats(), st.binary(max_size=30), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.tuples(inner, inner), st.dictionaries(st.one_of(wild_texts, st.integers()), inner, max_size=5)),
    max_leaves=40,
)
wild_attributes = st.dictionaries(wild_texts, wild_values, max_size=5)


def drawn(strategy: st.SearchStrategy[Any], times: int) -> list[Any]:
    """As many examples, the same at each call."""
    found: list[Any] = []

    @seed(1)
    @settings(max_examples=times, database=None, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def keep(one: Any) -> None:
        found.append(one)

    keep()
    return found
