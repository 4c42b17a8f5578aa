"""The parts of a board: panels in rows, with queries, units and texts. Grafana's format is in grafana.py."""

from __future__ import annotations

import re
from dataclasses import dataclass

from otel_agents import semconv as names
from otel_agents.dashboards import promql

METRICS, LOGS, TRACES = "prometheus", "loki", "tempo"
COUNT, MANY = "locale", "short"  # shown as 1,234 and as 1.23 K
ANY = "any"  # in place of an alert: any value above 0 is too much
GROUPED = re.compile(r"\bby \(([^)]*)\)")
TITLES = {  # readable titles of labels, in the order of a table's columns
    promql.SERVICE: "Service",
    promql.AGENT: "Agent",
    promql.TOOL: "Tool",
    promql.PROVIDER: "Provider",
    promql.MODEL: "Model",
    promql.ANSWERED: "Answered by",
    promql.label(names.CONVERSATION_ID): "Conversation",
    "trace_id": "Trace",
    promql.ERROR: "Error",
    promql.OUTCOME: "Outcome",
    promql.OPERATION: "Operation",
    promql.STORE: "Store",
    promql.STEP: "Step",
    promql.EVALUATION: "Evaluation",
    promql.VERDICT: "Verdict",
    promql.SIGNAL: "Signal",
    promql.REASON: "Reason",
    "reason": "Finish reason",
    "alertname": "Alert",
    "severity": "Severity",
    "exporter": "Exporter",
    "job": "Server",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One query to one store. legend: the name of its line or, in a table, of its column; unit: of its column, if it differs from the panel's."""

    text: str
    legend: str = ""
    unit: str = ""
    store: str = METRICS

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the result is grouped by, except `le`, in the order of TITLES."""
        named = {name.strip() for group in GROUPED.findall(self.text) for name in group.split(",")}
        return tuple(name for name in TITLES if name in named)


def lines_of(text: str, legend: str = "") -> Query:
    return Query(text, legend, store=LOGS)


def spans_of(text: str) -> Query:
    return Query(text, store=TRACES)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. description: what it shows and what to do about it; empty: the text shown when there is no data; scope: a selector instead of the board's;
    alert: the alert whose threshold is drawn, or ANY; width: in 24ths of the board, 0 for an even share of its row."""

    title: str
    kind: str
    unit: str
    description: str
    queries: tuple[Query, ...]
    empty: str = "none in this time"
    scope: str | None = None
    alert: str = ""
    width: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    height: int
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable at the top of a board. values, taken_from: the label whose values it offers, and of which series; text: the default of a text box."""

    name: str
    title: str
    values: str = ""
    taken_from: str = ""
    text: str = ""

    @property
    def query(self) -> str:
        return f"label_values({self.taken_from}, {self.values})"


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. key: the name of its file and, after `oa-`, its uid; question: its first line; good: what it looks like when all is well."""

    key: str
    title: str
    question: str
    good: str
    scope: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)


# ------------------------------------------------------------------------------------------------ kinds of panels

INSTANT = frozenset({"stat", "ranking", "table"})  # one value for the whole time range
STAT, LINES, BARS, RANKING, TABLE, HEAT, STATE, LOG, SPANS, TRACE = "stat", "lines", "bars", "ranking", "table", "heat", "state", "log", "spans", "trace"


def panel(kind: str, title: str, unit: str, query: str | Query | tuple[Query, ...], description: str, **more: str | int) -> Panel:
    """A panel with one or several queries; a string is a query to Prometheus."""
    queries = query if isinstance(query, tuple) else (query if isinstance(query, Query) else Query(query),)
    return Panel(title, kind, unit, description, queries, **more)  # type: ignore[arg-type]  # fields of Panel; a wrong name fails at import


def row(height: int, *panels: Panel) -> Row:
    return Row(height, panels)
