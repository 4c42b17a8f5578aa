"""Sets providers of its own at a chosen time and records through the API and through us. argv: when, which signals. Prints what its processors saw."""

import json
import logging
import sys

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_agents as oa

when, signals = sys.argv[1], sys.argv[2].split(",")
spans, logs, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
app = logging.getLogger("app")
app.addHandler(logging.NullHandler())
early = trace.get_tracer("early")
early_logger = _logs.get_logger("early")
early_counter = metrics.get_meter("early").create_counter("early")
taken = []


def untouched():
    return [trace._TRACER_PROVIDER, metrics._internal._METER_PROVIDER, _logs._internal._LOGGER_PROVIDER] == [None, None, None]


def set_providers():
    if "traces" in signals:
        taken.append((trace.get_tracer_provider, TracerProvider()))
        taken[-1][1].add_span_processor(SimpleSpanProcessor(spans))
        trace.set_tracer_provider(taken[-1][1])
    if "metrics" in signals:
        taken.append((metrics.get_meter_provider, MeterProvider([reader])))
        metrics.set_meter_provider(taken[-1][1])
    if "logs" in signals:
        taken.append((_logs.get_logger_provider, LoggerProvider()))
        taken[-1][1].add_log_record_processor(SimpleLogRecordProcessor(logs))
        _logs.set_logger_provider(taken[-1][1])


def item(number):
    with early.start_as_current_span(f"early-{number}"), oa.step(f"ours-{number}"):
        trace.get_tracer("late").start_span(f"late-{number}").end()
        app.warning("log-%d", number)
        early_logger.emit(body=f"early-log-{number}")
        early_counter.add(1)
        metrics.get_meter("late").create_counter("late").add(1)


clean = untouched()
if when == "before":
    set_providers()
oa.start()
if when == "between":
    clean = clean and untouched()
    set_providers()
if when == "after":
    clean = clean and untouched()
    item(0)
    kept = trace.get_tracer("kept")
    with kept.start_as_current_span("open"):
        set_providers()
    kept.start_span("stale").end()
item(1)
measured = reader.get_metrics_data() if "metrics" in signals else None
seen = {
    "clean": clean,
    "theirs": all(get() is provider for get, provider in taken),
    "spans": sorted(span.name for span in spans.get_finished_spans()),
    "logs": sorted(str(log.log_record.body) for log in logs.get_finished_logs()),
    "metrics": sorted(m.name for r in measured.resource_metrics for s in r.scope_metrics for m in s.metrics) if measured else [],
}
print(json.dumps(seen))
