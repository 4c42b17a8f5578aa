"""Journals written by hand: OTLP/JSON lines as the engine appends them, for tests of what reads them.

journal = Written(tmp_path)
journal.spans("100-a-b-1", span("chat gpt-4o-mini", id=2, parent=1, start=0.5, end=1.0, **{"gen_ai.operation.name": "chat"}))
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EPOCH = 1_790_000_000  # seconds; every time in a test is relative to it
TRACE = "5b8efff798038103d269b633813fc60c"
SERVICE = {"service.name": "travel", "service.instance.id": "i-1"}
HEADS = {
    "traces": '{"resourceSpans":[{"scopeSpans":[{"spans":[',
    "logs": '{"resourceLogs":[{"scopeLogs":[{"logRecords":[',
    "metrics": '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[',
}


def nanoseconds(seconds: float) -> str:
    return str(EPOCH * 10**9 + round(seconds * 10**9))


def value(of: Any) -> dict[str, Any]:
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(one) for one in of]}}
    if isinstance(of, dict):
        return {"kvlistValue": {"values": attributes(of)}}
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {kinds[type(of)]: str(of) if type(of) is int else of}


def attributes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": value(one)} for key, one in given.items()]


def span(
    name: str, *, id: int, parent: int = 0, trace: str = TRACE, start: float = 0, end: float = 1, error: str | None = None, **given: Any
) -> dict[str, Any]:
    """One ended span; ids are small numbers, times seconds after EPOCH; `error` is the status message of a failed one."""
    events, flags = given.pop("events", []), given.pop("flags", 0x100)
    record: dict[str, Any] = {"traceId": trace, "spanId": f"{id:016x}"} | ({"parentSpanId": f"{parent:016x}"} if parent else {})
    record |= {"flags": flags, "name": name, "kind": 1, "startTimeUnixNano": nanoseconds(start), "endTimeUnixNano": nanoseconds(end)}
    record |= {"attributes": attributes(given), "status": {"code": 2, "message": error} if error is not None else {}}
    return record | ({"events": events} if events else {})


def log(body: Any = None, *, id: int = 0, trace: str = TRACE, at: float = 0, event: str = "", level: str = "INFO", **given: Any) -> dict[str, Any]:
    """One log record, or an event without a body."""
    record: dict[str, Any] = {"timeUnixNano": nanoseconds(at), "severityNumber": {"DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17}[level]}
    record |= {"severityText": level, "body": {} if body is None else value(body), "attributes": attributes(given)}
    return record | ({"eventName": event} if event else {}) | ({"traceId": trace, "spanId": f"{id:016x}"} if id else {})


def counter(name: str, points: list[tuple[int, dict[str, Any]]], start: int = 0) -> dict[str, Any]:
    """One counter with its points: (value, attributes); start: in seconds."""
    data = [
        {"startTimeUnixNano": nanoseconds(start), "timeUnixNano": nanoseconds(60), "asInt": str(number), "attributes": attributes(given)}
        for number, given in points
    ]
    return {"name": name, "unit": "{item}", "sum": {"aggregationTemporality": 2, "isMonotonic": True, "dataPoints": data}}


class Written:
    """A journal folder; every file gets a time of last writing that is the latest of its items."""

    def __init__(self, folder: Path, destination: str = "local") -> None:
        self.folder, self.destination = folder, destination

    def spans(self, name: str, *records: dict[str, Any], **resource: Any) -> Path:
        return self.file("traces", name, records, resource, max(int(record["endTimeUnixNano"]) for record in records))

    def logs(self, name: str, *records: dict[str, Any], **resource: Any) -> Path:
        return self.file("logs", name, records, resource, max(int(record["timeUnixNano"]) for record in records))

    def metrics(self, name: str, *records: dict[str, Any], **resource: Any) -> Path:
        return self.file("metrics", name, records, resource, EPOCH * 10**9)

    def file(self, signal: str, name: str, records: tuple[dict[str, Any], ...], resource: dict[str, Any], modified: int) -> Path:
        path = self.folder / self.destination / f"{signal}-{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line(signal, record, **resource) for record in records))
        os.utime(path, ns=(modified, modified))
        return path


def line(signal: str, record: dict[str, Any], **resource: Any) -> str:
    described = json.dumps({"attributes": attributes(SERVICE | resource)}, separators=(",", ":"))
    return (
        HEADS[signal] + json.dumps(record, separators=(",", ":"), ensure_ascii=False) + f'],"scope":{{"name":"otel_agents"}}}}],"resource":{described}}}]}}\n'
    )
