"""The table of metrics: unit, description and buckets of each (semconv/README.md §2; ours: `otel_agents.*`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otel_agents import semconv as names

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
RUN_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6)
WORKFLOW_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
TOKENS = tuple(4**power for power in range(14))
CALLS = (1, 2, 4, 8, 16, 32, 64, 128)
SCORES = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 2, 3, 4, 5, 10, 100)  # most scales are 0 to 1; for others the mean is exact


@dataclass(frozen=True, slots=True)
class Instrument:
    """One row of the table of metrics. make: the method of a Meter that creates it."""

    make: str
    unit: str
    description: str
    buckets: tuple[float, ...] = ()


def _histogram(unit: str, description: str, buckets: tuple[float, ...]) -> Instrument:
    return Instrument("create_histogram", unit, description, buckets)


def _counter(unit: str, description: str) -> Instrument:
    return Instrument("create_counter", unit, description)


TABLE: Mapping[str, Instrument] = {
    names.METRIC_CLIENT_INFERENCE_DURATION: _histogram("s", "Duration of a model call.", SECONDS),
    names.METRIC_CLIENT_OPERATION_DURATION: _histogram("s", "Duration of a GenAI client operation.", SECONDS),
    names.METRIC_CLIENT_INFERENCE_TIME_TO_FIRST_CHUNK: _histogram("s", "Time from the request to the first chunk of a streamed response.", SECONDS),
    names.METRIC_CLIENT_INFERENCE_TIME_PER_OUTPUT_CHUNK: _histogram("s", "Time between the chunks of a streamed response after the first.", SECONDS),
    names.METRIC_CLIENT_INFERENCE_USAGE_INPUT_TOKENS: _counter("{token}", "Input tokens used, cached ones included."),
    names.METRIC_CLIENT_INFERENCE_USAGE_OUTPUT_TOKENS: _counter("{token}", "Output tokens used, reasoning included."),
    names.METRIC_CLIENT_INFERENCE_USAGE_CACHE_READ_INPUT_TOKENS: _counter("{token}", "Input tokens served from a cache of the provider."),
    names.METRIC_CLIENT_INFERENCE_USAGE_CACHE_WRITE_INPUT_TOKENS: _counter("{token}", "Input tokens written to a cache of the provider."),
    names.METRIC_CLIENT_INFERENCE_USAGE_REASONING_OUTPUT_TOKENS: _counter("{token}", "Output tokens spent on reasoning."),
    names.METRIC_CLIENT_INFERENCE_OPERATION_INPUT_TOKENS: _histogram("{token}", "Input tokens of one model call.", TOKENS),
    names.METRIC_CLIENT_INFERENCE_OPERATION_OUTPUT_TOKENS: _histogram("{token}", "Output tokens of one model call.", TOKENS),
    names.METRIC_INVOKE_AGENT_DURATION: _histogram("s", "Duration of an agent's run.", RUN_SECONDS),
    names.METRIC_INVOKE_AGENT_INFERENCE_CALLS: _histogram("{inference_call}", "Model calls of an agent's run, its own, failed ones included.", CALLS),
    names.METRIC_INVOKE_AGENT_TOOL_CALLS: _histogram("{tool_call}", "Tool calls of an agent's run, its own.", CALLS),
    names.METRIC_INVOKE_WORKFLOW_DURATION: _histogram("s", "Duration of a workflow.", WORKFLOW_SECONDS),
    names.METRIC_EXECUTE_TOOL_DURATION: _histogram("s", "Duration of a tool call.", SECONDS),
    names.METRIC_OA_STEP_DURATION: _histogram("s", "Duration of a step of the program's own.", SECONDS),
    names.METRIC_OA_COST: _counter("USD", "Price of model calls, where it is known."),
    names.METRIC_OA_RUNS: _counter("{run}", "Agent runs by outcome."),
    names.METRIC_OA_LOOPS: _counter("{loop}", "Times an agent called the same tool with the same arguments again and again."),
    names.METRIC_OA_EVALUATION_SCORE: _histogram("{score}", "Scores that evaluators gave; those below 0 and above 1e9 are in their events only.", SCORES),
    names.METRIC_OA_MEMORY_SEARCHES: _counter("{search}", "Memory searches by result."),
    names.METRIC_OA_AGENTS_ACTIVE: Instrument("create_up_down_counter", "{agent}", "Agent runs that are going on."),
    names.METRIC_OA_TELEMETRY_DROPPED: _counter("{item}", "Items of telemetry that were lost, by signal and reason."),
    names.METRIC_OA_SHIPPER_LAG: Instrument("gauge", "s", "Seconds that telemetry waits for its endpoint."),
    names.METRIC_CLIENT_TOKEN_USAGE: _histogram("{token}", "Tokens of one model call, by type (the name of before 2026-10).", TOKENS),
}
