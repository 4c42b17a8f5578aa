"""Boards in Grafana's dashboard format. Data sources are variables; their defaults are the uids that datasources.py provisions: the boards fit any Grafana.

The JSON is written here and not by the builders of grafana-foundation-sdk; a test reads every board into the SDK's types of Grafana 10.4. The builders were
tried: as many lines (440), and a fallback besides, because `stack up` renders thresholds into the boards on machines that need no SDK for anything else. Three
fields of Prometheus annotations and the trace panel are missing in them, they write schema version 36, and the test would no longer be an independent check.
"""

from __future__ import annotations

from typing import Any

from otel_agents.dashboards import alerts, variables
from otel_agents.dashboards.draw import DRAWN, Json, field_config
from otel_agents.dashboards.links import between_boards
from otel_agents.dashboards.panels import ANY, INSTANT, LOG, LOGS, METRICS, TABLE, TRACES, Board, Panel, Query, Row, Variable
from otel_agents.dashboards.promql import AGENT, DIED, INTERVAL, RANGE, RUNS, above_none, inc, placed

COLUMNS, QUESTION_HEIGHT = 24, 2
TAG = "otel-agents"
SCHEMA = 39  # Grafana 10.4 and later
STORES = {METRICS: "Metrics", LOGS: "Logs", TRACES: "Traces"}
FIRING = 'count by (alertname, severity) (ALERTS{alertstate="firing"})'
DEATHS = above_none(inc(RUNS.where(DIED), AGENT))
STEP, TWO_STEPS = "60s", "2m"  # at this step, a two-minute window sees every increment once or twice


def dashboard(board: Board, thresholds: alerts.Thresholds) -> Json:
    """The complete dashboard, as it is provisioned or imported."""
    return {
        "uid": f"oa-{board.key}",
        "title": board.title,
        "description": board.question,
        "tags": [TAG],
        "timezone": "browser",
        "editable": True,
        "graphTooltip": 1,
        "schemaVersion": SCHEMA,
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "links": [between_boards(TAG)],
        "annotations": {"list": [firing(), deaths(board)]},
        "templating": {"list": [*map(variable_of, board.variables), *map(datasource_variable, stores_of(board))]},
        "panels": panels_of(board, thresholds),
    }


def stores_of(board: Board) -> list[str]:
    used = {query.store for panel in board.panels for query in panel.queries} | {METRICS}
    return [one for one in STORES if one in used]


def source(kind: str) -> Json:
    """The data source of this type that is selected on the board."""
    return {"type": kind, "uid": f"${{{kind}}}"}


def firing() -> Json:
    """An annotation that marks firing alerts on every time series."""
    return annotation("Alerts", FIRING, "red", "{{alertname}}", "{{severity}}")


def deaths(board: Board) -> Json:
    """An annotation that marks detected deaths of runs of the selected services and agents."""
    scope = variables.OF_AGENT if variables.AGENTS in board.variables else variables.OF_SERVICE
    return annotation("Died", placed(DEATHS, scope, TWO_STEPS), "orange", f"{{{{{AGENT}}}}} died", "")


def annotation(name: str, query: str, colour: str, title: str, text: str) -> Json:
    return {
        "name": name,
        "datasource": source(METRICS),
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": query,
        "titleFormat": title,
        "textFormat": text,
        "step": STEP,
    }


# ------------------------------------------------------------------------------------------------ variables


def datasource_variable(kind: str) -> Json:
    return {
        "name": kind,
        "label": STORES[kind],
        "type": "datasource",
        "query": kind,
        "current": {"text": kind, "value": kind},
        "hide": 0,
        "refresh": 1,
        "regex": "",
        "options": [],
    }


def variable_of(variable: Variable) -> Json:
    return query_variable(variable) if variable.values else textbox_variable(variable)


def query_variable(variable: Variable) -> Json:
    """A choice of several values of a label. All also matches series without the label."""
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "query",
        "datasource": source(METRICS),
        "query": {"query": variable.query, "refId": variable.name, "qryType": 1},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "options": [],
    }


