"""Encodes items from cached fragments: the bytes of names, short texts and attributes that recur in every line.

The result is, byte for byte, what encode.py makes from plain data. Unusual items (a lone surrogate, a trace state, a time before 1970, an item that has to be
cut) are left to encode.py: the result is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from otel_agents.journal.sizes import ITEM_LIMIT
from otel_agents.journal.values import I64_MAX, I64_MIN, any_value, attribute, text
from otel_agents.redaction.by_shape import Redact

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext, SpanKind

    from otel_agents.sdk.internals import SeverityNumber

SpanHead: TypeAlias = "tuple[str, SpanContext, SpanContext | None, SpanKind, int]"  # name, own and parent's context, kind, start in ns since the epoch
SHORT = 128  # characters; longer texts are not cached
MAX_CACHED = 4096  # entries in each cache
FEW = 8  # elements; longer lists are not cached

HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200
SPAN = b'{"traceId":"%032x","spanId":"%016x",%b"flags":%d,"name":%b,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":[%b],"status":{}}'
PARENT = b'"parentSpanId":"%016x",'
LOG = b'{"timeUnixNano":"%d","observedTimeUnixNano":"%d","severityNumber":%d,"severityText":%b,"body":%b%b%b%b}'
ATTRIBUTES, EVENT, IDS = b',"attributes":[%b]', b',"eventName":%b', b',"flags":%d,"traceId":"%032x","spanId":"%016x"'
INTEGER, DOUBLE = b'{"key":%b,"value":{"intValue":"%d"}}', b'{"key":%b,"value":{"doubleValue":%b}}'


class Texts(dict[str, bytes]):
    """Text → its JSON string; cached if it is short and redaction leaves it unchanged."""

    def __init__(self, redact: Redact) -> None:
        self.redact = redact

    def __missing__(self, value: str) -> bytes:
        fit = text(value, self.redact)
        encoded = orjson.dumps(fit)
        if fit == value and len(value) <= SHORT:
            remember(self, value, encoded)
        return encoded


class Pairs(dict[tuple[str, Any], bytes]):
    """Name and text, or name and a few short texts → the attribute; cached if redaction leaves it unchanged."""

    def __init__(self, redact: Redact) -> None:
        self.redact = redact

    def __missing__(self, pair: tuple[str, Any]) -> bytes:
        found = attribute(*pair, self.redact)
        encoded = orjson.dumps(found)
        if len(encoded) <= FEW * SHORT and found == attribute(*pair, unchanged):
            remember(self, pair, encoded)
        return encoded


def unchanged(value: str, name: str = "", /) -> str:
    return value


def remember(known: dict[Any, bytes], key: Any, encoded: bytes) -> None:
    """Cache the bytes; a full cache is cleared first."""
    if len(known) >= MAX_CACHED:
        known.clear()
    known[key] = encoded


class Fragments:
    """The cached fragments of one process, with its redaction."""

    __slots__ = ("_last", "pairs", "redact", "texts")

    def __init__(self, redact: Redact) -> None:
        self.redact, self.texts, self.pairs = redact, Texts(redact), Pairs(redact)
        self._last: tuple[Mapping[str, Any] | None, int, bytes] = (None, 0, b"")

    def attributes(self, given: Mapping[str, Any]) -> bytes:
        """The elements of a flat mapping's KeyValue list; keys are strings."""
        pairs = self.pairs
        return b",".join([pairs[name, value] if type(value) is str else self._other(name, value) for name, value in given.items()])

    def _shared(self, given: Mapping[str, Any], beside: Mapping[str, Any]) -> bytes:
        """The attributes that an event shares with its span, remembered for the span, and further ones."""
        if not given.keys().isdisjoint(beside):
            return self.attributes({**given, **beside})
        encoded = self.attributes(given)
        self._last = (given, len(given), encoded)
        return b",".join(part for part in (encoded, self.attributes(beside)) if part)

    def _of_span(self, given: Mapping[str, Any]) -> bytes:
        """The bytes remembered by `_shared` if they are of this mapping and nothing was added since; otherwise encoded now."""
        last, length, encoded = self._last
        return encoded if last is given and length == len(given) else self.attributes(given)

    def _other(self, name: str, value: Any) -> bytes:
        kind = type(value)
        if kind is int and I64_MIN <= value <= I64_MAX:
            return INTEGER % (self.texts[name], value)
        if kind is float and value - value == 0:
            return DOUBLE % (self.texts[name], orjson.dumps(value))
        if kind is list and len(value) <= FEW and all(type(element) is str for element in value):
            return self.pairs[name, tuple(value)]
        return orjson.dumps(attribute(name, value, self.redact))

    def span(self, head: SpanHead, end_time: int, attributes: Mapping[str, Any]) -> bytes | None:
        """An ended span without events, links and status. end_time: nanoseconds since the epoch."""
        name, (trace_id, span_id, _, _, state, _), parent, kind, start_time = head
        if state or start_time < 0 or end_time < 0:
            return None
        above, flags = (b"", HAS_IS_REMOTE) if parent is None else (PARENT % parent[1], HAS_IS_REMOTE | IS_REMOTE if parent[2] else HAS_IS_REMOTE)
        try:
            item = SPAN % (trace_id, span_id, above, flags, self.texts[name], kind._value_ + 1, start_time, end_time, self._of_span(attributes))
        except TypeError:  # a lone surrogate, as in sizes.dumped
            return None
        return item if len(item) < ITEM_LIMIT else None

    def log(
        self,
        times: tuple[int, int],
        severity: SeverityNumber,
        severity_text: str,
        body: str | None,
        attributes: Mapping[str, Any],
        event_name: str | None,
        ids: SpanContext | None,
        beside: Mapping[str, Any] | None = None,
    ) -> bytes | None:
        """A LogRecord within a sampled span or without one. times: event and observed time in nanoseconds since the epoch; beside: see seams.py."""
        if not severity_text or min(times) < 0 or (ids is not None and not (ids[3] and ids[0] and ids[1])):
            return None
        try:
            encoded = b"{}" if body is None else orjson.dumps(any_value(body, self.redact))
            pairs = ATTRIBUTES % (self.attributes(attributes) if beside is None else self._shared(attributes, beside)) if attributes or beside else b""
            event = EVENT % self.texts[event_name] if event_name else b""
            within = IDS % (ids[3], ids[0], ids[1]) if ids is not None else b""
            item = LOG % (*times, severity._value_, self.texts[severity_text], encoded, pairs, event, within)
        except TypeError:
            return None
        return item if len(item) < ITEM_LIMIT else None
