"""The three signals, and how OTLP/JSON nests their items: by resource, then by instrumentation scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Json = dict[str, Any]


class Nesting(NamedTuple):
    """The names of one signal's lists: of resources in a request, of scopes in a resource, of items in a scope."""

    resources: str
    scopes: str
    items: str

    def walk(self, request: Json) -> Iterator[tuple[Json, Json, list[Json]]]:
        """Each scope of a request: the entry of its resource, its own entry, its items."""
        for resource in request[self.resources]:
            for scope in resource[self.scopes]:
                yield resource, scope, scope[self.items]

    def request(self, resource: Json, scope: Json, items: list[Json]) -> Json:
        """A request with the items of one scope."""
        return {self.resources: [{"resource": resource, self.scopes: [{"scope": scope, self.items: items}]}]}


NESTING: Mapping[str, Nesting] = {
    "traces": Nesting("resourceSpans", "scopeSpans", "spans"),
    "metrics": Nesting("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": Nesting("resourceLogs", "scopeLogs", "logRecords"),
}
SIGNALS = tuple(NESTING)
OUTER = {signal: f'{{"{nesting.resources}":['.encode() for signal, nesting in NESTING.items()}  # how a request begins, up to its first resource
INNER = {signal: f'{{"{nesting.scopes}":[{{"{nesting.items}":['.encode() for signal, nesting in NESTING.items()}  # how a resource begins, up to its first item
HEAD = {signal: OUTER[signal] + INNER[signal] for signal in SIGNALS}
TAIL_START = b'],"scope":{'  # where the items of a line of ours end: inside a string, its quotes would be escaped
SPAN_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")  # by their numbers
METRIC_DATA = ("sum", "gauge", "histogram", "exponentialHistogram")
