"""The alerts: what they measure, their thresholds, and what to do when they fire.

A ratio of few events is noise, so every ratio requires a minimum number of events. The `alerts:` section of the configuration overrides these defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otel_agents.dashboards.promql import (
    AGENT,
    CACHED,
    CALL,
    CHUNK,
    COST,
    DIED,
    EVALUATION,
    FAILED,
    GOOD,
    IN,
    LOOPS,
    LOST,
    MODEL,
    OUT,
    PROVIDER,
    QUEUE,
    REASON,
    RUN,
    RUNNING,
    RUNS,
    SCORES,
    SERVICE,
    SIGNAL,
    TOOL,
    TOOL_CALL,
    UNSENT,
    UP,
    above_none,
    failing,
    inc,
    mean,
    p95,
    placed,
    share,
)

Thresholds = Mapping[str, Mapping[str, Any]]
SPEND = "service_agent:otel_agents_cost_USD:increase1h"
WHOSE, MODELS, TOOLS = (SERVICE, AGENT), (PROVIDER, MODEL), (SERVICE, TOOL)
A_WHOLE_RUN = f"sum by ({', '.join(WHOSE)}) (increase({RUNS}[10m]) or last_over_time({RUNNING}[5m]))"  # a run that never ends is in no histogram
OF_AN_AGENT = CALL.count.where(f'{AGENT}!=""')
CALLS_A_RUN = f"{inc(OF_AN_AGENT, *WHOSE, over='10m')} / {above_none(A_WHOLE_RUN)}"
LOOP = f"{inc(LOOPS, *WHOSE, over='10m')} > 0"
RUNS_A_DAY = inc(RUNS, *WHOSE, over="1d", ago="1h")
RUNS_YESTERDAY = inc(RUNS, *WHOSE, over="1h", ago="1d")  # at this hour: an agent that pauses at night, or runs only at night, raises no alert
SILENT = f"{{value}} >= {{threshold}} and {RUNS_YESTERDAY} > 0 unless {inc(RUNS, *WHOSE, over='1h')} > 0"
INPUT = inc(IN, SERVICE, over="1h")
TOKENS = f"{INPUT} + ({inc(OUT, SERVICE, over='1h')} or 0 * {INPUT})"
OF_PROMPTS = (SERVICE, AGENT, MODEL)
PROMPTS = inc(IN, *OF_PROMPTS, over="30m")
FROM_CACHE = f"(({inc(CACHED, *OF_PROMPTS, over='30m')} or 0 * {PROMPTS}) / {above_none(PROMPTS)})"
PROMPTS_BEFORE = inc(IN, *OF_PROMPTS, over="1d", ago="30m")
FROM_CACHE_BEFORE = f"({inc(CACHED, *OF_PROMPTS, over='1d', ago='30m')} / {above_none(PROMPTS_BEFORE)})"
LESS_FROM_CACHE = f"{{value}} < {{threshold}} * ({FROM_CACHE_BEFORE} > 0.2)"  # below a fifth, caching hardly mattered before
EVALUATIONS = (SERVICE, EVALUATION)
SCORE_BEFORE = f"{inc(SCORES.sum, *EVALUATIONS, over='1d', ago='1h')} / ({inc(SCORES.count, *EVALUATIONS, over='1d', ago='1h')} >= {{least}})"
NOT_SENT = f"sum by (exporter, filter) ({UNSENT})"
NOT_SENT_BEFORE = f"sum by (exporter, filter) ({UNSENT} offset 5m)"  # a scraped counter has no start time: rate() misses its first increment


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. value: the query for what is measured; condition: with placeholders for the value, the threshold, the minimum number of events and the
    smallest cost that can be a spike; events: the query for the number of events it was measured on; minimum: how many of those there must be."""

    key: str
    name: str
    value: str
    condition: str
    wait: str  # how long the condition must hold
    severity: str
    summary: str
    description: str
    runbook: str
    board: str
    threshold: float | None = None
    events: str = ""
    minimum: int = 0

    def expression(self, thresholds: Thresholds) -> str:
        """The rule's expression, with the thresholds of the configuration file filled in."""
        least = thresholds.get(self.key, {}).get("events", self.minimum)
        placeholders = {
            "{value}": self.value,
            "{threshold}": threshold_of(self.key, thresholds),
            "{least}": str(least),
            "{floor}": threshold_of("cost_per_hour", thresholds, 0.1),
        }
        expression = self.condition
        for placeholder, text in placeholders.items():
            expression = expression.replace(placeholder, text)
        return placed(f"{expression} and {self.events} >= {least}" if self.events else expression)


def threshold_of(key: str, thresholds: Thresholds, part: float = 1) -> str:
    """The threshold in the configuration file, else the default, as PromQL writes it; empty for alerts without one."""
    value = thresholds.get(key, {}).get("threshold", BY_KEY[key].threshold)
    return "" if value is None else f"{value * part:.12g}"


