"""How each kind of panel is drawn: Grafana's panel type, its options and its field configuration.

Colours show a state (orange, red) or tell series apart by name. There are no gauges and no pie charts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from otel_agents import semconv as attributes
from otel_agents.dashboards import links
from otel_agents.dashboards.panels import BARS, COUNT, HEAT, LINES, LOG, RANKING, SPANS, STAT, STATE, TABLE, TITLES, TRACE, Panel, Query

Json = dict[str, Any]
SHARE = "percentunit"
CALM, WARNING, WRONG = "text", "orange", "red"
SAME = (attributes.OPERATION_NAME, attributes.SERVICE_NAME, "status", "kind", "name", "spanID")
COLUMNS = {
    attributes.AGENT_NAME: "Agent",
    attributes.CONVERSATION_ID: "Conversation",
    attributes.REQUEST_MODEL: "Model",
    attributes.TOOL_NAME: "Tool",
    attributes.ERROR_TYPE: "Error",
    attributes.OA_COST: "Cost",
}
GAP_MS = 3_600_000  # programs report once a minute while they run: points up to an hour apart are connected
ANYTHING = 1e-3  # the smallest value that is shown as above 0
UP_OR_DOWN = [{"type": "value", "options": {"0": {"text": "down", "color": WRONG, "index": 0}, "1": {"text": "up", "color": "blue", "index": 1}}}]
LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
BELOW = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
ALL_SERIES = {"mode": "multi", "sort": "desc"}


def untransformed(panel: Panel) -> list[Json]:
    """No transformations."""
    return []


@dataclass(frozen=True, slots=True)
class Drawing:
    """One kind of panel. type: Grafana's; custom: the field options of that type; transform: the transformations of the query results."""

    type: str
    options: Json
    custom: Json = field(default_factory=dict)
    colour: str = "thresholds"
    transform: Callable[[Panel], list[Json]] = untransformed


# ------------------------------------------------------------------------------------------------ tables


