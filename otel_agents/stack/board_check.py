"""The queries of a stack's dashboards and alerts, executed as Grafana executes them: which of them a store refuses, and which return nothing."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from otel_agents.stack.answers import Refused, ask, good
from otel_agents.stack.board_queries import (
    INSTANT,
    LABEL_VALUES,
    LANGUAGES,
    LINES,
    LOKI,
    PROMETHEUS,
    RANGE,
    SPANS,
    TEMPO,
    TRACE,
    VALUES,
    BoardQuery,
    all_queries,
)
from otel_agents.stack.log_lines import SECOND, Loki
from otel_agents.stack.problem import Problem
from otel_agents.stack.stores import Stores
from otel_agents.stack.traces import Tempo

STEP_S = 60.0  # between the points of a line: programs report once a minute
TIME_RANGE_S = 6 * 3600.0  # with which the boards open
ERROR, EMPTY, RESULTS, FIRING, QUIET = "error", "empty", "results", "firing", "not firing"
NO_BOARDS = "there are no dashboards in {folder}; write them with: otel-agents stack render"
Labels = Mapping[str, str]
Rows = list[tuple[Labels, list[tuple[float, float]]]]  # labels, and points of (seconds since the epoch, value)


@dataclass(frozen=True, slots=True)
class Answered:
    """A query with its answer. text: as it was executed; rows: series, log lines or spans; error: why the store refused."""

    query: BoardQuery
    text: str
    rows: Rows = field(default_factory=list)
    error: str = ""

    @property
    def values(self) -> list[float]:
        return [value for _, points in self.rows for _, value in points if math.isfinite(value)]

    @property
    def state(self) -> str:
        """One of ERROR, EMPTY, RESULTS; of an alert ERROR, FIRING, QUIET."""
        if self.error:
            return ERROR
        found, none = (FIRING, QUIET) if self.query.is_alert else (RESULTS, EMPTY)
        return found if self.values else none


@dataclass(frozen=True, slots=True)
class Reader:
    """Executes queries on these stores, with these values of the boards' variables, from `since` (seconds since the epoch) until now."""

    stores: Stores
    chosen: Mapping[str, str]
    since: float
    step: float = STEP_S

    def can_execute(self, query: BoardQuery) -> bool:
        """Whether one of the stores has the query's language: VictoriaLogs and Jaeger have neither LogQL nor TraceQL."""
        return query.store in (PROMETHEUS, self.stores.logs.name, self.stores.traces.name)

    def execute(self, query: BoardQuery) -> Answered:
        now = time.time()
        text = query.filled(self.chosen, now - self.since)
        try:
            return Answered(query, text, EXECUTE[query.store, query.returns](self, query, text, now) if text else [])
        except Refused as refused:
            return Answered(query, text, error=reason(str(refused)))

    # Prometheus

    def instant(self, _: BoardQuery, text: str, now: float) -> Rows:
        return [(one["metric"], [point(one["value"])]) for one in self.stores.query(text, at=now)]

    def series(self, _: BoardQuery, text: str, now: float) -> Rows:
        return [(one["metric"], list(map(point, one["values"]))) for one in self.stores.query_range(text, self.since, now, self.step)]

    def label_values(self, _: BoardQuery, text: str, now: float) -> Rows:
        """As Grafana's Prometheus data source executes label_values()."""
        found = LABEL_VALUES.fullmatch(text)
        if found is None:
            raise Refused(f"not of the form label_values(series, label): {text}")
        given = {"match[]": found["series"], "start": f"{self.since:.0f}", "end": f"{now:.0f}"}
        values = good(ask(f"{self.stores.prometheus}/api/v1/label/{found['label']}/values?{urlencode(given)}")).json["data"]
        return [({found["label"]: str(value)}, [(now, 1.0)]) for value in values]

    # Loki

    def log_instant(self, _: BoardQuery, text: str, now: float) -> Rows:
        return [(one["metric"], [point(one["value"])]) for one in self.loki.value(text, at=now)]

    def log_series(self, _: BoardQuery, text: str, now: float) -> Rows:
        return [(one["metric"], list(map(point, one["values"]))) for one in self.loki.series(text, self.since, now, self.step)]

    def log_lines(self, query: BoardQuery, text: str, now: float) -> Rows:
        found = self.loki.query(text, int(self.since * SECOND), int(now * SECOND), limit=query.limit)
        return [({**line.labels, "line": line.text}, [(line.at / SECOND, 1.0)]) for line in found]

    # Tempo

    def spans(self, query: BoardQuery, text: str, now: float) -> Rows:
        return [row for trace in self.tempo.search(text, self.since, now + 1, limit=query.limit) for row in spans_of(trace)]

    def trace(self, _: BoardQuery, text: str, now: float) -> Rows:
        return list(map(span_of_trace, self.tempo.trace(text)))

    @property
    def loki(self) -> Loki:
        assert isinstance(self.stores.logs, Loki)
        return self.stores.logs

    @property
    def tempo(self) -> Tempo:
        assert isinstance(self.stores.traces, Tempo)
        return self.stores.traces


