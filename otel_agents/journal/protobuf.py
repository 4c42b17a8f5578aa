"""OTLP/JSON lines → the official protobuf request, item by item, so that the program's threads can run in between."""

from __future__ import annotations

import importlib
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from otel_agents.config import import_lock
from otel_agents.journal.batches import grouped
from otel_agents.otlp.signals import INNER, NESTING, OUTER

SERVICE = {"traces": "trace", "logs": "logs", "metrics": "metrics"}
REJECTED = {"traces": "rejected_spans", "logs": "rejected_log_records", "metrics": "rejected_data_points"}


def message(signal: str, kind: str) -> Any:
    """A new Export…Service{Request,Response} of the signal; the generated classes are imported when first needed."""
    name = SERVICE[signal]
    with import_lock.imports:
        generated = importlib.import_module(f"opentelemetry.proto.collector.{name}.v1.{name}_service_pb2")
    return getattr(generated, f"Export{name.title()}Service{kind}")()


def undecodable() -> type[Exception]:
    """The exception that generated classes raise for bytes they can't parse."""
    error: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    return error


def request(signal: str, lines: Sequence[bytes], rest: Callable[[], None]) -> tuple[bytes, int]:
    """The serialised request of the lines, and how many items could not be read; `rest` is called after each item."""
    outer, inner, items_name = PARTS[signal]
    made, unreadable = message(signal, "Request"), 0
    for tail, items in grouped(signal, lines).items():
        if tail:
            element = add(getattr(made, outer), INNER[signal] + tail[:-2])
            target = getattr(getattr(element, inner)[0], items_name)
        for item in items:
            unreadable += not added(target, item) if tail else not added(getattr(made, outer), item[len(OUTER[signal]) : -2])
            rest()
    return made.SerializeToString(), unreadable


def added(target: Any, item: bytes) -> bool:
    try:
        add(target, item)
    except (ValueError, TypeError):  # not JSON, or fields that the installed generated classes do not have
        return False
    return True


def add(target: Any, item: bytes) -> Any:
    return target.add(**fields(orjson.loads(item)))


def fields(node: dict[str, Any]) -> dict[str, Any]:
    """One JSON object as keyword arguments of its generated class."""
    return {SNAKE[name]: CONVERT.get(name, nested)(value) for name, value in node.items()}


def nested(value: Any) -> Any:
    if isinstance(value, dict):
        return fields(value)
    return [nested(part) for part in value] if isinstance(value, list) else value


def number(value: Any) -> Any:
    """A double, with NaN and the infinities as strings; `sum` is also the name of a message field."""
    return fields(value) if isinstance(value, dict) else float(value)


class Snake(dict[str, str]):
    """Names in OTLP/JSON → names of protobuf fields."""

    def __missing__(self, name: str) -> str:
        found = self[name] = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
        return found


SNAKE = Snake()
PARTS = {signal: tuple(SNAKE[name] for name in nesting) for signal, nesting in NESTING.items()}
CONVERT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("traceId", "spanId", "parentSpanId"), bytes.fromhex),
    **dict.fromkeys(("intValue", "asInt", "timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "observedTimeUnixNano", "count", "zeroCount"), int),
    **dict.fromkeys(("doubleValue", "asDouble", "sum", "min", "max"), number),
    "bytesValue": b64decode,
    "bucketCounts": lambda values: [int(value) for value in values],
    "explicitBounds": lambda values: [float(value) for value in values],
}
