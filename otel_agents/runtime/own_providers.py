"""Providers of ours, which are installed where the program has none: how each is made, what prints for it, and how its metrics are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_agents.redaction.exporters import redacting
from otel_agents.runtime.process import id_generator
from otel_agents.telemetry.series import CUMULATIVE, DELTA

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

    from otel_agents.config.settings import Settings
    from otel_agents.redaction.by_shape import Redact

EXPLICIT = "explicit_bucket_histogram"
DELTAS = {"delta": ("create_counter", "create_histogram"), "lowmemory": ("create_counter", "create_histogram"), "cumulative": ()}
TRACE_BASED = "trace_based"  # the specification's default, and the only filter that our aggregation has
SDK_TELLS_OF_ITSELF = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"


class OwnMeterProvider(MeterProvider):
    """The SDK's, which says when somebody else begins to read it, too: `joined()`."""

    def __init__(self, reader: MetricReader | None, resource: Resource, joined: Callable[[], None]) -> None:
        super().__init__([reader] if reader is not None else [], resource=resource, shutdown_on_exit=False)
        self._joined = joined

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        super().add_metric_reader(metric_reader)
        self._joined()


def own_provider(signal: str, resource: Resource, settings: Settings) -> Any:
    """A provider of spans or logs with nothing behind it yet."""
    if signal == "traces":
        return TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=id_generator(settings.id_generator))
    return LoggerProvider(resource=resource, shutdown_on_exit=False)


def is_lean() -> bool:
    """Whether our own spans and records may leave the SDK's objects out: they do not count themselves as the SDK's do, and know only its default limits."""
    asked = (name for name in os.environ if name.startswith("OTEL_") and (name.endswith("_LIMIT") or name == SDK_TELLS_OF_ITSELF))
    return not any(asked)


def is_aggregated(settings: Settings) -> bool:
    """Whether our aggregation can tell metrics as the settings ask for them; otherwise the SDK's does."""
    return settings.metric_histogram == EXPLICIT and os.environ.get("OTEL_METRICS_EXEMPLAR_FILTER", TRACE_BASED).lower() == TRACE_BASED


def deltas(settings: Settings) -> frozenset[str]:
    """The instruments that tell what has come since the last collection, as OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE asks for it."""
    return frozenset(DELTAS[settings.metric_temporality])


def temporality(settings: Settings) -> int:
    """How counters are told: what has come since the last collection, or all."""
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
    """What prints what a provider records, for OTEL_<SIGNAL>_EXPORTER=console."""
    from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    made: Mapping[str, Callable[[], Any]] = {
        "traces": lambda: SimpleSpanProcessor(redacting(ConsoleSpanExporter, redact)()),
        "logs": lambda: SimpleLogRecordProcessor(redacting(ConsoleLogRecordExporter, redact)()),
        "metrics": lambda: PeriodicExportingMetricReader(redacting(ConsoleMetricExporter, redact)()),
    }
    return made[signal]()
