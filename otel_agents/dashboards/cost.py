"""Tokens and cost. Cached and reasoning tokens are already included in input and output tokens: never add them."""

from __future__ import annotations

from otel_agents import semconv as names
from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.panels import BARS, COUNT, LINES, MANY, STAT, TABLE, Board, Query, lines_of, panel, row
from otel_agents.dashboards.promql import AGENT, CACHED, CALL, COST, GOOD, IN, MODEL, OK, OUT, RUNS, above_none, inc, label, or0, per_hour, rate

FRESH = f"{rate(IN)} - ({rate(CACHED)} or 0 * {rate(IN)})"
CONVERSATION = label(names.CONVERSATION_ID)
TOP = row(
    4,
    panel(STAT, "Cost", "currencyUSD", inc(COST), "The cost of all model calls with a known price.", empty="no known price"),
    panel(
        STAT,
        "Cost of a good run",
        "currencyUSD",
        f"{inc(COST)} / {above_none(inc(RUNS.where(OK)))}",
        "Everything that was spent, failures included, divided by the number of runs that ended well.",
        empty="no known price",
    ),
    panel(
        STAT,
        "Input from cache",
        "percentunit",
        f"{inc(CACHED)} / {above_none(inc(IN))}",
        "The share of input tokens that providers served from their caches, at a lower price.",
        empty="nothing cached",
    ),
    panel(STAT, "Input tokens", MANY, or0(inc(IN)), "Input tokens, cached ones included."),
    panel(STAT, "Output tokens", MANY, or0(inc(OUT)), "Output tokens, reasoning included."),
)
BY = row(
    8,
    panel(
        BARS,
        "Cost by agent",
        "currencyUSD",
        per_hour(COST, AGENT),
        "Dollars per hour. The alert's threshold is for a whole service.",
        empty="no known price",
        alert="cost_per_hour",
    ),
    panel(BARS, "Cost by model", "currencyUSD", per_hour(COST, MODEL), "Dollars per hour.", empty="no known price"),
)
TOKENS = row(
    8,
    panel(
        BARS,
        "Tokens: fresh, cached, out",
        "suffix: /s",
        (Query(FRESH, "input, fresh"), Query(rate(CACHED), "input, cached"), Query(rate(OUT), "output")),
        "Tokens per second. Fresh and cached input add up to all input.",
        empty="no usage reported",
    ),
    panel(
        LINES,
        "Input from cache by model",
        "percentunit",
        f"{rate(CACHED, MODEL)} / {above_none(rate(IN, MODEL))}",
        "A prompt whose beginning stays the same is cheap; a falling line means that the beginning of a prompt changed.",
        empty="nothing cached",
    ),
)
WHERE = row(
    8,
    panel(
        TABLE,
        "Without a price",
        COUNT,
        Query(f"{inc(CALL.count.where(GOOD), MODEL)} unless on ({MODEL}) {inc(COST, MODEL)}", "Calls"),
        "Models whose price is not known: their cost is missing everywhere. Update otel-agents, or set the cost with `oa.current()`.",
        empty="every model has a price",
    ),
    panel(
        TABLE,
        "Dearest conversations",
        "currencyUSD",
        lines_of(logql.top(logql.added(f'{logql.SAID} | {AGENT}=~"$agent" | {CONVERSATION}!=""', names.OA_COST, CONVERSATION)), "Cost"),
        "What conversations cost in the time shown; each links to its messages.",
        empty="no conversation has a known price",
    ),
)
COSTS = Board(
    "cost",
    "Agents: tokens and cost",
    "What do the agents cost, and what for?",
    "Good: cost follows runs, most of a long prompt comes from the cache, every model has a price.",
    variables.OF_AGENT,
    (variables.ENV, variables.SERVICES, variables.AGENTS),
    (TOP, BY, TOKENS, WHERE),
)
