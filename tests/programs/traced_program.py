"""The same program where somebody traces its conversations, with the plain OpenTelemetry API. argv: the model server's URL, questions."""

import sys

import agent_program
from opentelemetry import trace

if __name__ == "__main__":
    for question in sys.argv[2:]:
        with trace.get_tracer("conversations").start_as_current_span(question):
            print(agent_program.run(question))
