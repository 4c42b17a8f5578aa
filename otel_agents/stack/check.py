"""One trace, one metric and one log line through the Collector, found again in their stores; what is not found, is said where it got lost."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from otel_agents.otlp.signals import NESTING
from otel_agents.stack.answers import Answer, Refused
from otel_agents.stack.status import waiting
from otel_agents.stack.stores import Stores

SERVICE = "otel-agents-check"
METRIC = "otel_agents.stack.check"
FIND_S = 30.0
SECOND = 10**9
ITEMS = {"traces": "spans", "metrics": "metric_points", "logs": "log_records"}


@dataclass(frozen=True, slots=True)
class Probe:
    """What is sent: told apart from all other checks by its trace id and its number."""

    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))
    number: int = field(default_factory=lambda: secrets.randbelow(2**50))
    at: int = field(default_factory=time.time_ns)

    def request(self, signal: str) -> dict[str, Any]:
        """The OTLP/JSON request of one signal."""
        resource = {"attributes": [attribute("service.name", SERVICE), attribute("service.instance.id", "check")]}
        return NESTING[signal].request(resource, {"name": "otel_agents.stack"}, [ITEM[signal](self)])


def attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def span(probe: Probe) -> dict[str, Any]:
    times = {"startTimeUnixNano": str(probe.at - SECOND), "endTimeUnixNano": str(probe.at)}
    return {"traceId": probe.trace_id, "spanId": probe.span_id, "name": "stack check", "kind": 1, **times}


def metric(probe: Probe) -> dict[str, Any]:
    return {"name": METRIC, "gauge": {"dataPoints": [{"timeUnixNano": str(probe.at), "asDouble": probe.number}]}}


def log(probe: Probe) -> dict[str, Any]:
    ids = {"traceId": probe.trace_id, "spanId": probe.span_id}
    return {"timeUnixNano": str(probe.at), "severityNumber": 9, "severityText": "INFO", "body": {"stringValue": f"stack check {probe.number}"}, **ids}


ITEM: Mapping[str, Callable[[Probe], dict[str, Any]]] = {"traces": span, "metrics": metric, "logs": log}


# ------------------------------------------------------------------------------------------------ found again


def has_span(stores: Stores, probe: Probe) -> bool:
    return bool(stores.trace(probe.trace_id))


def has_sample(stores: Stores, probe: Probe) -> bool:
    return stores.value(f'{METRIC.replace(".", "_")}{{job="{SERVICE}"}}') == probe.number


def has_line(stores: Stores, probe: Probe) -> bool:
    return bool(stores.lines(SERVICE, trace_id=probe.trace_id))


FIND: Mapping[str, Callable[[Stores, Probe], bool]] = {"traces": has_span, "metrics": has_sample, "logs": has_line}


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one signal; `lost` says where, when it was not found. seconds: from sending to finding."""

    signal: str
    found: bool
    seconds: float
    lost: str = ""


def check(stores: Stores, seconds: float = FIND_S) -> list[Result]:
    """Send one item of each signal and look for it for so many seconds."""
    probe = Probe()
    with ThreadPoolExecutor(len(FIND)) as pool:
        return list(pool.map(lambda signal: follow(stores, probe, signal, seconds), FIND))


def follow(stores: Stores, probe: Probe, signal: str, seconds: float) -> Result:
    began = time.monotonic()
    failed_before = failures(stores, signal)
    answer = stores.send(signal, probe.request(signal))
    if answer.status != 200:
        return Result(signal, False, 0.0, not_taken(answer, stores))
    problem = ""
    while time.monotonic() - began < seconds:
        try:
            if FIND[signal](stores, probe):
                return Result(signal, True, time.monotonic() - began)
            problem = ""
        except Refused as refusal:
            problem = str(refusal)
        time.sleep(0.2)
    return Result(signal, False, time.monotonic() - began, after_collector(stores, signal, failed_before, problem))


def not_taken(answer: Answer, stores: Stores) -> str:
    if not answer.status:
        return f"between here and the Collector: {stores.otlp} does not answer ({answer.text}); is it up? otel-agents stack status"
    return f"at the Collector's door: it answered HTTP {answer.status} ({answer.text.strip()[:200]})"


def after_collector(stores: Stores, signal: str, failed_before: float, problem: str) -> str:
    """Where an item is that the Collector took, as its queues and counters tell."""
    store = stores.by_signal[signal]
    if not stores.samples(stores.otelcol):
        return f"in the Collector: it took the item and does not answer at {stores.otelcol} any more; see its log"
    if failures(stores, signal) > failed_before:
        return f"at {store}'s door: the Collector sent it and {store} refused it; see the Collector's log"
    for place, size in held(stores, store):
        return (
            f"in the Collector's queue for {place} ({size:,.0f} bytes), which does not take them{said(problem)}; nothing is lost, it goes on when {place} does"
        )
    if problem:
        return f"behind {store}'s door: it can't be asked{said(problem)}"
    return f"inside {store}: the Collector sent it, and no query finds it; see its log"


def held(stores: Stores, store: str) -> Iterator[tuple[str, float]]:
    """What waits for this store, else for whoever stands between the Collector and the stores: Kafka, a gateway."""
    queues = waiting(stores)
    between = queues.keys() - {*stores.by_signal.values(), "otelcol"}
    return ((place, queues[place]) for place in (store, *sorted(between)) if queues.get(place))


def said(problem: str) -> str:
    return f" ({problem})" if problem else ""


def failures(stores: Stores, signal: str) -> float:
    exporters = {labels["exporter"] for _, labels, _ in stores.samples(stores.otelcol) if labels.get("exporter", "").endswith(f"/{stores.by_signal[signal]}")}
    return sum(stores.total(stores.otelcol, f"otelcol_exporter_send_failed_{ITEMS[signal]}", exporter=exporter) for exporter in exporters)
