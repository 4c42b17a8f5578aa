"""Stores of traces: the same questions asked of Jaeger and of Tempo.

A span is OTLP/JSON with ids in hex, and two more keys: `resource` (its resource's attributes) and `scope`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlencode

from otel_agents.otlp.signals import NESTING
from otel_agents.stack.answers import ask, good

Span = dict[str, Any]
IDS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}  # and their sizes in bytes
ERROR = 2
RECENT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which spans: of a service, by name, by attributes of theirs or of their resource, those that failed. start, end: seconds since the epoch."""

    service: str
    name: str = ""
    attributes: Mapping[str, str] | None = None
    failed: bool = False
    start: float | None = None
    end: float | None = None
    traces: int = 1000  # at most

    @property
    def window(self) -> tuple[float, float]:
        """The asked time, else the last hour."""
        now = time.time()
        return self.start if self.start is not None else now - RECENT_S, self.end if self.end is not None else now + 60

    def matches(self, span: Span) -> bool:
        has = texts(span["resource"]) | texts(span.get("attributes", []))
        wanted = {"service.name": self.service, **(self.attributes or {})}
        is_named = not self.name or span.get("name") == self.name
        return is_named and wanted.items() <= has.items() and (not self.failed or span.get("status", {}).get("code") in (ERROR, "STATUS_CODE_ERROR"))


class Traces(Protocol):
    """What can be asked of a store of traces."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    def trace(self, trace_id: str) -> list[Span]:
        """All spans of a trace; none when there is no such trace."""

    def spans(self, wanted: Wanted) -> list[Span]:
        """The spans that are wanted."""


@dataclass(frozen=True, slots=True)
class Jaeger:
    """Jaeger 2, by its API v3, which answers in OTLP."""

    url: str
    name: str = "jaeger"

    def trace(self, trace_id: str) -> list[Span]:
        return self.ask(f"/api/v3/traces/{trace_id}?raw_traces=true")

    def spans(self, wanted: Wanted) -> list[Span]:
        start, end = (datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z") for at in wanted.window)
        given = {"service_name": wanted.service, "start_time_min": start, "end_time_max": end, "start_time_max": end, "num_traces": str(wanted.traces)}
        found = self.ask(f"/api/v3/traces?{urlencode({f'query.{name}': value for name, value in {**given, 'raw_traces': 'true'}.items()})}")
        return list(filter(wanted.matches, found))

    def ask(self, question: str) -> list[Span]:
        answer = ask(f"{self.url}{question}", timeout=30.0)
        return [] if answer.status == 404 else list(spans_in(good(answer).json["result"]["resourceSpans"]))


@dataclass(frozen=True, slots=True)
class Tempo:
    """Tempo 2 and 3."""

    url: str
    name: str = "tempo"

    def trace(self, trace_id: str) -> list[Span]:
        answer = ask(f"{self.url}/api/traces/{trace_id}", Accept="application/json")
        if answer.status == 404:
            return []
        found = good(answer).json
        return list(spans_in(found.get("batches") or found.get("trace", {}).get("resourceSpans", [])))

    def spans(self, wanted: Wanted) -> list[Span]:
        found = self.search(traceql(wanted), *wanted.window, limit=wanted.traces)
        return [span for one in found for span in self.trace(one["traceID"].zfill(32)) if wanted.matches(span)]

    def search(self, query: str, start: float | None = None, end: float | None = None, limit: int = 1000) -> list[dict[str, Any]]:
        """The traces that a TraceQL query finds. start, end: seconds since the epoch."""
        given: dict[str, str] = {"q": query, "limit": str(limit), "spss": "1000"}
        if start is not None and end is not None:
            given |= {"start": str(int(start)), "end": str(int(end))}
        return good(ask(f"{self.url}/api/search?{urlencode(given)}")).json.get("traces") or []


def traceql(wanted: Wanted) -> str:
    """The TraceQL query for spans."""
    conditions = [f"resource.service.name = {json.dumps(wanted.service)}"]
    conditions += [f"name = {json.dumps(wanted.name)}"] if wanted.name else []
    conditions += [f".{name} = {json.dumps(value)}" for name, value in (wanted.attributes or {}).items()]
    conditions += ["status = error"] if wanted.failed else []
    return f"{{ {' && '.join(conditions)} }}"


def spans_in(resources: list[dict[str, Any]]) -> Iterator[Span]:
    """The spans of OTLP's nesting, one by one."""
    for resource, scope, spans in NESTING["traces"].walk({"resourceSpans": resources}):
        about = {"resource": resource.get("resource", {}).get("attributes", []), "scope": scope.get("scope", {})}
        yield from ({**span, **hex_ids(span), **about} for span in spans)


def hex_ids(span: Span) -> Span:
    """The ids of a span in hex; Tempo gives them in base64."""
    return {key: text if len(text) == 2 * size else base64.b64decode(text).hex() for key, size in IDS.items() if (text := span.get(key))}


def texts(attributes: list[dict[str, Any]]) -> dict[str, str]:
    """Attributes with their values as text."""
    return {one["key"]: str(next(iter(one["value"].values()), "")) for one in attributes}
