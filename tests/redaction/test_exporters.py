"""What the SDK's own exporters get where no journal is used: the same items, copied, without credentials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, StatusCode

from otel_agents.redaction.exporters import redacted, redacting
from otel_agents.redaction.redactor import Redactor

KEY = "sk-proj-4f8Gk2LmQ9rT7vXz1BcD3eFgH5jKnP6sUwYa"
REDACT = Redactor("full")
BESIDE = SpanContext(5, 6, True)


def resource() -> Resource:
    return Resource({"service.name": "shop", "note": KEY, "args": ("run", "--password", "hunter22")}, f"https://x/{KEY}")


def everything(value: Any, deep: int = 0) -> str:
    """All that an object holds, as text."""
    if deep > 12:
        return ""
    held = [*vars(value).values()] if hasattr(value, "__dict__") else [getattr(value, name, "") for name in getattr(type(value), "__slots__", ())]
    inner = [*value.items()] if isinstance(value, dict) else [*value] if isinstance(value, Sequence) and not isinstance(value, str | bytes) else held
    return f"{value!r} " + " ".join(everything(one, deep + 1) for one in inner)


def test_spans() -> None:
    kept, given = redacting(InMemorySpanExporter, REDACT)(), InMemorySpanExporter()
    provider = TracerProvider(resource=resource(), span_limits=SpanLimits(max_span_attributes=2, max_events=1), shutdown_on_exit=False)
    for exporter in (given, kept):
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer(f"library {KEY}", schema_url=f"https://x/{KEY}", attributes={"own": KEY})
    with tracer.start_as_current_span(f"call {KEY}", attributes={"own": KEY, "password": "hunter22", "n": 1}, links=[Link(BESIDE, {"own": KEY})]) as span:
        span.add_event("first")
        span.add_event(f"event {KEY}", {"own": KEY, KEY: 1})
        span.set_status(StatusCode.ERROR, KEY)
    (plain,), (fit,) = given.get_finished_spans(), kept.get_finished_spans()
    assert KEY in everything(plain)
    assert KEY not in everything(fit)
    assert "hunter22" not in everything(fit)
    assert (fit.name, dict(fit.attributes or {})) == ("call [redacted:openai-key]", {"password": "[redacted:password]", "n": 1})
    assert (fit.dropped_attributes, fit.dropped_events, fit.context, fit.end_time) == (1, 1, plain.context, plain.end_time)
    assert dict(fit.events[0].attributes or {}) == {"own": "[redacted:openai-key]", "[redacted:openai-key]": 1}


def test_logs_are_walked_without_their_context() -> None:
    kept = redacting(InMemoryLogRecordExporter, REDACT)()
    provider = LoggerProvider(resource=resource(), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    held = Context({"program": object()})
    body = {"deep": [KEY, {"password": "hunter22"}], "blob": KEY.encode(), KEY: [("authorization", "Basic dXNlcjpwYXNz")]}
    record = LogRecord(context=held, severity_number=SeverityNumber.INFO, severity_text=KEY, body=body, attributes={"own": KEY}, event_name=KEY)
    provider.get_logger(KEY).emit(record)
    (fit,) = kept.get_finished_logs()
    assert fit.log_record.body == {
        "deep": ["[redacted:openai-key]", {"password": "[redacted:password]"}],
        "blob": b"[redacted:openai-key]",
        "[redacted:openai-key]": [("authorization", "[redacted:authorization]")],
    }
    assert fit.log_record.context is held
    assert (fit.log_record.severity_text, fit.log_record.event_name) == ("[redacted:openai-key]", "[redacted:openai-key]")
    assert dict(fit.log_record.attributes or {}) == {"own": "[redacted:openai-key]"}
    assert KEY not in everything(fit.resource)


def test_metrics() -> None:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], resource=resource(), shutdown_on_exit=False).get_meter(f"library {KEY}")
    meter.create_counter("count", KEY, KEY).add(1, {"own": KEY, KEY: 5})
    meter.create_histogram("times", "s", KEY).record(2.5, {"own": KEY})
    data = reader.get_metrics_data()
    fit = redacted(data, REDACT)
    assert KEY in everything(data)
    assert KEY not in everything(fit)
    points = [point for metric in fit.resource_metrics[0].scope_metrics[0].metrics for point in metric.data.data_points]
    assert [dict(point.attributes) for point in points] == [{"own": "[redacted:openai-key]", "[redacted:openai-key]": 5}, {"own": "[redacted:openai-key]"}]
    assert (points[0].value, points[1].sum, fit.resource_metrics[0].resource.attributes["args"]) == (1, 2.5, ("run", "--password", "[redacted:password]"))
