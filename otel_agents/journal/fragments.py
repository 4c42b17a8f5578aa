"""What lines say again and again, as bytes that are made once: names, short texts, attributes.

An item put together from them is, byte for byte, what encode.py makes of it from plain data. What is unusual (a lone surrogate, a trace state, a clock that was
set to before 1970, an item that has to be cut) is left to that: None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from otel_agents.journal.sizes import ITEM_LIMIT
from otel_agents.journal.values import I64_MAX, I64_MIN, any_value, attribute, text
from otel_agents.redaction.by_shape import Redact

if TYPE_CHECKING:
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.trace import SpanContext

SHORT = 128  # characters of a text that is kept
MAX_CACHED = 4096  # that are kept of each kind
FEW = 8  # elements of a list that is kept

HAS_IS_REMOTE, IS_REMOTE = 0x100, 0x200
SPAN = b'{"traceId":"%032x","spanId":"%016x",%b"flags":%d,"name":%b,"kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":[%b],"status":{}}'
PARENT = b'"parentSpanId":"%016x",'
LOG = b'{"timeUnixNano":"%d","observedTimeUnixNano":"%d","severityNumber":%d,"severityText":%b,"body":%b%b%b%b}'
ATTRIBUTES, EVENT, IDS = b',"attributes":[%b]', b',"eventName":%b', b',"flags":%d,"traceId":"%032x","spanId":"%016x"'
INTEGER, DOUBLE = b'{"key":%b,"value":{"intValue":"%d"}}', b'{"key":%b,"value":{"doubleValue":%b}}'


class Texts(dict[str, bytes]):
    """A short text that redaction leaves as it is → its JSON string."""

    def __init__(self, redact: Redact) -> None:
        self.redact = redact

    def __missing__(self, value: str) -> bytes:
        fit = text(value, self.redact)
        encoded = orjson.dumps(fit)
        if fit == value and len(value) <= SHORT:
            kept(self, value, encoded)
        return encoded


class Pairs(dict[tuple[str, Any], bytes]):
    """Name and text, or name and a few short texts → the attribute; kept where redaction leaves it as it is."""

    def __init__(self, redact: Redact) -> None:
        self.redact = redact

    def __missing__(self, pair: tuple[str, Any]) -> bytes:
        told = attribute(*pair, self.redact)
        encoded = orjson.dumps(told)
        if len(encoded) <= FEW * SHORT and told == attribute(*pair, unchanged):
            kept(self, pair, encoded)
        return encoded


def unchanged(value: str, name: str = "", /) -> str:
    return value


def kept(known: dict[Any, bytes], key: Any, encoded: bytes) -> None:
    """From now on known; when there are too many, all are made anew."""
    if len(known) >= MAX_CACHED:
        known.clear()
    known[key] = encoded


class Fragments:
    """The bytes that one process has made, by what redacts for it."""

    __slots__ = ("_last", "pairs", "redact", "texts")

    def __init__(self, redact: Redact) -> None:
        self.redact, self.texts, self.pairs = redact, Texts(redact), Pairs(redact)
        self._last: tuple[Mapping[str, Any] | None, int, bytes] = (None, 0, b"")

    def attributes(self, given: Mapping[str, Any]) -> bytes:
        """The elements of the KeyValue list of a flat mapping with string keys."""
        pairs = self.pairs
        return b",".join([pairs[name, value] if type(value) is str else self._other(name, value) for name, value in given.items()])

    def _shared(self, given: Mapping[str, Any], beside: Mapping[str, Any]) -> bytes:
        """The attributes that an event shares with its span, kept for that, and further ones."""
        if not given.keys().isdisjoint(beside):
            return self.attributes({**given, **beside})
        encoded = self.attributes(given)
        self._last = (given, len(given), encoded)
        return b",".join(part for part in (encoded, self.attributes(beside)) if part)

    def _of_span(self, given: Mapping[str, Any]) -> bytes:
        """The same again, if nobody has ended another operation since and nothing was added: nothing else changes at an operation's end."""
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

    def span(self, span: Any, attributes: Mapping[str, Any]) -> bytes | None:
        """An ended span of the SDK's, whose own attributes do not count, without events, links and status."""
        trace_id, span_id, _, _, state, _ = span._context
        parent = span._parent
        if state or span._start_time < 0 or span._end_time < 0:
            return None
        above, flags = (b"", HAS_IS_REMOTE) if parent is None else (PARENT % parent[1], HAS_IS_REMOTE | IS_REMOTE if parent[2] else HAS_IS_REMOTE)
        try:
            name, told = self.texts[span._name], self._of_span(attributes)
            item = SPAN % (trace_id, span_id, above, flags, name, span._kind._value_ + 1, span._start_time, span._end_time, told)
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
        """A LogRecord, in a sampled span or in none. times: of the event and of its observation, in nanoseconds since the epoch; beside: see seams.py."""
        if not severity_text or min(times) < 0 or (ids is not None and not (ids[3] and ids[0] and ids[1])):
            return None
        try:
            said = b"{}" if body is None else orjson.dumps(any_value(body, self.redact))
            told = ATTRIBUTES % (self.attributes(attributes) if beside is None else self._shared(attributes, beside)) if attributes or beside else b""
            event = EVENT % self.texts[event_name] if event_name else b""
            within = IDS % (ids[3], ids[0], ids[1]) if ids is not None else b""
            item = LOG % (*times, severity._value_, self.texts[severity_text], said, told, event, within)
        except TypeError:
            return None
        return item if len(item) < ITEM_LIMIT else None
