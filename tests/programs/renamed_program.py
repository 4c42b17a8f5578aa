"""Records every kind of item through us and through the API, with providers of its own set at the time that argv names. Prints what its processors saw."""

import json
import logging
import os
import sys
from importlib import import_module

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_agents as oa


def either(*names):
    try:
        return import_module(names[0])
    except ImportError:
        return import_module(names[1])


logs = either("opentelemetry._logs", "opentelemetry.logs")
sdk_logs = either("opentelemetry.sdk._logs", "opentelemetry.sdk.logs")
spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
early = trace.get_tracer("early")
early_logger = logs.get_logger("early")


@oa.tool
def weigh(number):
    trace.get_current_span().set_attribute("weighed", number)  # a lean span becomes the SDK's
    return number


def items(label):
    with oa.agent(f"a-{label}"), early.start_as_current_span(f"early-{label}"):
        weigh(1)
        logging.getLogger("app").warning("said-%s", label)
        early_logger.emit(body=f"emitted-{label}")
        metrics.get_meter("app").create_counter(f"counted.{label}").add(1)
        with oa.step(f"plain-{label}"):
            oa.current()


def set_providers():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([reader]))
    logs.set_logger_provider(sdk_logs.LoggerProvider())


def main(when):
    logging.getLogger("app").addHandler(logging.NullHandler())
    if when == "before":
        set_providers()
    items("1")
    if when == "after":
        set_providers()
    items("2")
    child = os.fork()
    if child == 0:
        items("child")
        oa.shutdown()
        os._exit(0)
    os.waitpid(child, 0)
    print(json.dumps(sorted(span.name for span in spans.get_finished_spans())))


main(sys.argv[1])