PAGE, TICKET = "page", "ticket"
ABOVE = "{value} > {threshold}"
WHO, WHICH_MODEL = f"{{{{ $labels.{AGENT} }}}} of {{{{ $labels.{SERVICE} }}}}", f"{{{{ $labels.{MODEL} }}}} of {{{{ $labels.{PROVIDER} }}}}"
ITS_SERVICE, ITS_EXPORTER = f"{{{{ $labels.{SERVICE} }}}}", "{{ $labels.exporter }}"
PERCENT, SECONDS, DOLLARS = "{{ $value | humanizePercentage }}", "{{ $value | humanizeDuration }}", '{{ $value | printf "%.2f" }} USD'
COUNT, MANY = '{{ $value | printf "%.0f" }}', "{{ $value | humanize }}"

ALERTS = (
    Alert(
        "agent_runs_fail", "AgentRunsFail", share(RUNS, *WHOSE, of=FAILED, over="30m"), ABOVE, "5m", TICKET,
        f"Runs of {WHO} fail",
        f"{PERCENT} of its runs failed in the last 30 minutes.",
        "Open Fleet: 'Why runs fail' names the errors, 'Failures' leads to the traces. "
        "Did a deployment, a model or a tool change at that time? The Models and Tools boards show which is at fault.",
        "fleet", 0.2, inc(RUNS, *WHOSE, over="30m"), 10,
    ),
    Alert(
        "agent_slow", "AgentSlow", p95(RUN, *WHOSE, over="30m"), ABOVE, "10m", TICKET,
        f"Runs of {WHO} are slow",
        f"95 % of its runs took up to {SECONDS}. Durations above 409.6 s show as 409.6 s.",
        "Open Agent: 'Busy with models, tools' says what it waits for, 'Calls a run' whether it makes more calls than before, 'Long runs' "
        "leads to traces.",
        "agent", 120, inc(RUN.count, *WHOSE, over="30m"), 10,
    ),
    Alert(
        "model_calls_fail", "ModelCallsFail", failing(CALL, *MODELS, over="15m"), ABOVE, "5m", PAGE,
        f"Calls of {WHICH_MODEL} fail",
        f"{PERCENT} of the calls failed in the last 15 minutes.",
        "Open Models: 'Errors by provider' names them. 429: the quota is used up, or retries pile up. 401, 403: the API key. "
        "5xx, timeouts: the provider's status page; switch to another model.",
        "models", 0.1, inc(CALL.count, *MODELS, over="15m"), 20,
    ),
    Alert(
        "first_chunk_slow", "FirstChunkSlow", p95(CHUNK, *MODELS, over="15m"), ABOVE, "10m", TICKET,
        f"Answers of {WHICH_MODEL} begin late",
        f"95 % of streamed answers began within {SECONDS}.",
        "Are prompts longer than before (Cost, 'Tokens'), or are they cached less ('Input from cache by model')? If neither: the provider is busy.",
        "models", 5, inc(CHUNK.count, *MODELS, over="15m"), 20,
    ),
    Alert(
        "cost_per_hour", "CostPerHour", inc(COST, SERVICE, over="1h"), ABOVE, "0m", PAGE,
        f"{ITS_SERVICE} spends fast",
        f"It spent {DOLLARS} in the last hour.",
        "Open Cost: 'Cost by agent' and 'Cost by model' show which agent and model, 'Dearest conversations' what for. A loop? See the Agent board.",
        "cost", 10,
    ),
    Alert(
        "cost_spike", "CostSpike", SPEND, f"{{value}} > {{threshold}} * max_over_time({SPEND}[7d] offset 2h) and {SPEND} > {{floor}}", "0m", PAGE,
        f"{WHO} spends far more than usual",
        f"It spent {DOLLARS} in the last hour, far more than in the most expensive hour of the week before. Below a tenth of CostPerHour this alert "
        "does not fire.",
        "Open Cost. More runs, more expensive runs, or another model? 'Cost of a good run' tells the first two apart.",
        "cost", 2,
    ),
    Alert(
        "tokens_per_hour", "TokensPerHour", TOKENS, ABOVE, "0m", TICKET,
        f"{ITS_SERVICE} uses many tokens",
        f"It used {MANY} tokens in the last hour. This alert also covers models whose price is unknown.",
        "Open Cost: 'Tokens' says whether it is input or output, 'Without a price' lists models without a price.",
        "cost", 2e7,
    ),
    Alert(
        "tool_fails", "ToolFails", failing(TOOL_CALL, *TOOLS, over="30m"), ABOVE, "5m", TICKET,
        f"Tool {{{{ $labels.{TOOL} }}}} of {ITS_SERVICE} fails",
        f"{PERCENT} of its calls failed in the last 30 minutes.",
        "Open Tools: 'Why calls fail' names the exceptions, 'Failed calls' links to traces with the arguments that the model passed.",
        "tools", 0.3, inc(TOOL_CALL.count, *TOOLS, over="30m"), 20,
    ),
    Alert(
        "agent_loops", "AgentLoops", CALLS_A_RUN, f"{LOOP} or {ABOVE}", "0m", PAGE,
        f"{WHO} is looping",
        "It calls one tool with the same arguments again and again, or makes far more model calls per run than any task needs.",
        "Open Agent: 'Calls a run', then Tools, 'Over 10 calls in a trace'. "
        "Stop the program if it spends; limit the number of steps in its loop, and return from the tool why it failed.",
        "agent", 60,
    ),
    Alert(
        "agent_died", "AgentDied", inc(RUNS.where(DIED), *WHOSE, over="15m"), "{value} > 0", "0m", TICKET,
        f"{WHO} died in the middle of a run",
        f"The processes of {COUNT} of its runs were found dead in the last 15 minutes; the work of those runs is unfinished.",
        "Open Fleet: 'Died' has the last step of each and links to its trace. Out of memory? The system's log or a container's exit status of 137 says so. "
        "A deployment, or a job's time limit? Let runs finish first: handle SIGTERM, allow more time. Then start those runs again.",
        "fleet",
    ),
    Alert(
        "agent_silent", "AgentSilent", RUNS_A_DAY, SILENT, "15m", TICKET,
        f"{WHO} has fallen silent",
        f"It had {COUNT} runs in a day, some of them at this hour, and none in the last hour.",
        "Is the program running, and OTEL_AGENTS_ENABLED set? `otel-agents doctor` where it runs; the Pipeline board shows whether telemetry arrives at all. "
        "Meant to pause at night? Raise agent_silent.",
        "fleet", 48,
    ),
    Alert(
        "evaluations_drop", "EvaluationsDrop", mean(SCORES, *EVALUATIONS, over="1h"), f"{{value}} < {SCORE_BEFORE} - {{threshold}}", "15m", TICKET,
        f"Answers of {ITS_SERVICE} score worse",
        f"The mean score of {{{{ $labels.{EVALUATION} }}}} was {{{{ $value | printf `%.2f` }}}} in the last hour, well below that of the day before.",
        "Open Quality: 'Failed answers' links to the evaluated traces. Did a model, a prompt or the retrieved content change at that time? Or the "
        "evaluator? Its version is an attribute of its spans. Scores on a scale other than 0 to 1 need another threshold.",
        "quality", 0.1, inc(SCORES.count, *EVALUATIONS, over="1h"), 100,
    ),
    Alert(
        "cache_hits_drop", "CacheHitsDrop", FROM_CACHE, LESS_FROM_CACHE, "15m", TICKET,
        f"Less of the input of {WHO} comes from its provider's cache",
        f"{PERCENT} of the input to {{{{ $labels.{MODEL} }}}} in the last 30 minutes, far less than in the day before: the same work costs more.",
        "Open Cost: 'Input from cache by model'. The beginning of a prompt is cached: does it begin with something that changes, a time, an id, "
        "tools in another order? Are there fewer calls than before? Providers' caches expire within minutes.",
        "cost", 0.6, inc(CALL.count.where(GOOD), *OF_PROMPTS, over="30m"), 50,
    ),
    Alert(
        "telemetry_lost", "TelemetryLost", inc(LOST, SERVICE, SIGNAL, REASON, over="15m"), "{value} > 0", "0m", TICKET,
        f"{ITS_SERVICE} loses telemetry",
        f"It lost {COUNT} items of its {{{{ $labels.{SIGNAL} }}}}, because: {{{{ $labels.{REASON} }}}}.",
        "`otel-agents doctor` where the program runs says what was lost and how to fix it; the Pipeline board shows whether other services lose "
        "telemetry, too.",
        "pipeline",
    ),
    Alert(
        "collector_queue_full", "CollectorQueueFull", f"max by (exporter) ({QUEUE})", ABOVE, "5m", PAGE,
        f"The Collector's queue to {ITS_EXPORTER} fills up",
        f"It is {PERCENT} full. When it is full, programs keep their telemetry in their journals until there is room.",
        "The store behind it is slow or down: `otel-agents stack status`, then its log. Free disk space there, or raise queue_size.",
        "pipeline", 0.8,
    ),
    Alert(
        "collector_loses", "CollectorLoses", f"{NOT_SENT} - ({NOT_SENT_BEFORE} or 0 * {NOT_SENT})", "{value} > 0", "0m", PAGE,
        f"The Collector drops items for {ITS_EXPORTER}{{{{ $labels.filter }}}}",
        f"{COUNT} items were dropped in the last 5 minutes: the store refused them permanently, or the queue was full.",
        "The Collector's log says which store and why: too old for its window, too long a line, too many streams, a missing tenant.",
        "pipeline",
    ),
    Alert(
        "pipeline_down", "PipelineDown", str(UP), "{value} == 0", "2m", PAGE,
        "{{ $labels.job }} is down",
        "Prometheus has not reached {{ $labels.instance }} for two minutes.",
        "`otel-agents stack status` says which server is down; start it again. Meanwhile programs keep their telemetry in their journals.",
        "pipeline",
    ),
)  # fmt: skip
BY_KEY = {alert.key: alert for alert in ALERTS}