def textbox_variable(variable: Variable) -> Json:
    value = {"text": variable.text, "value": variable.text}
    return {
        "name": variable.name,
        "label": variable.title,
        "type": "textbox",
        "query": variable.text,
        "current": value,
        "options": [{**value, "selected": True}],
        "hide": 0,
    }


# ------------------------------------------------------------------------------------------------ panels


def panels_of(board: Board, thresholds: alerts.Thresholds) -> list[Json]:
    """The question, then the panels row by row, from left to right."""
    placed_panels, top = [question(board)], QUESTION_HEIGHT
    for row in board.rows:
        for panel, left, width in columns_of(row):
            place = {"x": left, "y": top, "w": width, "h": row.height}
            placed_panels.append({"id": len(placed_panels) + 1, "gridPos": place, **panel_json(panel, board, thresholds)})
        top += row.height
    return placed_panels


def columns_of(row: Row) -> list[tuple[Panel, int, int]]:
    """Each panel with its left edge and its width; remaining columns go to the last panels."""
    edges, left = [], 0
    for number, panel in enumerate(row.panels):
        width = panel.width or (COLUMNS - left) // (len(row.panels) - number)
        edges.append((panel, left, width))
        left += width
    return edges


def question(board: Board) -> Json:
    return {
        "id": 1,
        "type": "text",
        "title": board.question,
        "description": board.question,
        "gridPos": {"x": 0, "y": 0, "w": COLUMNS, "h": QUESTION_HEIGHT},
        "options": {"mode": "markdown", "content": board.good},
    }


def panel_json(panel: Panel, board: Board, thresholds: alerts.Thresholds) -> Json:
    drawn = DRAWN[panel.kind]
    return {
        "type": drawn.type,
        "title": panel.title,
        "description": panel.description,
        "datasource": source(panel.queries[0].store),
        "targets": [target(query, ref, panel, board) for query, ref in zip(panel.queries, "ABCDEFGH", strict=False)],
        "options": drawn.options,
        "fieldConfig": field_config(panel, limit_of(panel, thresholds)),
        "transformations": drawn.transform(panel),
    }


def limit_of(panel: Panel, thresholds: alerts.Thresholds) -> float | None:
    """The threshold of the panel's alert; 0 if any value above 0 is too much."""
    if not panel.alert:
        return None
    return 0 if panel.alert == ANY else float(alerts.threshold_of(panel.alert, thresholds) or 0)


def target(query: Query, ref: str, panel: Panel, board: Board) -> Json:
    return {"refId": ref, "datasource": source(query.store), **TARGETS[query.store](query, panel, board)}


def of_metrics(query: Query, panel: Panel, board: Board) -> Json:
    """An instant query over the whole time range, or a range query; with exemplars for the buckets of histograms."""
    instant = panel.kind in INSTANT
    text = placed(query.text, board.scope if panel.scope is None else panel.scope, RANGE if instant else INTERVAL)
    return {
        "expr": text,
        "instant": instant,
        "range": not instant,
        "exemplar": not instant and "_bucket{" in text,
        "format": {TABLE: "table", "heat": "heatmap"}.get(panel.kind, "time_series"),
        "legendFormat": legend(query, panel),
    }


def legend(query: Query, panel: Panel) -> str:
    if panel.kind == "heat":
        return "{{le}}"
    return query.legend or " · ".join(f"{{{{{label}}}}}" for label in query.labels) or panel.title


def of_logs(query: Query, panel: Panel, board: Board) -> Json:
    instant = panel.kind in INSTANT
    legend_format = "" if panel.kind == LOG else legend(query, panel)
    return {"expr": query.text, "queryType": "instant" if instant else "range", "legendFormat": legend_format, "maxLines": 200}


def of_traces(query: Query, panel: Panel, board: Board) -> Json:
    return {"query": query.text, "queryType": "traceql", "limit": 20, "tableType": "spans", "filters": []}


TARGETS: dict[str, Any] = {METRICS: of_metrics, LOGS: of_logs, TRACES: of_traces}
