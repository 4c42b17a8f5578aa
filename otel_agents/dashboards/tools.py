"""The tools that agents use."""

from __future__ import annotations

from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.panels import COUNT, LINES, RANKING, SPANS, STAT, TABLE, Board, Query, lines_of, panel, row, spans_of
from otel_agents.dashboards.promql import BAD, ERROR, TOOL, TOOL_CALL, failing, inc, most, or0, p95

TOP = row(
    4,
    panel(STAT, "Calls", COUNT, or0(inc(TOOL_CALL.count)), "Tool calls in the time shown."),
    panel(STAT, "Failed", "percentunit", failing(TOOL_CALL), "The share of calls that ended with an exception.", alert="tool_fails", empty="no calls"),
    panel(STAT, "Call p95", "s", p95(TOOL_CALL), "95 % of calls were faster. The last bucket ends at 81.92 s.", empty="no calls"),
)
BY_TOOL = row(
    8,
    panel(
        LINES,
        "Failed calls by tool",
        "percentunit",
        failing(TOOL_CALL, TOOL),
        "The share of a tool's calls that failed. The dashed line is the alert's threshold.",
        alert="tool_fails",
        empty="no calls",
    ),
    panel(LINES, "p95 by tool", "s", p95(TOOL_CALL, TOOL), "95 % of calls were faster. Points link to traces.", empty="no calls"),
)
TABLES = row(
    8,
    panel(
        TABLE,
        "Tools",
        COUNT,
        (
            Query(inc(TOOL_CALL.count, TOOL), "Calls"),
            Query(failing(TOOL_CALL, TOOL), "Failed", "percentunit"),
            Query(p95(TOOL_CALL, TOOL), "p95", "s"),
            Query(inc(TOOL_CALL.sum, TOOL), "Time in all", "s"),
        ),
        "One row per tool: how often it is called, how often it fails, and how much of the agents' time it takes.",
        alert="tool_fails",
        width=14,
    ),
    panel(
        RANKING,
        "Why calls fail",
        COUNT,
        most(inc(TOOL_CALL.count.where(BAD), TOOL, ERROR)),
        "The exceptions that tools raised, most frequent first.",
        empty="no call failed",
        width=10,
    ),
)
LISTS = row(
    8,
    panel(
        TABLE,
        "Over 10 calls in a trace",
        COUNT,
        lines_of(logql.top(f"{logql.counted(f'{logql.TOOLS} | {TOOL}=~`$tool`', 'trace_id', TOOL)} > 10"), "Calls"),
        "Traces that called one tool very often: a loop, or a tool that returns too little per call.",
        empty="no trace called a tool more than 10 times",
        width=9,
    ),
    panel(
        SPANS,
        "Failed calls",
        COUNT,
        spans_of(logql.spans(f'{logql.TOOL} =~ "$tool"', logql.FAILED, shown=(logql.TOOL, logql.AGENT, logql.ERROR))),
        "The newest calls that failed; each links to its conversation.",
        empty="no call failed",
        width=15,
    ),
)
TOOLS = Board(
    "tools",
    "Agents: tools",
    "Which tool fails, or holds agents up?",
    "Good: failures are rare and of one known kind, no tool takes most of the time.",
    variables.OF_TOOL,
    (variables.ENV, variables.SERVICES, variables.AGENTS, variables.TOOLS),
    (TOP, BY_TOOL, TABLES, LISTS),
)
