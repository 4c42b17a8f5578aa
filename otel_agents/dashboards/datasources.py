"""Grafana's provisioning files: data sources that link to each other, the folder of the dashboards, the contact point of alerts.

Grafana replaces `$NAME` in these files by an environment variable; a literal `$` is written `$$`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otel_agents import semconv as names
from otel_agents.dashboards import grafana
from otel_agents.dashboards.promql import AGENT, COST, RUN, label

Json = dict[str, Any]
VERSION = {"apiVersion": 1}
PUSHED_EVERY = "60s"  # the default of OTEL_AGENTS_METRIC_INTERVAL: with a shorter one, two thirds of the programs that run for seconds are not shown
OWN_TAGS = "{$$__tags}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where Grafana finds each store (`prometheus`, `loki`, `tempo` or `jaeger`, `alertmanager`) and the folder of the boards."""

    urls: Mapping[str, str]
    boards: str


IN_CONTAINERS = Places(
    {"prometheus": "http://prometheus:9090", "loki": "http://loki:3100", "tempo": "http://tempo:3200", "alertmanager": "http://alertmanager:9093"},
    "/etc/grafana/dashboards/otel-agents",
)


def data_sources(urls: Mapping[str, str]) -> Json:
    """A data source for each store that Grafana has one for: VictoriaLogs needs a plugin of its own."""
    made = {
        "prometheus": prometheus("jaeger" if "jaeger" in urls else "tempo"),
        "loki": loki(),
        "tempo": tempo(),
        "jaeger": jaeger(),
        "alertmanager": alertmanager(),
    }
    return {**VERSION, "datasources": [{**made[uid], "url": urls[uid]} for uid in made if uid in urls]}


def source(kind: str, title: str, data: Json, **more: Any) -> Json:
    return {"name": title, "uid": kind, "type": kind, "access": "proxy", "url": "", **more, "jsonData": data}


def prometheus(traces: str) -> Json:
    data = {
        "httpMethod": "POST",
        "prometheusType": "Prometheus",
        "timeInterval": PUSHED_EVERY,
        "manageAlerts": True,
        "alertmanagerUid": "alertmanager",
        "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": traces, "urlDisplayLabel": "Open the trace"}],
    }
    return source("prometheus", "Agents: metrics", data, isDefault=True)


def loki() -> Json:
    """Trace ids are structured metadata of log lines, so the derived field matches a label."""
    field = {
        "name": "Trace",
        "matcherType": "label",
        "matcherRegex": "trace_id",
        "url": "$${__value.raw}",
        "datasourceUid": "tempo",
        "urlDisplayLabel": "Open the trace",
    }
    return source("loki", "Agents: logs", {"maxLines": 1000, "manageAlerts": False, "derivedFields": [field]})


def tempo() -> Json:
    """Links from a span to its log lines and to its agent's metrics, and the service map."""
    to_logs = {
        "datasourceUid": "loki",
        "spanStartTimeShift": "-5m",
        "spanEndTimeShift": "5m",
        "customQuery": True,
        "query": '{service_name=~".+"} | trace_id=~"0*$${__trace.traceId}"',
    }
    data = {
        "tracesToLogsV2": to_logs,
        "tracesToMetrics": to_metrics(),
        "serviceMap": {"datasourceUid": "prometheus"},
        "nodeGraph": {"enabled": True},
        "search": {"hide": False},
    }
    return source("tempo", "Agents: traces", data)


def jaeger() -> Json:
    return source("jaeger", "Agents: traces", {"tracesToMetrics": to_metrics(), "nodeGraph": {"enabled": True}})


def to_metrics() -> Json:
    """From a span to its agent's metrics."""
    return {
        "datasourceUid": "prometheus",
        "spanStartTimeShift": "-1h",
        "spanEndTimeShift": "1h",
        "tags": [{"key": names.AGENT_NAME, "value": AGENT}, {"key": names.SERVICE_NAME, "value": label(names.SERVICE_NAME)}],
        "queries": [
            {"name": "Run p95 of this agent", "query": f"histogram_quantile(0.95, sum by (le) (rate({RUN.name}_bucket{OWN_TAGS}[10m])))"},
            {"name": "Cost of this agent an hour", "query": f"sum(rate({COST.name}{OWN_TAGS}[10m])) * 3600"},
        ],
    }


def alertmanager() -> Json:
    return source("alertmanager", "Agents: alerts", {"implementation": "prometheus", "handleGrafanaManagedAlerts": False})


def providers(folder: str) -> Json:
    """The dashboard provider that reads this folder."""
    options = {"path": folder, "foldersFromFilesStructure": False}
    provider = {
        "name": "otel-agents",
        "orgId": 1,
        "folder": "Agents",
        "folderUid": grafana.TAG,
        "type": "file",
        "allowUiUpdates": False,
        "updateIntervalSeconds": 30,
        "options": options,
    }
    return {**VERSION, "providers": [provider]}


def contact(alertmanager: str) -> Json:
    """Alerts created in Grafana go where ours go: to the Alertmanager, whose configuration names the receivers."""
    receiver = {"uid": "otel-agents-alertmanager", "type": "prometheus-alertmanager", "settings": {"url": alertmanager}}
    return {**VERSION, "contactPoints": [{"orgId": 1, "name": "otel-agents", "receivers": [receiver]}]}


def files(places: Places) -> dict[str, Json]:
    """The provisioning files by path."""
    return {
        "datasources/otel-agents.yaml": data_sources(places.urls),
        "dashboards/otel-agents.yaml": providers(places.boards),
        "alerting/otel-agents.yaml": contact(places.urls["alertmanager"]),
    }
