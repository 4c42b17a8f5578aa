"""What can be asked of the stores: samples and exemplars of Prometheus, traces, log lines, metrics of any server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from otel_agents.stack import answers
from otel_agents.stack.answers import Answer, Sample, ask, good
from otel_agents.stack.log_lines import Line, Logs, Loki, Selection, VictoriaLogs
from otel_agents.stack.ports import LOOPBACK
from otel_agents.stack.servers import LOKI_TEMPO, OPEN, STORES
from otel_agents.stack.traces import Jaeger, Span, Tempo, Traces, Wanted


@dataclass(frozen=True, slots=True)
class Stores:
    """The servers' base URLs, and the questions that they answer. kind: the stores of traces and logs, by their key in servers.STORES."""

    kind: str
    prometheus: str
    logs: Logs
    traces: Traces
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

    # traces and logs

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace; empty when there is no such trace."""
        return self.traces.trace(trace_id)

    def spans(self, service: str, **more: Any) -> list[Span]:
        """The spans of a service; more: as traces.Wanted has it."""
        return self.traces.spans(Wanted(service, **more))

    def lines(self, service: str = "", **more: Any) -> list[Line]:
        """Log lines, oldest first; more: as log_lines.Selection has it."""
        return self.logs.lines(Selection(service, **more))

    @property
    def by_signal(self) -> dict[str, str]:
        """The name of the server that stores each signal."""
        return {"traces": self.traces.name, "metrics": "prometheus", "logs": self.logs.name}

    # servers

    def samples(self, base: str) -> list[Sample]:
        """What a server's /metrics says now; empty when it does not answer."""
        return answers.samples(base)

    def total(self, base: str, *names: str, **labels: str) -> float:
        """The sum of the samples of any of these names (with or without `_total`) that carry the labels."""
        wanted = {*names, *(f"{name}_total" for name in names)}
        return sum(value for name, has, value in self.samples(base) if name in wanted and labels.items() <= has.items())

    def send(self, signal: str, request: Mapping[str, Any]) -> Answer:
        """Send an OTLP/JSON request to the Collector."""
        return ask(f"{self.otlp}/v1/{signal}", json.dumps(request).encode())


TRACES: Mapping[str, type[Jaeger] | type[Tempo]] = {OPEN: Jaeger, LOKI_TEMPO: Tempo}
LOGS: Mapping[str, type[VictoriaLogs] | type[Loki]] = {OPEN: VictoriaLogs, LOKI_TEMPO: Loki}


def stores_at(taken: Mapping[str, int], kind: str) -> Stores:
    """The stores of a stack that listens on these ports of loopback."""
    at = {name: f"http://{LOOPBACK}:{port}" for name, port in taken.items()}
    traces, logs = STORES[kind]
    return Stores(kind, at["prometheus"], LOGS[kind](at[logs.port]), TRACES[kind](at[traces.port]), at["alertmanager"], at["otelcol"], at["otlp_http"])
