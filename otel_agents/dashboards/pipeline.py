"""The telemetry pipeline itself: programs, Collector, stores."""

from __future__ import annotations

from otel_agents.dashboards import variables
from otel_agents.dashboards.panels import COUNT, LINES, RANKING, STAT, STATE, Board, Query, panel, row
from otel_agents.dashboards.promql import LAG, LOST, OTHER, QUEUE, REASON, REFUSED, RUNS, SERVICE, SIGNAL, UNSENT, UP, above_none, inc, or0, share

TOP = row(
    4,
    panel(STAT, "Lost in programs", COUNT, or0(inc(LOST)), "Items that programs could neither store nor send.", alert="telemetry_lost"),
    panel(
        STAT,
        "Not sent by the Collector",
        COUNT,
        or0(f"sum({UNSENT})"),
        "Items that the Collector has dropped since it started because a store refused them; the Collector's log says why.",
        alert="collector_loses",
    ),
    panel(
        STAT,
        "Refused by the log store",
        COUNT,
        or0(f"sum(increase({REFUSED}[@]))"),
        "Lines that Loki or VictoriaLogs did not accept: too long, too old, too many streams or fields.",
        alert="telemetry_lost",
    ),
    panel(STAT, "Longest shipper lag", "s", f"max({LAG})", "How long the oldest unsent telemetry of any program has been waiting.", empty="no program reports"),
    panel(
        STAT,
        "Behind _other",
        "percentunit",
        share(RUNS, of=OTHER),
        "The share of runs whose agents have no label of their own: there are more names than OTEL_AGENTS_METRIC_CARDINALITY allows.",
        empty="no runs",
    ),
)
STATES = row(
    6,
    panel(
        STATE,
        "Servers",
        COUNT,
        Query(str(UP), "{{job}}"),
        "Whether Prometheus could reach each server of the stack.",
        alert="pipeline_down",
        scope="",
        empty="Prometheus scrapes none of them",
    ),
)
FLOW = row(
    8,
    panel(
        LINES,
        "Received by the Collector",
        "suffix: /s",
        tuple(
            Query(f'sum(rate({{__name__=~"otelcol_receiver_accepted_{items}(_total)?"}}[@]))', legend)
            for items, legend in (("spans", "spans"), ("metric_points", "metric points"), ("log_records", "log records"))
        ),
        "Items per second that the Collector accepted.",
        empty="no Collector is scraped",
    ),
    panel(
        LINES,
        "Queue fill",
        "percentunit",
        f"max by (exporter) ({QUEUE})",
        "How full the queue to each store is. If it grows, the store is slow or down. The dashed line is the alert's threshold.",
        alert="collector_queue_full",
        empty="no Collector is scraped",
    ),
)
LOSSES = row(
    8,
    panel(
        RANKING,
        "Lost by signal and reason",
        COUNT,
        above_none(inc(LOST, SIGNAL, REASON)),
        "Why programs lost items; `otel-agents doctor` says how to fix it.",
        empty="nothing was lost",
    ),
    panel(
        LINES,
        "Shipper lag by service",
        "s",
        f"max by ({SERVICE}) ({LAG})",
        "How long telemetry waits in a program's journal before it is sent.",
        empty="no program reports",
    ),
)
PIPELINE = Board(
    "pipeline",
    "Agents: pipeline",
    "Can the other boards be trusted?",
    "Good: nothing lost, every server up, queues nearly empty, a lag of seconds.",
    variables.OF_SERVICE,
    (variables.ENV, variables.SERVICES),
    (TOP, STATES, FLOW, LOSSES),
)
