"""The SDK's exporters, wrapped so that they export redacted copies. Without a journal there is no other place to redact."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any

from otel_agents.redaction.by_name import name_beside
from otel_agents.redaction.by_shape import redacted_bytes

if TYPE_CHECKING:
    from otel_agents.redaction.by_shape import Redact

WALKED = frozenset(  # the SDK's types that reach an exporter. A log record also holds a context, which would lead to the whole program
    """
    BoundedAttributes BoundedList Event Exemplar ExponentialHistogram ExponentialHistogramDataPoint Gauge Histogram HistogramDataPoint
    InstrumentationInfo InstrumentationScope Link LogRecord Metric MetricsData NumberDataPoint ReadableLogRecord ReadableSpan Resource
    ResourceMetrics ScopeMetrics Status Sum
    """.split()  # noqa: SIM905 - a list of twenty quoted strings is worse to read
)
DEEPEST = 32


def redacting(exporter: type[Any], redact: Redact) -> type[Any]:
    """A subclass of the exporter that exports redacted copies of its items."""

    def export(self: Any, items: Any, *more: Any, **named: Any) -> Any:
        return exporter.export(self, redacted(items, redact), *more, **named)

    return type(exporter.__name__, (exporter,), {"export": export, "__doc__": exporter.__doc__})


def redacted(value: Any, redact: Redact, name: str = "", depth: int = 0) -> Any:
    """A copy of plain data or of the SDK's objects with all texts redacted, keys included; anything else unchanged. `name` is the value's key."""
    kind = type(value)
    if kind is str:
        return redact(value, name)
    if kind is bytes:
        return redacted_bytes(value, name, redact)
    if depth > DEEPEST:
        return value
    if kind in (dict, OrderedDict):
        pairs = ((key, held, key if type(key) is str else "") for key, held in value.items())
        return kind((redact(name) if name else key, redacted(held, redact, name, depth + 1)) for key, held, name in pairs)
    if kind in (list, tuple, deque):
        return kind(elements(value, redact, name, depth))
    return copied(value, redact, depth) if kind.__name__ in WALKED and kind.__module__.startswith("opentelemetry.") else value


def elements(values: Any, redact: Redact, name: str, depth: int) -> list[Any]:
    before = [None, *values]
    return [redacted(value, redact, name_beside(above, value) or name, depth + 1) for above, value in zip(before, values, strict=False)]


def copied(value: Any, redact: Redact, depth: int) -> Any:
    made = object.__new__(type(value))
    for name in (*getattr(value, "__dict__", ()), *slots(type(value))):
        object.__setattr__(made, name, redacted(getattr(value, name), redact, "", depth + 1))  # some are frozen
    return made


def slots(kind: type[Any]) -> list[str]:
    return [name for ancestor in kind.__mro__ for name in getattr(ancestor, "__slots__", ()) if not name.startswith("__")]
