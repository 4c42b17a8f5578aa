"""Every server of the stack: whether it is up, its version, what it received in the last minute, and what waits for it in the Collector's queue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from otel_agents.stack.answers import Refused, Sample, ask
from otel_agents.stack.ports import LOOPBACK
from otel_agents.stack.servers import Server
from otel_agents.stack.stores import Stores

BEFORE = 'sum({{__name__=~"(jaeger_)?{names}",job="{job}"}} offset 1m)'  # prometheus.yaml renames what Jaeger has of the Collector's names
RECEIVED: Mapping[str, tuple[str, str]] = {  # the counters, and one of what they count
    "otelcol": ("otelcol_receiver_accepted_(spans|metric_points|log_records)(_total)?", "item"),
    "prometheus": ("prometheus_tsdb_head_samples_appended_total", "sample"),
    "loki": ("loki_distributor_lines_received_total", "line"),
    "tempo": ("tempo_distributor_spans_received_total", "span"),
    "victorialogs": ("vl_rows_ingested_total", "line"),
    "jaeger": ("otelcol_receiver_accepted_spans(_total)?", "span"),
    "alertmanager": ("alertmanager_alerts_received_total", "alert"),
}
VERSION = re.compile(r'"version":\s*"([^"]+)"')
VERSION_LABELS = ("service_version", "short_version", "version")  # of the metrics target_info (the Collector, Jaeger), vm_app_version, …_build_info


@dataclass(frozen=True, slots=True)
class Standing:
    """How one server does.

    received: in the last minute, None when Prometheus can't tell; queue: bytes that the Collector holds for it, None where there is no queue.
    """

    name: str
    is_up: bool
    version: str
    url: str
    received: float | None
    counted: str
    queue: float | None
    problem: str = ""


def standings(servers: Sequence[Server], ports: Mapping[str, int], stores: Stores) -> list[Standing]:
    """All servers, in the order in which items pass through them."""
    queues = waiting(stores)
    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(lambda server: standing(server, ports, stores, queues), reversed(servers)))


def standing(server: Server, ports: Mapping[str, int], stores: Stores, queues: Mapping[str, float]) -> Standing:
    answer = ask(f"http://{LOOPBACK}:{ports[server.ready_port]}{server.ready}", timeout=3.0)
    url = f"http://{LOOPBACK}:{ports[server.port]}"
    names, counted = RECEIVED[server.name]
    if answer.status != 200:
        return Standing(server.name, False, "", url, None, counted, queues.get(server.name), answer.text.strip().splitlines()[0] if answer.text.strip() else "")
    samples = stores.samples(f"http://{LOOPBACK}:{ports[server.scraped]}")
    return Standing(server.name, True, version(server, url, samples), url, received(stores, server.name, samples, names), counted, queues.get(server.name))


def version(server: Server, url: str, samples: Sequence[Sample]) -> str:
    found = VERSION.search(ask(f"{url}{server.built}").text) if server.built else None
    return found[1] if found else next(filter(None, (version_label(server, name, labels) for name, labels, _ in samples)), "").lstrip("v")


def version_label(server: Server, name: str, labels: Mapping[str, str]) -> str:
    """The version that a metric tells of the server that serves it."""
    if name not in ("target_info", "vm_app_version", f"{server.name}_build_info"):
        return ""
    return next((labels[label] for label in VERSION_LABELS if labels.get(label)), "")


def received(stores: Stores, job: str, samples: Sequence[Sample], names: str) -> float | None:
    """What the server counts now, less what Prometheus saw a minute ago: nothing, while the counter did not exist."""
    counted = sum(value for name, _, value in samples if re.fullmatch(names, name))
    with suppress(Refused):
        before = stores.value(BEFORE.format(names=names, job=job)) or 0.0
        return counted - before if counted >= before else counted  # less than before: it was restarted
    return None


def waiting(stores: Stores) -> dict[str, float]:
    """Bytes in the Collector's queues, by the store that they wait for, and in all."""
    sizes: dict[str, float] = {}
    for name, labels, value in stores.samples(stores.otelcol):
        if name == "otelcol_exporter_queue_size":
            store = labels.get("exporter", "").rpartition("/")[2]
            sizes[store] = sizes.get(store, 0.0) + value
    return {**sizes, "otelcol": sum(sizes.values())} if sizes else {}


def as_json(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "up": one.is_up,
        "version": one.version or None,
        "url": one.url,
        "received_last_minute": one.received,
        "received_unit": f"{one.counted}s",
        "queue_bytes": one.queue,
        "problem": one.problem or None,
    }
