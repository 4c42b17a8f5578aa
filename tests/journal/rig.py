"""A journal, its lines and a shipper as the SDK side wires them, without anything else of the package."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_agents.config.settings import Endpoint
from otel_agents.journal.encode import Lines
from otel_agents.journal.segments import Journal
from otel_agents.journal.ship import Shipper

RESOURCE = Resource({"service.name": "rig"}, "https://example.test/schema")
SCOPE = InstrumentationScope("otel_agents", "1", "https://example.test/scope")
provider = TracerProvider(resource=RESOURCE)
tracer = provider.get_tracer("otel_agents", "1")


def endpoint(url: str, signal: str = "traces", **given: Any) -> Endpoint:
    path = "" if given.get("protocol") == "grpc" else f"/v1/{signal}"
    values = {"protocol": None, "headers": {}, "timeout": 5.0, "compression": "gzip", "certificate": None, "client_key": None, "client_certificate": None}
    return Endpoint(**{**values, "insecure": None, **given, "url": url + path})


def span(name: str, attributes: dict[str, Any] | None = None) -> ReadableSpan:
    started = tracer.start_span(name, attributes=attributes)
    started.end()
    assert isinstance(started, ReadableSpan)
    return started


def log(body: Any, attributes: dict[str, Any] | None = None) -> ReadWriteLogRecord:
    return ReadWriteLogRecord(LogRecord(body=body, attributes=attributes), RESOURCE, SCOPE)


class Rig:
    """One process's half: `span`, `log` append; `shipper.run_once()` sends; `dropped` counts what was lost."""

    def __init__(
        self, folder: Path, url: str | None, *, destination: str = "d0", signals: tuple[str, ...] = ("traces", "logs", "metrics"), **given: Any
    ) -> None:
        sizes = {name: given.pop(name) for name in ("rotate_bytes", "cap_bytes", "max_age_s", "fsync") if name in given}
        more = {name: given.pop(name) for name in ("count",) if name in given}
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.lines = Lines(lambda text, name="": text)
        self.journal = Journal(folder, destination, dropped=self.count, **sizes)
        self.shipper = Shipper(self.journal, {signal: endpoint(url, signal, **given) if url else None for signal in signals}, **more)

    def count(self, signal: str, reason: str, items: int) -> None:
        self.dropped[signal, reason] += items

    def span(self, name: str, attributes: dict[str, Any] | None = None) -> None:
        self.journal.append("traces", self.lines.span(span(name, attributes)))

    def log(self, body: Any, attributes: dict[str, Any] | None = None) -> None:
        self.journal.append("logs", self.lines.log(log(body, attributes)))

    def files(self, pattern: str = "*.jsonl") -> list[str]:
        return sorted(path.name for path in self.journal.folder.glob(pattern))

    def status(self, signal: str = "traces") -> dict[str, Any]:
        """How the signal's delivery stands."""
        sender = self.shipper._senders.get(signal)
        return {
            "protocol": sender.protocol if sender else "local",
            "pending_bytes": sum(segment.path.stat().st_size - segment.offset for segment in self.journal.segments(signal)) if sender else 0,
            "last_error": sender.last_error if sender else None,
            "last_success": sender.last_success if sender else None,
            "dropped": self.journal.tally.of(signal),
        }

    def retry_now(self) -> None:
        """As if the time of waiting were over."""
        for sender in self.shipper._senders.values():
            sender._not_before = 0.0
