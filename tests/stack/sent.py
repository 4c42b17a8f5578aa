"""What programs wrote into their journals, in the shape in which the stores give it back: the other side of every comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from official import parsed
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agents.otlp.signals import NESTING
from otel_agents.stack.servers import OPEN
from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

UNITS = {"s": "seconds", "USD": "USD"}
OF_CONTENT = re.compile(
    r"gen_ai\.((input|output)\.messages|system_instructions|tool\.definitions|tool\.call\.(arguments|result)|(memory|retrieval)\.(query\.text|records|documents))"
    r"|otel_agents\.(input|output)"
)


# ------------------------------------------------------------------------------------------------ spans


def spans(journal: Path) -> dict[bytes, Span]:
    """The spans of a journal as OTLP messages, by id."""
    return dict(sorted_spans(parsed("traces", line) for line in Telemetry(journal).lines("traces")))


def stored_spans(stores: Stores, trace_ids: set[bytes]) -> dict[bytes, Span]:
    """The spans of these traces as their store has them, by id."""
    found = (span for trace_id in trace_ids for span in stores.trace(trace_id.hex()))
    return dict(sorted_spans(parsed("traces", json.dumps(as_request(span)).encode()) for span in found))


def as_request(span: Mapping[str, Any]) -> dict[str, Any]:
    """The OTLP/JSON request of one span as the stores give it."""
    own = {name: value for name, value in span.items() if name not in ("resource", "scope")}
    return NESTING["traces"].request({"attributes": span["resource"]}, span["scope"], [own])


def as_kept(span: Span, stores: Stores) -> Span:
    """The span with what its store does not keep left out: Jaeger has lists and maps as JSON texts, and of a link its ids."""
    kept = Span()
    kept.CopyFrom(span)
    if stores.kind == OPEN:
        for attribute in (*kept.attributes, *(attribute for event in kept.events for attribute in event.attributes)):
            if attribute.value.WhichOneof("value") in ("array_value", "kvlist_value"):
                attribute.value.string_value = json.dumps(plain_value(json_format.MessageToDict(attribute.value)), separators=(",", ":"), ensure_ascii=False)
        for link in kept.links:
            link.ClearField("attributes")
            link.ClearField("trace_state")
            link.attributes.add(key="opentracing.ref_type").value.string_value = "follows_from"
    return kept


def sorted_spans(traces: Iterable[Any]) -> Iterator[tuple[bytes, Span]]:
    """Each span with its resource among its attributes, everything in one order; without the flags, which neither Jaeger nor Tempo's 2.1 line keeps."""
    for resource in (resource for one in traces for resource in one.resource_spans):
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            made = Span()
            made.CopyFrom(span)
            made.ClearField("flags")
            if not made.status.code:
                made.ClearField("status")  # an empty one and none say the same
            for attribute in resource.resource.attributes:
                made.attributes.add(key=f"resource.{attribute.key}", value=attribute.value)
            made.attributes.sort(key=lambda attribute: attribute.key)
            for event in made.events:
                event.attributes.sort(key=lambda attribute: attribute.key)
            for link in made.links:
                link.ClearField("flags")
                link.attributes.sort(key=lambda attribute: attribute.key)
            yield made.span_id, made


# ------------------------------------------------------------------------------------------------ logs


def as_metadata(log: Mapping[str, Any]) -> dict[str, str]:
    """A log record's ids, severity, event name and attributes (but for content) as Loki's and VictoriaLogs' labels."""
    given = {name: value for name, value in log["attributes"].items() if not OF_CONTENT.fullmatch(name)}
    given |= {"event.name": log["event_name"]} if log["event_name"] else {}
    given |= {"trace_id": log["trace_id"], "span_id": log["span_id"], "severity_text": log["severity"]}
    return {name.replace(".", "_"): text_of(value) for name, value in given.items() if value not in (None, "")}


def content_of(log: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in log["attributes"].items() if OF_CONTENT.fullmatch(name)}


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"  # as both write it: never with an exponent
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# ------------------------------------------------------------------------------------------------ metrics


def series(metric: Mapping[str, Any]) -> str:
    """The name that Prometheus gives a metric of OTLP's."""
    unit = UNITS.get(metric.get("unit", ""), "")
    is_total = metric.get("sum", {}).get("isMonotonic", False)
    return "_".join(part for part in (metric["name"].replace(".", "_"), unit, "total" if is_total else "") if part)


def labels(attributes: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, str]:
    kept = {name: resource[name] for name in ("service.name", "service.namespace", "service.version", "deployment.environment.name") if name in resource}
    own = {"job": resource["service.name"], "instance": resource["service.instance.id"]}
    return own | {name.replace(".", "_"): text_of(value) for name, value in {**kept, **attributes}.items()}


def samples(journal: Path) -> dict[str, list[tuple[dict[str, str], float]]]:
    """The last value of every series of a journal, histograms as count, sum and buckets, by the name in Prometheus."""
    latest: dict[tuple[str, str], tuple[dict[str, str], float]] = {}
    for metric, resource in metrics(journal):
        for name, own, value in samples_of(metric):
            has = labels(own, resource)
            latest[name, json.dumps(has, sort_keys=True)] = (has, value)
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for (name, _), sample in latest.items():
        found.setdefault(name, []).append(sample)
    return found


def metrics(journal: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for line in Telemetry(journal).lines("metrics"):
        for resource in json.loads(line)["resourceMetrics"]:
            attributes = plain(resource["resource"]["attributes"])
            for scope in resource["scopeMetrics"]:
                yield from ((metric, attributes) for metric in scope["metrics"])


def samples_of(metric: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], float]]:
    name = series(metric)
    for point in metric.get("histogram", {}).get("dataPoints", []):
        own, total = plain(point.get("attributes", [])), 0
        yield f"{name}_count", own, float(point["count"])
        yield f"{name}_sum", own, point["sum"]
        bounds = [*(f"{bound:g}" for bound in point["explicitBounds"]), "+Inf"]
        for bound, inside in zip(bounds, point["bucketCounts"], strict=True):
            total += int(inside)
            yield f"{name}_bucket", {**own, "le": bound}, float(total)
    for kind in ("sum", "gauge"):
        for point in metric.get(kind, {}).get("dataPoints", []):
            yield name, plain(point.get("attributes", [])), float(point.get("asDouble", point.get("asInt", 0)))


def plain(attributes: Any) -> dict[str, Any]:
    return {one["key"]: plain_value(one["value"]) for one in attributes}


def plain_value(value: Mapping[str, Any]) -> Any:
    message = json_format.ParseDict(value, AnyValue())
    kind = message.WhichOneof("value")
    if kind == "array_value":
        return [plain_value(json_format.MessageToDict(one)) for one in message.array_value.values]
    return None if kind is None else getattr(message, kind)