def as_table(panel: Panel) -> list[Json]:
    """One table of all query results: labels first, then the values in the order of the queries, with readable column titles."""
    labels = [label for label in TITLES if any(label in query.labels for query in panel.queries)]
    values = value_columns(panel.queries)
    renamed = {label: TITLES[label] for label in labels} | {column: title for columns, title in values for column in columns}
    order = {column: place for place, column in enumerate([*labels, *(column for columns, _ in values for column in columns)])}
    from_labels = [{"id": "labelsToFields", "options": {"mode": "columns"}}] if panel.queries[0].store == "loki" else []
    organise = {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": renamed, "indexByName": order}}
    return [*from_labels, {"id": "merge", "options": {}}, organise]


def value_columns(queries: tuple[Query, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Grafana's names for the value column of each query (without a letter if there is only one query), and its title."""
    alone = len(queries) == 1
    return [((f"Value #{ref}", "Value") if alone else (f"Value #{ref}",), query.legend) for query, ref in zip(queries, "ABCDEFGH", strict=False)]


def of_columns(panel: Panel, limit: float | None) -> list[Json]:
    labels = {label for query in panel.queries for label in query.labels}
    named = [override(TITLES[label], ("links", links.of_cell(label))) for label in TITLES if label in labels and label in links.TARGETS]
    return named + [column(query, query.unit or panel.unit, limit) for query in panel.queries]


def column(query: Query, unit: str, limit: float | None) -> Json:
    """The unit of one column; a ratio is coloured by the threshold of the panel's alert."""
    if unit == COUNT:
        return override(query.legend, ("unit", unit), ("decimals", 0))
    if unit != SHARE or limit is None:
        return override(query.legend, ("unit", unit))
    return override(query.legend, ("unit", unit), ("thresholds", steps(limit)), ("custom.cellOptions", {"type": "color-text"}))


def as_spans(panel: Panel) -> list[Json]:
    """The list of spans without the columns that are the same in every row, with readable column titles."""
    return [
        {
            "id": "organize",
            "options": {
                "excludeByName": dict.fromkeys(SAME, True),
                "renameByName": {"traceName": "Trace", "traceService": "Service", **COLUMNS},
                "indexByName": {},
            },
        }
    ]


def of_spans(panel: Panel, limit: float | None) -> list[Json]:
    """Links: every row to its trace, names to their boards."""
    shown = panel.queries[0].text.partition("select")[2]
    to_trace = [override("traceName", ("links", links.of_span()))]
    names = [override(attribute, ("links", links.of_cell(label))) for attribute, label in links.SPAN_FIELDS.items() if f"span.{attribute}" in shown]
    return [*to_trace, *names, override(attributes.OA_COST, ("unit", "currencyUSD"))]


def override(name: str, *properties: tuple[str, Any]) -> Json:
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": key, "value": value} for key, value in properties]}


def none_of(panel: Panel, limit: float | None) -> list[Json]:
    return []


OVERRIDES: dict[str, Callable[[Panel, float | None], list[Json]]] = {TABLE: of_columns, SPANS: of_spans}

# ------------------------------------------------------------------------------------------------ the table of kinds

OVER_TIME = {
    "lineWidth": 1,
    "pointSize": 4,
    "showPoints": "always",
    "spanNulls": GAP_MS,
    "fillOpacity": 0,
    "drawStyle": "line",
    "lineInterpolation": "linear",
    "axisSoftMin": 0,
    "thresholdsStyle": {"mode": "off"},
}
STACKED = OVER_TIME | {"drawStyle": "bars", "fillOpacity": 70, "showPoints": "never", "stacking": {"mode": "normal", "group": "A"}}
DRAWN: dict[str, Drawing] = {
    STAT: Drawing(
        "stat", {"reduceOptions": LAST, "colorMode": "value", "graphMode": "none", "textMode": "value", "justifyMode": "auto", "orientation": "auto"}
    ),
    LINES: Drawing("timeseries", {"legend": BELOW, "tooltip": ALL_SERIES}, OVER_TIME, "palette-classic-by-name"),
    BARS: Drawing("timeseries", {"legend": BELOW, "tooltip": ALL_SERIES}, STACKED, "palette-classic-by-name"),
    RANKING: Drawing(
        "bargauge",
        {
            "reduceOptions": LAST,
            "displayMode": "basic",
            "orientation": "horizontal",
            "showUnfilled": False,
            "valueMode": "text",
            "namePlacement": "left",
            "sizing": "auto",
        },
        colour="palette-classic-by-name",
    ),
    TABLE: Drawing("table", {"showHeader": True, "cellHeight": "sm"}, {"align": "auto", "filterable": False}, transform=as_table),
    HEAT: Drawing(
        "heatmap",
        {
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Blues", "steps": 32, "exponent": 0.5, "fill": "dark-blue", "reverse": False},
            "exemplars": {"color": "orange"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "unit": "s"},
        },
    ),
    STATE: Drawing(
        "state-timeline",
        {"showValue": "never", "rowHeight": 0.8, "mergeValues": True, "alignValue": "left", "legend": BELOW, "tooltip": ALL_SERIES},
        {"lineWidth": 0, "fillOpacity": 70, "spanNulls": False},
    ),
    LOG: Drawing(
        "logs",
        {
            "showTime": True,
            "wrapLogMessage": True,
            "enableLogDetails": True,
            "sortOrder": "Descending",
            "dedupStrategy": "none",
            "showLabels": False,
            "showCommonLabels": False,
            "prettifyLogMessage": False,
        },
    ),
    SPANS: Drawing("table", {"showHeader": True, "cellHeight": "sm"}, {"align": "auto", "filterable": False}, transform=as_spans),
    TRACE: Drawing("traces", {}),
}


# ------------------------------------------------------------------------------------------------ fields


def field_config(panel: Panel, limit: float | None) -> Json:
    """The field configuration of a panel. limit: the alert's threshold; 0 if any value above 0 is too much."""
    drawn, over_time = DRAWN[panel.kind], panel.kind in (LINES, BARS)
    custom = drawn.custom | ({"thresholdsStyle": {"mode": "dashed"}} if over_time and limit is not None else {})
    linked = links.of_series(panel.queries[0].labels) if over_time or panel.kind == RANKING else []
    defaults = {
        "unit": panel.unit,
        "min": 0,
        "noValue": panel.empty,
        "color": {"mode": drawn.colour},
        "custom": custom,
        "thresholds": steps(limit, "transparent" if over_time else CALM),
        "mappings": UP_OR_DOWN if panel.kind == STATE else [],
        "links": linked,
    }
    if panel.unit == COUNT and panel.kind in (STAT, RANKING):
        defaults["decimals"] = 0  # increase() extrapolates: for a program that reported twice it is slightly more than the count
    return {"defaults": defaults, "overrides": OVERRIDES.get(panel.kind, none_of)(panel, limit)}


def steps(limit: float | None, calm: str = CALM) -> Json:
    """Red from the alert's threshold on; orange from half of it on, except for lines over time."""
    found: list[Json] = [{"color": calm, "value": None}]
    if limit and calm == CALM:
        found.append({"color": WARNING, "value": limit / 2})
    if limit is not None:
        found.append({"color": WRONG, "value": limit or ANYTHING})
    return {"mode": "absolute", "steps": found}
