"""Prometheus' rule files: recording rules and alerts, with the thresholds of the configuration file."""

from __future__ import annotations

from typing import Any

from otel_agents.dashboards.alerts import ALERTS, SPEND, WHOSE, Alert, Thresholds
from otel_agents.dashboards.promql import COST, inc, placed

Json = dict[str, Any]
EVERY = "1m"  # programs report once a minute


def recording() -> Json:
    """The cost per hour, which CostSpike compares with those of the last week."""
    return group("otel-agents-recording", [{"record": SPEND, "expr": placed(inc(COST, *WHOSE, over="1h"))}])


def alerting(thresholds: Thresholds) -> Json:
    return group("otel-agents-alerts", [rule(alert, thresholds) for alert in ALERTS])


def group(name: str, rules: list[Json]) -> Json:
    return {"groups": [{"name": name, "interval": EVERY, "rules": rules}]}


def rule(alert: Alert, thresholds: Thresholds) -> Json:
    annotations = {"summary": alert.summary, "description": alert.description, "runbook": alert.runbook, "dashboard": f"/d/oa-{alert.board}"}
    return {"alert": alert.name, "expr": alert.expression(thresholds), "for": alert.wait, "labels": {"severity": alert.severity}, "annotations": annotations}


def files(thresholds: Thresholds) -> dict[str, Json]:
    """The rule files by name. The PrometheusRule for Kubernetes has the same groups."""
    return {"recording.yaml": recording(), "alerts.yaml": alerting(thresholds)}
