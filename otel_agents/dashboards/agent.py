"""One agent: how its runs end, and where they spend their time."""

from __future__ import annotations

from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.panels import ANY, BARS, COUNT, HEAT, LINES, MANY, RANKING, SPANS, STAT, Board, Query, panel, row, spans_of
from otel_agents.dashboards.promql import (
    CALL,
    CALLS_A_RUN,
    COST,
    DIED,
    FAILED,
    LOOPS,
    OUTCOME,
    RUN,
    RUNS,
    STEP,
    STEPS,
    TOOL_CALL,
    TOOLS_A_RUN,
    inc,
    or0,
    p50,
    p95,
    rate,
    share,
)

TOP = row(
    4,
    panel(STAT, "Runs", COUNT, or0(inc(RUNS)), "Runs of the chosen agents that ended in the time shown."),
    panel(
        STAT,
        "Failed",
        "percentunit",
        share(RUNS, of=FAILED),
        "The share of runs that ended with an error or whose process died.",
        alert="agent_runs_fail",
        empty="no runs",
    ),
    panel(STAT, "Died", COUNT, or0(inc(RUNS.where(DIED))), "Runs whose process was killed or crashed, counted when that is detected.", alert="agent_died"),
    panel(STAT, "Run p95", "s", p95(RUN), "95 % of runs were faster.", alert="agent_slow", empty="no runs"),
    panel(STAT, "Cost", "currencyUSD", inc(COST), "The cost of the agents' model calls with a known price.", empty="no known price"),
    panel(STAT, "Loops", COUNT, or0(inc(LOOPS)), "Runs in which one tool was called again and again with the same arguments.", alert=ANY),
)
RUNS_OF_IT = row(
    8,
    panel(
        RANKING,
        "Outcomes",
        COUNT,
        inc(RUNS, OUTCOME),
        "How runs ended: ok; error; interrupted (a person or a guardrail stepped in); cancelled; died (the process was killed or crashed).",
        empty="no runs",
        width=8,
    ),
    panel(
        LINES,
        "Run p50, p95",
        "s",
        (Query(p50(RUN), "p50"), Query(p95(RUN), "p95")),
        "Half of the runs and 95 % of them were faster. Points link to traces; the dashed line is the alert's threshold.",
        alert="agent_slow",
        empty="no runs",
        width=16,
    ),
)
TIME = row(
    8,
    panel(
        HEAT,
        "Duration of runs",
        "s",
        f"sum by (le) (increase({RUN.part('bucket')}[@]))",
        "How many runs took how long. Two bands mean two kinds of runs.",
        empty="no runs",
    ),
    panel(
        BARS,
        "Busy with models, tools",
        "suffix: s/s",
        (Query(rate(CALL.sum), "models"), Query(rate(TOOL_CALL.sum), "tools")),
        "Seconds per second spent waiting for models and in tools: 2 means two calls in progress on average.",
    ),
)
STEPS_OF_IT = row(
    8,
    panel(
        LINES,
        "Calls a run, p95",
        MANY,
        (Query(p95(CALLS_A_RUN), "model calls"), Query(p95(TOOLS_A_RUN), "tool calls")),
        "How many model and tool calls a run makes. Interpolated within buckets: 1.7 means one or two. A rising line suggests that runs loop.",
        empty="no runs",
    ),
    panel(
        LINES,
        "Own steps, p95",
        "s",
        p95(STEPS, STEP),
        'How long the program\'s own steps take: blocks under `oa.step("…")`.',
        empty="the program names no steps (oa.step)",
    ),
)
LONG = row(
    8,
    panel(
        SPANS,
        "Long runs",
        COUNT,
        spans_of(logql.spans(logql.A_RUN, f'{logql.AGENT} =~ "$agent"', "duration > 10s", shown=(logql.AGENT, logql.COST, logql.CONVERSATION))),
        "The newest runs that took more than ten seconds; each links to its conversation.",
        empty="no run took more than ten seconds",
    ),
)
AGENT = Board(
    "agent",
    "Agents: one agent",
    "Where do its time and its money go?",
    "Good: outcomes are ok, none died, p95 is flat, no loops, a steady number of calls a run.",
    variables.OF_AGENT,
    (variables.ENV, variables.SERVICES, variables.AGENTS),
    (TOP, RUNS_OF_IT, TIME, STEPS_OF_IT, LONG),
)