EXECUTE: Mapping[tuple[str, str], Callable[[Reader, BoardQuery, str, float], Rows]] = {
    (PROMETHEUS, INSTANT): Reader.instant,
    (PROMETHEUS, RANGE): Reader.series,
    (PROMETHEUS, VALUES): Reader.label_values,
    (LOKI, INSTANT): Reader.log_instant,
    (LOKI, RANGE): Reader.log_series,
    (LOKI, LINES): Reader.log_lines,
    (TEMPO, SPANS): Reader.spans,
    (TEMPO, TRACE): Reader.trace,
}


def reason(refusal: str) -> str:
    """What a store says of a query that it refuses, without the JSON around it."""
    status, _, said = refusal.partition(": ")
    with suppress(ValueError, KeyError, TypeError):
        return f"{status}: {json.loads(said)['error']}"
    return refusal


def point(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def span_of_trace(span: Mapping[str, Any]) -> tuple[Labels, list[tuple[float, float]]]:
    """One span of a whole trace; its value is its duration in seconds."""
    start, end = (int(span[name]) / SECOND for name in ("startTimeUnixNano", "endTimeUnixNano"))
    return {"name": span["name"]}, [(start, end - start)]


def spans_of(trace: Mapping[str, Any]) -> Iterator[tuple[Labels, list[tuple[float, float]]]]:
    """One row a span, with the columns that Grafana's table of spans has; its value is its duration in seconds."""
    of_trace = {"traceIdHidden": trace["traceID"], "traceService": trace.get("rootServiceName", ""), "traceName": trace.get("rootTraceName", "")}
    for span in trace["spanSet"]["spans"] if "spanSet" in trace else trace["spanSets"][0]["spans"]:
        attributes = {one["key"]: str(next(iter(one["value"].values()))) for one in span.get("attributes", [])}
        yield {**of_trace, **attributes}, [(int(span["startTimeUnixNano"]) / SECOND, int(span["durationNanos"]) / SECOND)]


# ------------------------------------------------------------------------------------------------ the check


@dataclass(frozen=True, slots=True)
class Report:
    """Every query that the stores could execute with its answer, and the queries in languages that they do not have."""

    answered: list[Answered]
    not_executed: list[BoardQuery]


def check_boards(stores: Stores, folder: Path) -> Report:
    """Execute every query of the boards and rules in this folder, as the boards open. Raises Problem when there are no boards."""
    if not any(folder.glob("dashboards/*.json")):
        raise Problem(NO_BOARDS.format(folder=folder))
    queries = all_queries(folder)
    since = time.time() - TIME_RANGE_S
    reader = Reader(stores, newest_trace(stores, since), since)
    return Report([reader.execute(query) for query in queries if reader.can_execute(query)], [query for query in queries if not reader.can_execute(query)])


def newest_trace(stores: Stores, since: float) -> dict[str, str]:
    """The variable that no board can open with: which trace."""
    found = stores.traces.search("{}", since, time.time() + 1, limit=1) if isinstance(stores.traces, Tempo) else []
    return {"trace": found[0]["traceID"]} if found else {}


def languages(queries: list[BoardQuery]) -> dict[str, int]:
    """How many queries there are in each language."""
    return {language: number for store, language in LANGUAGES.items() if (number := sum(query.store == store for query in queries))}
