"""Spans as data, for comparing with a literal."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Observed:
    """What was observed, as data: one dictionary a span, in the order in which they ended.

    Content is parsed; times and ports are only checked for being there. The cost, which comes from a table of prices, has tests of its own.
    """

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def spans(self) -> list[dict[str, Any]]:
        found = [_as_data(span) for span in self._exporter.get_finished_spans()]
        self._exporter.clear()
        return found

    def only(self) -> dict[str, Any]:
        """The one span there is."""
        [span] = self.spans()
        return span


def _as_data(span: ReadableSpan) -> dict[str, Any]:
    attributes: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in (span.attributes or {}).items()}
    attributes.pop("otel_agents.cost", None)
    for name in ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions"):
        if name in attributes:
            attributes[name] = json.loads(attributes[name])
    if "server.port" in attributes:
        assert attributes.pop("server.port") > 0
    if "gen_ai.response.time_to_first_chunk" in attributes:
        assert attributes.pop("gen_ai.response.time_to_first_chunk") > 0
    return {"name": span.name, "kind": span.kind.name, "status": span.status.status_code.name, "attributes": attributes}
