"""Small builders of PromQL queries, and the metrics as Prometheus names them.

Every function returns a query with two placeholders, `{@}` for the board's selector and `[@]` for the panel's window, which `placed()` fills in. Counts use
`increase()`: with start timestamps (collector/prometheus.yaml) it includes programs that reported only once.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_agents import semconv as names

WINDOW = "@"
RANGE, INTERVAL = "$__range", "$__rate_interval"  # one value for the whole time range; one for each point of a line


def label(attribute: str) -> str:
    """The label that Prometheus and Loki derive from an attribute."""
    return attribute.replace(".", "_")


AGENT, TOOL, MODEL, ANSWERED = label(names.AGENT_NAME), label(names.TOOL_NAME), label(names.REQUEST_MODEL), label(names.RESPONSE_MODEL)
PROVIDER, OPERATION, ERROR, SERVICE = label(names.PROVIDER_NAME), label(names.OPERATION_NAME), label(names.ERROR_TYPE), label(names.SERVICE_NAME)
OUTCOME, STEP, STORE = label(names.OA_OUTCOME), label(names.OA_STEP_NAME), label(names.OA_MEMORY_STORE)
LAST_STEP = label(names.OA_LAST_STEP)
EVALUATION, VERDICT = label(names.EVALUATION_NAME), label(names.EVALUATION_SCORE_LABEL)
SCORE, EXPLANATION = label(names.EVALUATION_SCORE_VALUE), label(names.EVALUATION_EXPLANATION)
RESULT, SIGNAL, REASON = label(names.OA_RESULT), label(names.OA_SIGNAL), label(names.OA_REASON)
ENVIRONMENT = "deployment_environment_name"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with conditions on its labels. str() gives a selector with the placeholder for the board's."""

    name: str
    conditions: tuple[str, ...] = ()

    def where(self, *conditions: str) -> Metric:
        return Metric(self.name, (*self.conditions, *conditions))

    def part(self, suffix: str) -> Metric:
        return Metric(f"{self.name}_{suffix}", self.conditions)

    @property
    def count(self) -> Metric:
        return self.part("count")

    @property
    def sum(self) -> Metric:
        """The sum of a histogram: of seconds, of scores."""
        return self.part("sum")

    def __str__(self) -> str:
        return f"{self.name}{{{','.join((WINDOW, *self.conditions))}}}"


def counter(name: str, unit: str = "") -> Metric:
    return Metric(f"{label(name)}{unit}_total")


def durations(name: str) -> Metric:
    return Metric(f"{label(name)}_seconds")


RUN, CALL, TOOL_CALL = (
    durations(name) for name in (names.METRIC_INVOKE_AGENT_DURATION, names.METRIC_CLIENT_INFERENCE_DURATION, names.METRIC_EXECUTE_TOOL_DURATION)
)
CLIENT, CHUNK = durations(names.METRIC_CLIENT_OPERATION_DURATION), durations(names.METRIC_CLIENT_INFERENCE_TIME_TO_FIRST_CHUNK)
STEPS = durations(names.METRIC_OA_STEP_DURATION)
CALLS_A_RUN, TOOLS_A_RUN = Metric(label(names.METRIC_INVOKE_AGENT_INFERENCE_CALLS)), Metric(label(names.METRIC_INVOKE_AGENT_TOOL_CALLS))
IN, OUT = counter(names.METRIC_CLIENT_INFERENCE_USAGE_INPUT_TOKENS), counter(names.METRIC_CLIENT_INFERENCE_USAGE_OUTPUT_TOKENS)
CACHED = counter(names.METRIC_CLIENT_INFERENCE_USAGE_CACHE_READ_INPUT_TOKENS)
RUNS, LOOPS, SEARCHES = counter(names.METRIC_OA_RUNS), counter(names.METRIC_OA_LOOPS), counter(names.METRIC_OA_MEMORY_SEARCHES)
COST, LOST = counter(names.METRIC_OA_COST, "_USD"), counter(names.METRIC_OA_TELEMETRY_DROPPED)
SCORES = Metric(label(names.METRIC_OA_EVALUATION_SCORE))
RUNNING, LAG = Metric(label(names.METRIC_OA_AGENTS_ACTIVE)), Metric(f"{label(names.METRIC_OA_SHIPPER_LAG)}_seconds")
UP = Metric("up", ('job=~"otelcol|prometheus|loki|tempo|victorialogs|jaeger"',))
QUEUE = "otelcol_exporter_queue_size / otelcol_exporter_queue_capacity"
# What the Collector dropped: refused by a store or its queue, or too long for VictoriaLogs (overlays/open-stores.yaml). A scraped counter may lack `_total`,
# and its start.
UNSENT = '{__name__=~"otelcol_exporter_(send|enqueue)_failed_.+|otelcol_processor_filter_logs_filtered(_total)?",filter=~"|filter/victorialogs"}'
REFUSED = '{__name__=~"loki_discarded_samples_total|vl_rows_dropped_total"}'

