"""The overview: all agents of all services, and what needs attention now."""

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
        "The share of runs that ended with an error or whose process died. Interrupted and cancelled runs are not failures.",
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
    panel(
        STAT,
        "Cost",
        "currencyUSD",
        inc(COST),
        "The cost of all model calls with a known price; the Cost board lists models without one.",
        empty="no known price",
    ),
    panel(
        STAT, "Running now", COUNT, or0(f"sum({above_none(str(RUNNING))})"), "Runs that have started and not ended, as of the last collection (once a minute)."
    ),
    panel(
        STAT,
        "Telemetry lost",
        COUNT,
        or0(inc(LOST)),
        "Spans, logs and metric points that programs could neither store nor send. If it is not 0, see the Pipeline board and run `otel-agents doctor`.",
        alert="telemetry_lost",
    ),
)
BY_AGENT = row(
    8,
    panel(
        BARS,
        "Runs by agent",
        "suffix: /h",
        per_hour(RUNS, AGENT),
        "Runs per hour. The hundred busiest agents of a program have labels of their own, all others count as _other.",
    ),
    panel(
        LINES,
        "Failed runs by agent",
        "percentunit",
        share(RUNS, AGENT, of=FAILED),
        "The share of an agent's runs that failed. The dashed line is the alert's threshold.",
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
        "One row per agent; its name links to its board. Failed includes runs that died. An empty cost means an unknown price, not 0.",
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
        "The errors that ended runs, most frequent first. Runs whose process died have none: see Died.",
        empty="no run failed",
    ),
    panel(
        TABLE,
        "Alerts that fire",
        COUNT,
        Query('count by (alertname, severity) (ALERTS{alertstate="firing"})', "Firing"),
        "The alerts of all services that are firing in Prometheus. Each alert's runbook is in its annotations.",
        empty="no alert is firing",
    ),
    panel(
        TABLE,
        "Began and did not end",
        COUNT,
        lines_of(f"{logql.counted(logql.STARTED, 'trace_id', AGENT)} unless {logql.counted(logql.ENDED, 'trace_id', AGENT)}", "Runs"),
        "Runs that are still in progress, or whose process died and has not been detected yet. The trace shows what they had done.",
        empty="all runs have ended",
    ),
)
FAILURES = row(
    8,
    panel(
        SPANS,
        "Failures",
        COUNT,
        spans_of(logql.spans(logql.A_RUN, logql.FAILED, shown=(logql.AGENT, logql.ERROR))),
        "The newest runs that failed; each links to its conversation.",
        empty="no run failed",
        width=15,
    ),
    panel(
        LOG,
        "Died",
        COUNT,
        lines_of(f"{logql.DIED} {logql.shown_as(LAST_WORDS)}"),
        "Runs whose process died, each with the last step that had ended; the expanded line links to its trace. The next program that uses the same "
        "journal reports them.",
        empty="no process died in a run",
        width=9,
    ),
)
FLEET = Board(
    "fleet",
    "Agents: fleet",
    "What is wrong now?",
    "Good: fewer than 5 % of runs fail, no telemetry is lost, no alert is firing.",
    variables.OF_SERVICE,
    (variables.ENV, variables.SERVICES),
    (TOP, BY_AGENT, AGENTS, WRONG, FAILURES),
)
