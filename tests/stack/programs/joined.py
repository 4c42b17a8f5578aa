"""joined.py TRACE_ID: one run with a model call and a log line, as part of a trace that began elsewhere."""

import logging
import sys

from opentelemetry import context, trace

import otel_agents as oa

parent = trace.SpanContext(int(sys.argv[1], 16), 0x1234, is_remote=True, trace_flags=trace.TraceFlags(1))
context.attach(trace.set_span_in_context(trace.NonRecordingSpan(parent)))


@oa.llm(model="gpt-4o-mini", provider="openai")
def ask(question):
    logging.getLogger("joined").warning("asking %s", question)
    oa.current().usage(input_tokens=10, output_tokens=5)
    return question


@oa.agent(name="joiner")
def run():
    return ask("why?")


run()
