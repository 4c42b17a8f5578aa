"""What a board is made of: panels in rows, each with its queries, its unit, its words. No word of Grafana's format: that is grafana.py."""

from __future__ import annotations

import re
from dataclasses import dataclass

from otel_agents import semconv as names
from otel_agents.dashboards import promql

METRICS, LOGS, TRACES = "prometheus", "loki", "tempo"
COUNT, MANY = "locale", "short"  # 1,234 of what is counted one by one; 1.23 K of what is not
ANY = "any"  # in the place of an alert: whatever there is of it is too much
GROUPED = re.compile(r"\bby \(([^)]*)\)")
TITLES = {  # what a label is called by people; the order of a table's first columns
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
    """One question to one store. legend: the name of its line or, in a table, of its column; unit: the column's, where it is not the panel's."""

    text: str
    legend: str = ""
    unit: str = ""
    store: str = METRICS

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that its answer is grouped by, `le` aside, in the order of TITLES."""
        named = {name.strip() for group in GROUPED.findall(self.text) for name in group.split(",")}
        return tuple(name for name in TITLES if name in named)


def lines_of(text: str, legend: str = "") -> Query:
    return Query(text, legend, store=LOGS)


def spans_of(text: str) -> Query:
    return Query(text, store=TRACES)


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. about: what it shows and what to do about it; empty: what stands there when there is nothing; scope: a selector other than the board's;
    alert: whose threshold is drawn, or ANY; width: of 24, where it is not an even share of its row."""

    title: str
    kind: str
    unit: str
    about: str
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
    """A choice at the top of a board. values: the series and the label it is taken from; text: typed by the reader, with this default."""

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
    """One dashboard. key: its file and, after `oa-`, its uid; question: its first line; good: what a good answer looks like."""

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

INSTANT = frozenset({"stat", "ranking", "table"})  # one figure for the whole time shown
STAT, LINES, BARS, RANKING, TABLE, HEAT, STATE, LOG, SPANS, TRACE = "stat", "lines", "bars", "ranking", "table", "heat", "state", "log", "spans", "trace"


def panel(kind: str, title: str, unit: str, query: str | Query | tuple[Query, ...], about: str, **more: str | int) -> Panel:
    """A panel of one or several queries; a text is a query to Prometheus."""
    queries = query if isinstance(query, tuple) else (query if isinstance(query, Query) else Query(query),)
    return Panel(title, kind, unit, about, queries, **more)  # type: ignore[arg-type]  # the names are Panel's own; a wrong one fails when the board is made


def row(height: int, *panels: Panel) -> Row:
    return Row(height, panels)
