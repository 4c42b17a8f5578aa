"""Boards asked as Grafana asks them: variables filled in, every target sent to its store, what came back as rows of figures.

LogQL and TraceQL are asked where Loki and Tempo are the stores.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from otel_agents.stack.answers import Refused, ask, good
from otel_agents.stack.log_lines import SECOND, Loki
from otel_agents.stack.servers import STORES
from otel_agents.stack.stores import Stores
from otel_agents.stack.traces import Tempo

Json = dict[str, Any]
GRAFANA = Path(__file__).parents[2] / "grafana"
INTERVAL, STEP = "4m", 15.0  # $__rate_interval where the data source says that a point comes every 60 s
LABEL_VALUES = re.compile(r"label_values\((?P<series>.*), (?P<label>\w+)\)")
VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class Asked:
    """One target with its answer: series of (labels, points), lines or spans as rows; error when the store refused."""

    board: str
    panel: str
    ref: str
    store: str
    query: str
    rows: list[tuple[Mapping[str, str], list[tuple[float, float]]]] = field(default_factory=list)
    error: str = ""

    @property
    def figures(self) -> list[float]:
        return [value for _, points in self.rows for _, value in points if math.isfinite(value)]

    @property
    def result(self) -> str:
        """What there is to be said of it: the error, empty, only zeroes, or how much came."""
        if self.error:
            return f"ERROR {self.error}"
        if not self.figures:
            return "EMPTY"
        return f"{len(self.rows)} rows, {len(self.figures)} figures" if any(self.figures) else "ZERO"


def targets_for(kind: str) -> list[tuple[str, str, Json]]:
    """Every target of every panel of every board whose language a stack with these stores speaks, with the board's uid and the panel's title."""
    spoken = {"prometheus", *(server.name for server in STORES[kind])}
    panels = [(board["uid"], panel) for board in boards() for panel in board["panels"]]
    found = [(board, panel["title"], target) for board, panel in panels for target in panel.get("targets", [])]
    return [one for one in found if one[2]["datasource"]["type"] in spoken]


def boards() -> list[Json]:
    return [json.loads(path.read_text()) for path in sorted(GRAFANA.glob("dashboards/*.json"))]


@dataclass(frozen=True)
class Reader:
    """Somebody who looks at the boards: which stores, what is chosen, since when (seconds since the epoch)."""

    stores: Stores
    chosen: Mapping[str, str]
    since: float

    def targets(self) -> Iterator[Asked]:
        """Every target that these stores can be asked, asked."""
        return (self.ask_target(*one) for one in targets_for(self.stores.kind))

    def filled(self, query: str, window: float) -> str:
        values = {**self.chosen, "__range": f"{math.ceil(window)}s", "__rate_interval": INTERVAL}
        return VARIABLE.sub(lambda found: values[found[1]], query)

    def ask_target(self, board: str, panel: str, target: Json) -> Asked:
        store, now = target["datasource"]["type"], time.time()
        query = self.filled(target.get("expr") or target["query"], now - self.since)
        about = (board, panel, target["refId"], store, query)
        try:
            return Asked(*about, rows=ASK[store](self, query, target, now))
        except Refused as refused:
            return Asked(*about, error=str(refused))

    def of_prometheus(self, query: str, target: Json, now: float) -> list[Any]:
        if target["instant"]:
            return [(one["metric"], [point(one["value"])]) for one in self.stores.query(query, at=now)]
        return [(one["metric"], list(map(point, one["values"]))) for one in self.stores.query_range(query, self.since, now, STEP)]

    def of_loki(self, query: str, target: Json, now: float) -> list[Any]:
        loki = self.stores.logs
        assert isinstance(loki, Loki)
        if target["queryType"] == "instant":
            return [(one["metric"], [point(one["value"])]) for one in loki.value(query, at=now)]
        if target["legendFormat"]:  # figures over time, not lines
            return [(one["metric"], list(map(point, one["values"]))) for one in loki.series(query, self.since, now, STEP)]
        found = loki.query(query, int(self.since * SECOND), int(now * SECOND), limit=target["maxLines"])
        return [({**line.labels, "line": line.text}, [(line.at / 1e9, 1.0)]) for line in found]

    def of_tempo(self, query: str, target: Json, now: float) -> list[Any]:
        tempo = self.stores.traces
        assert isinstance(tempo, Tempo)
        if re.fullmatch(r"[0-9a-f]+", query):
            return list(map(span_of_trace, tempo.trace(query)))
        found = tempo.search(query, self.since, now + 1, limit=target["limit"])
        return [row for trace in found for row in spans_of(trace)]

    # variables and annotations

    def offered(self, variable: Json) -> list[str]:
        """What a variable offers, as Grafana's Prometheus data source reads label_values()."""
        asked = LABEL_VALUES.fullmatch(variable["query"]["query"])
        assert asked is not None
        given = {"match[]": self.filled(asked["series"], 0), "start": f"{self.since:.0f}", "end": f"{time.time():.0f}"}
        found = good(ask(f"{self.stores.prometheus}/api/v1/label/{asked['label']}/values?{urlencode(given)}")).json["data"]
        return [str(value) for value in found]

    def noted(self, annotation: Mapping[str, Any]) -> list[Any]:
        return self.stores.query_range(self.filled(annotation["expr"], 0), self.since, time.time(), STEP)


def point(pair: list[Any]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])


def span_of_trace(span: Json) -> tuple[dict[str, str], list[tuple[float, float]]]:
    """One span of a whole trace; its figure is its duration in seconds."""
    began, ended = (int(span[name]) / 1e9 for name in ("startTimeUnixNano", "endTimeUnixNano"))
    return {"name": span["name"]}, [(began, ended - began)]


def spans_of(trace: Json) -> Iterator[tuple[dict[str, str], list[tuple[float, float]]]]:
    """One row a span, as the table of spans has it; its figure is its duration in seconds."""
    for span in trace["spanSet"]["spans"] if "spanSet" in trace else trace["spanSets"][0]["spans"]:
        attributes = {one["key"]: str(next(iter(one["value"].values()))) for one in span.get("attributes", [])}
        about = {"traceIdHidden": trace["traceID"], "traceService": trace.get("rootServiceName", ""), "traceName": trace.get("rootTraceName", ""), **attributes}
        yield about, [(int(span["startTimeUnixNano"]) / 1e9, int(span["durationNanos"]) / 1e9)]


ASK = {"prometheus": Reader.of_prometheus, "loki": Reader.of_loki, "tempo": Reader.of_tempo}
