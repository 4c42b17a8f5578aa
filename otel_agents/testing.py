"""capture(): the exact telemetry of a block as plain data, recorded by the same providers, processors and encoder as in production; and a pytest fixture.

with capture() as telemetry:
    run("hello")
assert [span["name"] for span in telemetry.spans] == ["invoke_agent run"]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson

from otel_agents.otlp.any_value import attributes_of, value_of
from otel_agents.otlp.segment_names import SEGMENT
from otel_agents.otlp.signals import METRIC_DATA, NESTING, SIGNALS, SPAN_KINDS

if TYPE_CHECKING:
    from typing import Unpack

    from otel_agents.config.arguments import Arguments

Json = dict[str, Any]
STATUSES = {0: "unset", 1: "ok", 2: "error"}


class Telemetry:
    """What was recorded, as plain data, in the order in which it ended. Can be read during the block and after it."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._lines: dict[str, list[bytes]] = {}

    def lines(self, signal: str) -> list[bytes]:
        """The raw OTLP/JSON lines of "traces", "logs" or "metrics"."""
        found = [line for file in sorted(self.journal.glob(f"*/{signal}-*.jsonl"), key=_order) for line in file.read_bytes().splitlines()]
        return found or self._lines.get(signal, [])

    @property
    def spans(self) -> list[Json]:
        """name, kind, status, attributes, events, links, trace_id, span_id, parent_id, start, end (ns), scope, resource."""
        return [_span(item, scope, resource) for item, scope, resource in self._items("traces")]

    @property
    def logs(self) -> list[Json]:
        """event_name, severity, body, attributes, trace_id, span_id, scope, resource."""
        return [_log(item, scope, resource) for item, scope, resource in self._items("logs")]

    @property
    def events(self) -> list[Json]:
        """The log records that are events."""
        return [record for record in self.logs if record["event_name"]]

    @property
    def metrics(self) -> dict[str, list[Json]]:
        """The latest points by metric: attributes, value | count, sum, buckets; exemplars, start, time."""
        from otel_agents.runtime import lifecycle

        if lifecycle.process.pipeline is not None and lifecycle.process.pipeline.settings.journal_dir == self.journal:
            lifecycle.process.pipeline.collect()
        latest: dict[str, dict[bytes, Json]] = {}
        for metric, scope, _ in self._items("metrics"):
            points = latest.setdefault(metric["name"], {})
            for point in _points(metric):
                points[orjson.dumps([scope, point["attributes"]], option=orjson.OPT_SORT_KEYS)] = point
        return {name: list(points.values()) for name, points in latest.items()}

    def span(self, name: str) -> Json:
        """The only span of this name; otherwise an AssertionError lists all names."""
        found = [span for span in self.spans if span["name"] == name]
        assert len(found) == 1, f"{len(found)} spans are named {name!r}; there are {[span['name'] for span in self.spans]}"
        return found[0]

    def keep(self) -> None:
        """Keep the content of the journal, which is about to be deleted."""
        self._lines = {signal: self.lines(signal) for signal in SIGNALS}

    def _items(self, signal: str) -> Iterator[tuple[Json, Json, Json]]:
        for line in self.lines(signal):
            for resource, scope, items in NESTING[signal].walk(orjson.loads(line)):
                for item in items:
                    yield item, {**scope.get("scope", {}), "schema_url": scope.get("schemaUrl", "")}, attributes_of(resource.get("resource", {}))


@contextmanager
def capture(**settings: Unpack[Arguments]) -> Iterator[Telemetry]:
    """Observe only the block, in a temporary journal; `settings` are those of `oa.start()`, and nothing is sent.

    Failures of otel-agents itself are raised instead of swallowed. If observation was on before, it is started anew afterwards.
    """
    from otel_agents.runtime import lifecycle
    from otel_agents.telemetry.engine import engine

    before, asked = lifecycle.process.started, lifecycle.process.overrides
    lifecycle.shutdown(forget=True)
    with TemporaryDirectory(prefix="otel-agents-") as folder:
        telemetry = Telemetry(Path(folder))
        engine.strict = True
        try:
            chosen: Arguments = {"ship": False, "metric_interval": 3600, "log_level": "DEBUG", **settings, "journal_dir": folder}
            lifecycle.start(**chosen)
            yield telemetry
        finally:
            lifecycle.shutdown(forget=True)
            engine.strict = False
            telemetry.keep()
            if before:
                lifecycle.begin(asked)


def _order(file: Path) -> tuple[str, int]:
    parts = SEGMENT.fullmatch(file.name)
    return (parts["owner"], int(parts["number"])) if parts is not None else (file.name, 0)


def _span(item: Json, scope: Json, resource: Json) -> Json:
    return {
        "name": item["name"],
        "kind": SPAN_KINDS[item.get("kind", 0)],
        "status": STATUSES[item.get("status", {}).get("code", 0)],
        "message": item.get("status", {}).get("message", ""),
        "attributes": attributes_of(item),
        "events": [{"name": event["name"], "attributes": attributes_of(event)} for event in item.get("events", ())],
        "links": [{"trace_id": link["traceId"], "span_id": link["spanId"], "attributes": attributes_of(link)} for link in item.get("links", ())],
        "trace_id": item["traceId"],
        "span_id": item["spanId"],
        "parent_id": item.get("parentSpanId", ""),
        "start": int(item["startTimeUnixNano"]),
        "end": int(item["endTimeUnixNano"]),
        "scope": scope,
        "resource": resource,
    }


def _log(item: Json, scope: Json, resource: Json) -> Json:
    return {
        "event_name": item.get("eventName", ""),
        "severity": item.get("severityText", ""),
        "severity_number": item.get("severityNumber", 0),
        "body": value_of(item.get("body", {})),
        "attributes": attributes_of(item),
        "trace_id": item.get("traceId", ""),
        "span_id": item.get("spanId", ""),
        "scope": scope,
        "resource": resource,
    }


def _points(metric: Json) -> Iterator[Json]:
    for kind in METRIC_DATA:
        for point in metric.get(kind, {}).get("dataPoints", ()):
            measured = {"value": float(point["asDouble"]) if "asDouble" in point else int(point["asInt"])} if "asDouble" in point or "asInt" in point else {}
            counted = (
                {"count": int(point["count"]), "sum": point.get("sum"), "buckets": [int(one) for one in point.get("bucketCounts", ())]}
                if "count" in point
                else {}
            )
            yield {
                "attributes": attributes_of(point),
                **measured,
                **counted,
                "unit": metric.get("unit", ""),
                "kind": kind,
                "bounds": point.get("explicitBounds", []),
                "exemplars": point.get("exemplars", []),
                "start": int(point.get("startTimeUnixNano", 0)),
                "time": int(point["timeUnixNano"]),
            }


try:
    import pytest
except ImportError:  # only the fixture needs it
    pass
else:

    @pytest.fixture
    def telemetry() -> Iterator[Telemetry]:
        """The telemetry of the test, recorded with content in full."""
        with capture(content="full") as recorded:
            yield recorded
