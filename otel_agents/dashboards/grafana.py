"""Boards in Grafana's format. Data sources are variables; their default is the uid that datasources.py provisions, so the boards work beside other stacks."""

from __future__ import annotations

from typing import Any

from otel_agents.dashboards import alerts, variables
from otel_agents.dashboards.draw import DRAWN, Json, field
from otel_agents.dashboards.links import between_boards
from otel_agents.dashboards.panels import ANY, INSTANT, LOG, LOGS, METRICS, TABLE, TRACES, Board, Panel, Query, Row, Variable
from otel_agents.dashboards.promql import AGENT, DIED, INTERVAL, RANGE, RUNS, above_none, inc, placed

COLUMNS, QUESTION_HEIGHT = 24, 2
TAG = "otel-agents"
SCHEMA = 39  # Grafana 10.4 and later
STORES = {METRICS: "Metrics", LOGS: "Logs", TRACES: "Traces"}
FIRING = 'count by (alertname, severity) (ALERTS{alertstate="firing"})'
DEATHS = above_none(inc(RUNS.where(DIED), AGENT))
STEP, TWO_STEPS = "60s", "2m"  # a point that counts from a second before it is seen by one step or two


def dashboard(board: Board, thresholds: alerts.Thresholds) -> Json:
    """The whole dashboard, as it is provisioned or imported."""
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
        "templating": {"list": [*map(choice, board.variables), *(store(one) for one in stores_of(board))]},
        "panels": arranged(board, thresholds),
    }


def stores_of(board: Board) -> list[str]:
    used = {query.store for panel in board.panels for query in panel.queries} | {METRICS}
    return [one for one in STORES if one in used]


def source(kind: str) -> Json:
    """The data source of this kind that the reader has chosen."""
    return {"type": kind, "uid": f"${{{kind}}}"}


def firing() -> Json:
    """Marks where an alert fired, on every panel over time."""
    return marks("Alerts", FIRING, "red", "{{alertname}}", "{{severity}}")


def deaths(board: Board) -> Json:
    """Marks where runs were found whose process had died, of the services and agents that are chosen."""
    scope = variables.OF_AGENT if variables.AGENTS in board.variables else variables.OF_SERVICE
    return marks("Died", placed(DEATHS, scope, TWO_STEPS), "orange", f"{{{{{AGENT}}}}} died", "")


def marks(name: str, query: str, colour: str, title: str, text: str) -> Json:
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


def store(kind: str) -> Json:
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


def choice(variable: Variable) -> Json:
    return from_series(variable) if variable.values else typed(variable)


def from_series(variable: Variable) -> Json:
    """A choice of many: All also matches what lacks the label."""
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


def typed(variable: Variable) -> Json:
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


def arranged(board: Board, thresholds: alerts.Thresholds) -> list[Json]:
    """The question, then row by row from the left."""
    drawn, top = [question(board)], QUESTION_HEIGHT
    for row in board.rows:
        for panel, left, width in spread(row):
            place = {"x": left, "y": top, "w": width, "h": row.height}
            drawn.append({"id": len(drawn) + 1, "gridPos": place, **drawing(panel, board, thresholds)})
        top += row.height
    return drawn


def spread(row: Row) -> list[tuple[Panel, int, int]]:
    """Each panel with its left edge and its width; what is left over goes to the last ones."""
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


def drawing(panel: Panel, board: Board, thresholds: alerts.Thresholds) -> Json:
    drawn = DRAWN[panel.kind]
    return {
        "type": drawn.type,
        "title": panel.title,
        "description": panel.about,
        "datasource": source(panel.queries[0].store),
        "targets": [target(query, ref, panel, board) for query, ref in zip(panel.queries, "ABCDEFGH", strict=False)],
        "options": drawn.options,
        "fieldConfig": field(panel, limit_of(panel, thresholds)),
        "transformations": drawn.transform(panel),
    }


def limit_of(panel: Panel, thresholds: alerts.Thresholds) -> float | None:
    """The threshold of the panel's alert; 0 where anything is too much."""
    if not panel.alert:
        return None
    return 0 if panel.alert == ANY else float(alerts.threshold_of(panel.alert, thresholds) or 0)


def target(query: Query, ref: str, panel: Panel, board: Board) -> Json:
    return {"refId": ref, "datasource": source(query.store), **ASKED[query.store](query, panel, board)}


def of_metrics(query: Query, panel: Panel, board: Board) -> Json:
    """Over the time shown at once, or point by point with exemplars, where there are any: on raw histograms."""
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
    said = "" if panel.kind == LOG else legend(query, panel)
    return {"expr": query.text, "queryType": "instant" if instant else "range", "legendFormat": said, "maxLines": 200}


def of_traces(query: Query, panel: Panel, board: Board) -> Json:
    return {"query": query.text, "queryType": "traceql", "limit": 20, "tableType": "spans", "filters": []}


ASKED: dict[str, Any] = {METRICS: of_metrics, LOGS: of_logs, TRACES: of_traces}
