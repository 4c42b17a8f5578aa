"""The models behind the agents: latency, failures, truncated answers, changed models."""

from __future__ import annotations

from otel_agents import semconv as names
from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.panels import BARS, COUNT, LINES, MANY, RANKING, SPANS, STAT, TABLE, Board, Query, lines_of, panel, row, spans_of
from otel_agents.dashboards.promql import (
    ANSWERED,
    BAD,
    CALL,
    CHUNK,
    COST,
    ERROR,
    GOOD,
    MODEL,
    OUT,
    PROVIDER,
    above_none,
    failing,
    inc,
    label,
    or0,
    p95,
    per_hour,
    rate,
)

FINISH = label(names.RESPONSE_FINISH_REASONS)
REASON = f'| {FINISH}!="" | label_format reason=`{{{{regexReplaceAll "[^a-z_,]" .{FINISH} ""}}}}`'  # ["stop"] → stop
TOP = row(
    4,
    panel(STAT, "Calls", COUNT, or0(inc(CALL.count)), "Model calls in the time shown; retries made by the client itself are not counted."),
    panel(STAT, "Failed", "percentunit", failing(CALL), "The share of calls that ended with an error.", alert="model_calls_fail", empty="no calls"),
    panel(STAT, "Call p95", "s", p95(CALL), "95 % of calls were faster. The last bucket ends at 81.92 s.", empty="no calls"),
    panel(STAT, "First chunk p95", "s", p95(CHUNK), "95 % of streamed answers began sooner.", alert="first_chunk_slow", empty="no streamed calls"),
    panel(STAT, "Cost", "currencyUSD", inc(COST), "The cost of these calls, where the price is known.", empty="no known price"),
)
SPEED = row(
    8,
    panel(LINES, "Call p95 by model", "s", p95(CALL, MODEL), "95 % of calls were faster. Points link to traces.", empty="no calls"),
    panel(
        LINES,
        "First chunk p95 by model",
        "s",
        p95(CHUNK, MODEL),
        "Time to the first chunk of streamed answers. The dashed line is the alert's threshold.",
        alert="first_chunk_slow",
        empty="no streamed calls",
    ),
)
WORK = row(
    8,
    panel(
        LINES,
        "Output tokens a second",
        MANY,
        f"{rate(OUT, MODEL)} / {above_none(rate(CALL.sum.where(GOOD), MODEL))}",
        "Output tokens per second of waiting: how fast a model writes, thinking time included.",
        empty="no usage reported",
    ),
    panel(
        BARS,
        "Errors by provider",
        "suffix: /h",
        per_hour(CALL.count.where(BAD), PROVIDER, ERROR),
        "Failed calls per hour, by error.",
        empty="no call failed",
    ),
)
MODELS_TABLE = row(
    8,
    panel(
        TABLE,
        "Models",
        COUNT,
        (
            Query(inc(CALL.count, PROVIDER, MODEL), "Calls"),
            Query(failing(CALL, PROVIDER, MODEL), "Failed", "percentunit"),
            Query(p95(CALL, PROVIDER, MODEL), "p95", "s"),
            Query(inc(OUT, PROVIDER, MODEL), "Tokens out", MANY),
            Query(inc(COST, PROVIDER, MODEL), "Cost", "currencyUSD"),
        ),
        "One row per model. An empty cost means an unknown price, not 0.",
        alert="model_calls_fail",
    ),
)
ANSWERS = row(
    8,
    panel(
        TABLE,
        "Asked for, answered by",
        COUNT,
        Query(inc(CALL.count.where(GOOD), MODEL, ANSWERED), "Calls"),
        "The requested model and the one that answered: an alias that points to another model now shows as a new row.",
        empty="no calls",
    ),
    panel(
        RANKING,
        "Finish reasons",
        COUNT,
        lines_of(logql.counted(f'{logql.SAID} | {MODEL}=~"$model" {REASON}', "reason")),
        "Why answers ended. If more than 5 % are `length`, answers are cut short: raise the limit on output tokens.",
        empty="no calls",
    ),
)
FAILURES = row(
    8,
    panel(
        SPANS,
        "Failed calls",
        COUNT,
        spans_of(logql.spans(f'{logql.MODEL} =~ "$model"', "kind = client", logql.FAILED, shown=(logql.MODEL, logql.ERROR))),
        "The newest calls that failed; each links to its conversation.",
        empty="no call failed",
    ),
)
MODELS = Board(
    "models",
    "Agents: models",
    "Are the models slow, failing, cut short, or silently changed?",
    "Good: failures near 0, flat p95, fewer than 5 % of answers end with `length`.",
    variables.OF_MODEL,
    (variables.ENV, variables.SERVICES, variables.PROVIDERS, variables.MODELS),
    (TOP, SPEED, WORK, MODELS_TABLE, ANSWERS, FAILURES),
)
