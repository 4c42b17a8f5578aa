"""Providers of ours, installed where the program has none: how each is made, what prints its items, and the temporality and aggregation of its metrics."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_agents.redaction.exporters import redacting
from otel_agents.runtime.process import id_generator
from otel_agents.sdk.internals import LoggerProvider, LogRecordProcessor
from otel_agents.telemetry.series import CUMULATIVE, DELTA

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from otel_agents.config.settings import Settings
    from otel_agents.redaction.by_shape import Redact

EXPLICIT = "explicit_bucket_histogram"
DELTAS = {"delta": ("create_counter", "create_histogram"), "lowmemory": ("create_counter", "create_histogram"), "cumulative": ()}
TRACE_BASED = "trace_based"  # the specification's default, and the only filter that our aggregation has
SDK_INTERNAL_METRICS = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"


class OwnTracerProvider(TracerProvider):
    """The SDK's; `added` are the processors that it was given, in a new tuple after each."""

    added: tuple[SpanProcessor, ...] = ()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        super().add_span_processor(span_processor)
        self.added = (*self.added, span_processor)


class OwnLoggerProvider(LoggerProvider):
    """The same for log records."""

    added: tuple[LogRecordProcessor, ...] = ()

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        super().add_log_record_processor(log_record_processor)
        self.added = (*self.added, log_record_processor)


class OwnMeterProvider(MeterProvider):
    """The same for metrics; it calls `reader_added()` when somebody else begins to read it, too."""

    def __init__(self, reader: MetricReader | None, resource: Resource, reader_added: Callable[[], None]) -> None:
        self.added = (reader,) if reader is not None else ()
        super().__init__(self.added, resource=resource, shutdown_on_exit=False)
        self.reader_added = reader_added

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        super().add_metric_reader(metric_reader)
        self.added = (*self.added, metric_reader)
        self.reader_added()


def own_provider(signal: str, resource: Resource, settings: Settings) -> Any:
    """A provider of spans or log records without any processor."""
    if signal == "traces":
        return OwnTracerProvider(resource=resource, shutdown_on_exit=False, id_generator=id_generator(settings.id_generator))
    return OwnLoggerProvider(resource=resource, shutdown_on_exit=False)


def is_lean() -> bool:
    """Whether our own spans and records may bypass the SDK's objects: they know its default limits only, and aren't counted in its internal metrics."""
    asked = (name for name in os.environ if name.startswith("OTEL_") and (name.endswith("_LIMIT") or name == SDK_INTERNAL_METRICS))
    return not any(asked)


def is_aggregated(settings: Settings) -> bool:
    """Whether our aggregation offers what the settings ask for; otherwise the SDK aggregates."""
    return settings.metric_histogram == EXPLICIT and os.environ.get("OTEL_METRICS_EXEMPLAR_FILTER", TRACE_BASED).lower() == TRACE_BASED


def deltas(settings: Settings) -> frozenset[str]:
    """The instruments of delta temporality, as OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE chooses them."""
    return frozenset(DELTAS[settings.metric_temporality])


def temporality(settings: Settings) -> int:
    """The temporality of counters."""
    return DELTA if "create_counter" in deltas(settings) else CUMULATIVE


def preferences(settings: Settings) -> dict[str, Any]:
    """Temporality and aggregation as OTEL_EXPORTER_OTLP_METRICS_* ask for them, for a reader of the SDK's."""
    from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter
    from opentelemetry.sdk.metrics.export import AggregationTemporality
    from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

    delta = {"delta": (Counter, Histogram, ObservableCounter), "lowmemory": (Counter, Histogram), "cumulative": ()}[settings.metric_temporality]
    chosen: dict[str, Any] = {"preferred_temporality": dict.fromkeys(delta, AggregationTemporality.DELTA)}
    if settings.metric_histogram != EXPLICIT:
        chosen["preferred_aggregation"] = {Histogram: ExponentialBucketHistogramAggregation()}
    return chosen


def printer(signal: str, redact: Redact) -> Any:
    """The processor or reader that prints a provider's items, for OTEL_<SIGNAL>_EXPORTER=console."""
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    from otel_agents.sdk.internals import ConsoleLogRecordExporter, SimpleLogRecordProcessor

    made: Mapping[str, Callable[[], Any]] = {
        "traces": lambda: SimpleSpanProcessor(redacting(ConsoleSpanExporter, redact)()),
        "logs": lambda: SimpleLogRecordProcessor(redacting(ConsoleLogRecordExporter, redact)()),
        "metrics": lambda: PeriodicExportingMetricReader(redacting(ConsoleMetricExporter, redact)()),
    }
    return made[signal]()
