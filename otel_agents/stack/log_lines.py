"""Stores of log lines: the same questions asked of VictoriaLogs and of Loki. Names of attributes have underscores for dots, as Loki keeps them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlencode

from otel_agents.stack.answers import ask, good

SECOND = 10**9
RECENT_S = 3600.0
FRACTION = re.compile(r"\.(\d+)Z$")


class Line(NamedTuple):
    """A log line: when (nanoseconds since the epoch), its text, its labels and attributes."""

    at: int
    text: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which lines; what is empty asks for nothing, but event: "" means log lines that are no events. start, end: seconds since the epoch.

    attributes: by their names as programs send them, of the record or its resource.
    """

    service: str = ""
    trace_id: str = ""
    span_id: str = ""
    event: str | None = None
    contains: str = ""
    attributes: Mapping[str, str] | None = None
    start: float | None = None
    end: float | None = None
    limit: int = 5000

    @property
    def window(self) -> tuple[int, int]:
        """The asked time in nanoseconds, else the last hour."""
        now = time.time()
        start, end = self.start if self.start is not None else now - RECENT_S, self.end if self.end is not None else now + 60
        return int(start * SECOND), int(end * SECOND)

    @property
    def ids(self) -> dict[str, str]:
        return {name: value for name, value in (("trace_id", self.trace_id), ("span_id", self.span_id)) if value}


class Logs(Protocol):
    """What can be asked of a store of log lines."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    def lines(self, selection: Selection) -> list[Line]:
        """The lines, oldest first."""

    def query(self, query: str, start: int, end: int, limit: int = 5000) -> list[Line]:
        """The lines of a query in the store's own language, oldest first. start, end: nanoseconds since the epoch."""


# ------------------------------------------------------------------------------------------------ VictoriaLogs


@dataclass(frozen=True, slots=True)
class VictoriaLogs:
    """VictoriaLogs, by LogsQL."""

    url: str
    name: str = "victorialogs"

    def lines(self, selection: Selection) -> list[Line]:
        return self.query(logsql(selection), *selection.window, selection.limit)

    def query(self, query: str, start: int, end: int, limit: int = 5000) -> list[Line]:
        given = {"query": query, "start": str(start), "end": str(end), "limit": str(limit)}
        answer = good(ask(f"{self.url}/select/logsql/query?{urlencode(given)}", timeout=30.0))
        return sorted(line_of(json.loads(row)) for row in answer.body.splitlines())


def logsql(selection: Selection) -> str:
    """The LogsQL query for lines."""
    wanted = {**({"service.name": selection.service} if selection.service else {}), **selection.ids, **(selection.attributes or {})}
    conditions = [f"{quoted(name)}:={quoted(value)}" for name, value in wanted.items()]
    conditions += [f"event_name:={quoted(selection.event)}"] if selection.event is not None else []
    conditions += [f"_msg:~{quoted(re.escape(selection.contains))}"] if selection.contains else []
    return " ".join(conditions) or "*"


def line_of(row: Mapping[str, str]) -> Line:
    labels = {name.replace(".", "_"): value for name, value in row.items() if not name.startswith("_")}
    return Line(nanoseconds(row["_time"]), row.get("_msg", ""), labels)


def nanoseconds(text: str) -> int:
    """Nanoseconds since the epoch of a time as RFC 3339 writes it in UTC."""
    fraction = FRACTION.search(text)
    whole = datetime.fromisoformat(FRACTION.sub("Z", text))
    return int(whole.timestamp()) * SECOND + int(fraction[1].ljust(9, "0") if fraction else 0)


# ------------------------------------------------------------------------------------------------ Loki


@dataclass(frozen=True, slots=True)
class Loki:
    """Loki, by LogQL."""

    url: str
    name: str = "loki"

    def lines(self, selection: Selection) -> list[Line]:
        return self.query(logql(selection), *selection.window, selection.limit)

    def query(self, query: str, start: int, end: int, limit: int = 5000) -> list[Line]:
        given = {"query": query, "start": str(start), "end": str(end), "limit": str(limit), "direction": "forward"}
        streams = self.ask("query_range", given)
        return sorted(Line(int(entry[0]), entry[1], stream["stream"]) for stream in streams for entry in stream["values"])

    def value(self, query: str, at: float | None = None) -> list[dict[str, Any]]:
        """The vector that a LogQL metric query gives."""
        return self.ask("query", {"query": query} | ({"time": str(int(at * SECOND))} if at is not None else {}))

    def series(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series that a LogQL metric query gives. start, end: seconds since the epoch; step: seconds."""
        return self.ask("query_range", {"query": query, "start": str(int(start * SECOND)), "end": str(int(end * SECOND)), "step": f"{step:g}"})

    def ask(self, what: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = good(ask(f"{self.url}/loki/api/v1/{what}?{urlencode(given)}", timeout=30.0)).json["data"]["result"]
        return found


def logql(selection: Selection) -> str:
    """The LogQL query for lines: streams by service, everything else by what is attached to them."""
    streams = f"{{service_name={quoted(selection.service)}}}" if selection.service else '{service_name=~".+"}'
    wanted = {**selection.ids, **{name.replace(".", "_"): value for name, value in (selection.attributes or {}).items()}}
    conditions = [f"|= {quoted(selection.contains)}"] if selection.contains else []
    conditions += [f"| {name}={quoted(value)}" for name, value in wanted.items()]
    conditions += [f"| event_name={quoted(selection.event)}"] if selection.event is not None else []
    return " ".join([streams, *conditions])


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
