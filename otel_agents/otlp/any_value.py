"""OTLP/JSON's AnyValue and attributes → Python values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Json = Mapping[str, Any]


def value_of(value: Json) -> Any:
    """The Python value of an AnyValue; None where it is empty. Raises KeyError for a kind that OTLP does not have."""
    for kind, content in value.items():
        return VALUES[kind](content)
    return None


def attributes_of(record: Json, name: str = "attributes") -> dict[str, Any]:
    """The attributes of a record (resource, span, log record, point, event, link) as a plain mapping."""
    entries = record.get(name)
    return {entry["key"]: value_of(entry["value"]) for entry in entries} if entries else {}


VALUES: Mapping[str, Callable[[Any], Any]] = {
    "stringValue": str,
    "boolValue": bool,
    "intValue": int,
    "doubleValue": float,
    "bytesValue": str,
    "arrayValue": lambda array: [value_of(value) for value in array.get("values", ())],
    "kvlistValue": lambda entries: attributes_of(entries, "values"),
}