FAILED, DIED, BAD, GOOD = f'{OUTCOME}=~"error|died"', f'{OUTCOME}="died"', f'{ERROR}!=""', f'{ERROR}=""'
OK, OTHER, HIT = f'{OUTCOME}="ok"', f'{AGENT}="_other"', f'{RESULT}="hit"'
MEMORY = f'{OPERATION}!~"chat|text_completion|generate_content"'  # the metric's name before 2026-10 also covers model calls

# ------------------------------------------------------------------------------------------------ queries


def grouped(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)})" if by else "sum"


def inc(metric: Metric, *by: str, over: str = WINDOW, ago: str = "") -> str:
    """The increase of a counter in a window that ends now or some time ago."""
    return f"{grouped(by)} (increase({metric}[{over}]{f' offset {ago}' if ago else ''}))"


def rate(metric: Metric, *by: str, over: str = WINDOW) -> str:
    """The increase of a counter per second."""
    return f"{grouped(by)} (rate({metric}[{over}]))"


def per_hour(metric: Metric, *by: str) -> str:
    return f"{rate(metric, *by)} * 3600"


def quantile(share: float, metric: Metric, *by: str, over: str = WINDOW) -> str:
    """A quantile of a histogram, limited by the bound of its last bucket."""
    return f"histogram_quantile({share}, sum by ({', '.join(('le', *by))}) (rate({metric.part('bucket')}[{over}])))"


def p95(metric: Metric, *by: str, over: str = WINDOW) -> str:
    return quantile(0.95, metric, *by, over=over)


def p50(metric: Metric, *by: str) -> str:
    return quantile(0.5, metric, *by)


def above_none(query: str) -> str:
    """The query where it is above 0: a safe divisor."""
    return f"({query} > 0)"


def share(metric: Metric, *by: str, of: str, over: str = WINDOW) -> str:
    """The share that meets a condition: 0 if none does, no data without events."""
    every = inc(metric, *by, over=over)
    return f"(({inc(metric.where(of), *by, over=over)} or 0 * {every}) / {above_none(every)})"


def mean(metric: Metric, *by: str, over: str = WINDOW) -> str:
    """The mean of a histogram's values."""
    return f"({inc(metric.sum, *by, over=over)} / {above_none(inc(metric.count, *by, over=over))})"


def failing(metric: Metric, *by: str, over: str = WINDOW) -> str:
    """The share of calls that failed."""
    return share(metric.count, *by, of=BAD, over=over)


def or0(query: str) -> str:
    """The query, or 0 where it has no data."""
    return f"{query} or vector(0)"


def most(query: str, rows: int = 10) -> str:
    return f"sort_desc(topk({rows}, {query} > 0))"


def placed(query: str, selector: str = "", window: str = "") -> str:
    """The query with its placeholders filled in."""
    inner, whole = (f"{{{selector},", f"{{{selector}}}") if selector else ("{", "")
    return query.replace(f"{{{WINDOW},", inner).replace(f"{{{WINDOW}}}", whole).replace(f"[{WINDOW}]", f"[{window}]")
