"""What can be asked of the stores over HTTP: traces of Tempo, samples and exemplars of Prometheus, lines of Loki, metrics of any server."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

SECOND = 10**9
SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Answer(NamedTuple):
    """An HTTP status (0: none came) and what was said."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Line(NamedTuple):
    """A line of Loki's: when (nanoseconds), its text, its labels and metadata."""

    at: int
    text: str
    labels: Mapping[str, str]


def ask(url: str, body: bytes | None = None, timeout: float = 10.0, **headers: str) -> Answer:
    """GET, or POST a body; no answer, and no answer in time, are an Answer with status 0."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers} if body is not None else headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback
    try:
        with opener.open(request, timeout=timeout) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, refused.read())
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "reason", problem)
        return Answer(0, str(getattr(reason, "strerror", None) or reason).lower().encode())


@dataclass(frozen=True, slots=True)
class Stores:
    """The base URLs of the servers, and the questions that they answer."""

    prometheus: str
    loki: str
    tempo: str
    alertmanager: str
    otelcol: str  # its own metrics
    otlp: str

    # Prometheus

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The vector (or scalar) that an instant query gives. at: seconds since the epoch."""
        given = {"query": expression} | ({"time": f"{at:.3f}"} if at is not None else {})
        return self._prometheus("query", given)["result"]  # type: ignore[no-any-return]

    def value(self, expression: str) -> float | None:
        """The only value of an instant query; None when it gives nothing."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        given = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        return self._prometheus("query_range", given)["result"]  # type: ignore[no-any-return]

    def exemplars(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        return self._prometheus("query_exemplars", {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}"})  # type: ignore[no-any-return]

    def _prometheus(self, what: str, given: Mapping[str, str]) -> Any:
        return good(ask(f"{self.prometheus}/api/v1/{what}?{urlencode(given)}")).json["data"]

    # Tempo

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace, each with its resource's attributes; empty when there is no such trace."""
        answer = ask(f"{self.tempo}/api/traces/{trace_id}", Accept="application/json")
        if answer.status == 404:
            return []
        found = good(answer).json
        batches = found.get("batches") or found.get("trace", {}).get("resourceSpans", [])
        return [
            {**span, "resource": batch.get("resource", {}).get("attributes", []), "scope": scope.get("scope", {})}
            for batch in batches
            for scope in batch.get("scopeSpans", [])
            for span in scope.get("spans", [])
        ]

    def search(self, query: str, start: float | None = None, end: float | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """The traces that a TraceQL query finds. start, end: seconds since the epoch."""
        given: dict[str, str] = {"q": query, "limit": str(limit), "spss": "1000"}
        if start is not None and end is not None:
            given |= {"start": str(int(start)), "end": str(int(end))}
        return good(ask(f"{self.tempo}/api/search?{urlencode(given)}")).json.get("traces") or []

    # Loki

    def lines(self, query: str, start: float | None = None, end: float | None = None, limit: int = 5000) -> list[Line]:
        """The lines of a LogQL query, oldest first. start, end: seconds since the epoch (default: the last hour)."""
        now = time.time()
        begin, finish = int((start if start is not None else now - 3600) * SECOND), int((end if end is not None else now + 60) * SECOND)
        given = {"query": query, "start": str(begin), "end": str(finish), "limit": str(limit), "direction": "forward"}
        streams = good(ask(f"{self.loki}/loki/api/v1/query_range?{urlencode(given)}", timeout=30.0)).json["data"]["result"]
        return sorted(Line(int(entry[0]), entry[1], stream["stream"]) for stream in streams for entry in stream["values"])

    def log_value(self, query: str, at: float | None = None) -> list[dict[str, Any]]:
        """The vector that a LogQL metric query gives."""
        given = {"query": query} | ({"time": str(int(at * SECOND))} if at is not None else {})
        return good(ask(f"{self.loki}/loki/api/v1/query?{urlencode(given)}", timeout=30.0)).json["data"]["result"]  # type: ignore[no-any-return]

    def log_range(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series that a LogQL metric query gives. start, end: seconds since the epoch; step: seconds."""
        given = {"query": query, "start": str(int(start * SECOND)), "end": str(int(end * SECOND)), "step": f"{step:g}"}
        return good(ask(f"{self.loki}/loki/api/v1/query_range?{urlencode(given)}", timeout=30.0)).json["data"]["result"]  # type: ignore[no-any-return]

    # servers

    def samples(self, base: str) -> list[tuple[str, dict[str, str], float]]:
        """What a server's /metrics says now; empty when it does not answer."""
        answer = ask(f"{base}/metrics")
        return list(map(sample_of, SAMPLE.finditer(answer.text))) if answer.status == 200 else []

    def total(self, base: str, *names: str, **labels: str) -> float:
        """The sum of the samples of any of these names (with or without `_total`) that carry the labels."""
        wanted = {*names, *(f"{name}_total" for name in names)}
        return sum(value for name, has, value in self.samples(base) if name in wanted and labels.items() <= has.items())

    def send(self, signal: str, request: Mapping[str, Any]) -> Answer:
        """Send an OTLP/JSON request to the Collector."""
        return ask(f"{self.otlp}/v1/{signal}", json.dumps(request).encode())


def sample_of(found: re.Match[str]) -> tuple[str, dict[str, str], float]:
    return found["name"], dict(LABEL.findall(found["labels"] or "")), float(found["value"])


class Refused(Exception):
    """A store did not answer a question; the text says which status and what it said."""


def good(answer: Answer) -> Answer:
    if answer.status != 200:
        raise Refused(f"HTTP {answer.status}: {answer.text[:500]}" if answer.status else answer.text)
    return answer
