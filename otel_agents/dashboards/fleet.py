"""The first board: all agents of all services, and what needs somebody now."""

from __future__ import annotations

from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.panels import BARS, COUNT, LINES, LOG, RANKING, SPANS, STAT, TABLE, Board, Query, lines_of, panel, row, spans_of
from otel_agents.dashboards.promql import (
    AGENT,
    BAD,
    COST,
    DIED,
    ERROR,
    FAILED,
    LAST_STEP,
    LOST,
    RUN,
    RUNNING,
    RUNS,
    above_none,
    inc,
    most,
    or0,
    p95,
    per_hour,
    share,
)

LAST_WORDS = f"{{{{.{AGENT}}}}} died{{{{if .{LAST_STEP}}}}} after {{{{.{LAST_STEP}}}}}{{{{end}}}}"
TOP = row(
    4,
    panel(STAT, "Runs", COUNT, or0(inc(RUNS)), "Agent runs that ended in the time shown, whatever their outcome."),
    panel(
        STAT,
        "Failed",
        "percentunit",
        share(RUNS, of=FAILED),
        "The part of runs that ended with an error, or with their process. Interrupted and cancelled runs are not failures.",
        alert="agent_runs_fail",
        empty="no runs",
    ),
    panel(
        STAT,
        "Run p95",
        "s",
        p95(RUN),
        "95 % of runs were faster. The last bucket ends at 409.6 s: longer runs show as that.",
        alert="agent_slow",
        empty="no runs",
    ),
    panel(STAT, "Cost", "currencyUSD", inc(COST), "The price of all model calls whose price is known; Cost says which are not.", empty="no known price"),
    panel(STAT, "Running now", COUNT, or0(f"sum({above_none(str(RUNNING))})"), "Runs that began and have not ended, as of the last collection (a minute)."),
    panel(
        STAT,
        "Telemetry lost",
        COUNT,
        or0(inc(LOST)),
        "Spans, logs and metric points that programs could not keep or send. Anything but 0: see Pipeline, and run `otel-agents doctor`.",
        alert="telemetry_lost",
    ),
)
BY_AGENT = row(
    8,
    panel(BARS, "Runs by agent", "suffix: /h", per_hour(RUNS, AGENT), "Runs an hour. The busiest hundred agents of a program have a name, the rest is _other."),
    panel(
        LINES,
        "Failed runs by agent",
        "percentunit",
        share(RUNS, AGENT, of=FAILED),
        "The part of an agent's runs that failed. The dashed line is the alert's.",
        alert="agent_runs_fail",
        empty="no runs",
    ),
)
AGENTS = row(
    8,
    panel(
        TABLE,
        "Agents",
        COUNT,
        (
            Query(inc(RUNS, AGENT), "Runs"),
            Query(share(RUNS, AGENT, of=FAILED), "Failed", "percentunit"),
            Query(above_none(inc(RUNS.where(DIED), AGENT)), "Died"),
            Query(p95(RUN, AGENT), "p95", "s"),
            Query(inc(COST, AGENT), "Cost", "currencyUSD"),
        ),
        "One line an agent; its name leads to its board. Runs that died are among the failed. An empty cost is an unknown price, not 0.",
        alert="agent_runs_fail",
    ),
)
WRONG = row(
    8,
    panel(
        RANKING,
        "Why runs fail",
        COUNT,
        most(inc(RUN.count.where(BAD), AGENT, ERROR)),
        "The errors that ended runs, most often first. Runs whose process died have none: see Died.",
        empty="no run failed",
    ),
    panel(
        TABLE,
        "Alerts that fire",
        COUNT,
        Query('count by (alertname, severity) (ALERTS{alertstate="firing"})', "Firing"),
        "What Prometheus found wrong, of all services. Each alert's runbook is in its annotations.",
        empty="nothing fires",
    ),
    panel(
        TABLE,
        "Began and did not end",
        COUNT,
        lines_of(f"{logql.counted(logql.STARTED, 'trace_id', AGENT)} unless {logql.counted(logql.ENDED, 'trace_id', AGENT)}", "Runs"),
        "Runs that are still going, or whose process died and nobody has found yet. The trace shows what they had done.",
        empty="all ended",
    ),
)
FAILURES = row(
    8,
    panel(
        SPANS,
        "Failures",
        COUNT,
        spans_of(logql.spans(logql.A_RUN, logql.FAILED, shown=(logql.AGENT, logql.ERROR))),
        "The newest runs that failed; each leads to its conversation.",
        empty="no run failed",
        width=15,
    ),
    panel(
        LOG,
        "Died",
        COUNT,
        lines_of(f"{logql.DIED} {logql.shown_as(LAST_WORDS)}"),
        "Runs whose process died, each with the last step that had ended; the open line leads to its trace. The next program of that journal tells of them.",
        empty="no process died in a run",
        width=9,
    ),
)
FLEET = Board(
    "fleet",
    "Agents: fleet",
    "What is wrong now?",
    "Good: fewer than 5 % of runs fail, no telemetry is lost, nothing fires.",
    variables.OF_SERVICE,
    (variables.ENV, variables.SERVICES),
    (TOP, BY_AGENT, AGENTS, WRONG, FAILURES),
)
