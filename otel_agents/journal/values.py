"""Any Python value → an OTLP/JSON AnyValue, without ever running the value's own code."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from otel_agents.redaction.by_name import COMMAND_LINE, VALUE_KEYS, name_beside, named_by
from otel_agents.redaction.by_shape import Redact, redacted_bytes

Json = dict[str, Any]


Encoder = Callable[[Any, Redact], Json]

I64_MIN, I64_MAX, U64_MAX = -(2**63), 2**63 - 1, 2**64 - 1
MAX_DEPTH = 16  # the official parser allows 50 nested messages; each level takes three
MAX_ELEMENTS = 2**13  # elements of one value, all levels together; more would hold up the caller
WINDOW = 2**20  # characters of a longer text that are redacted and kept
MARGIN = 2**16  # dropped from the end of the window: a credential that the window cut in two was not recognised

type_name: Callable[[type], str] = type.__dict__["__qualname__"].__get__  # a metaclass can't lie to the slot itself


def text(value: str, redact: Redact, name: str = "") -> str:
    """The string, redacted first and only then cut."""
    if len(value) <= WINDOW:
        return redact(value, name)
    seen = redact(value[:WINDOW], name)
    return f"{seen[: max(0, len(seen) - MARGIN)]}{cut_from(len(value), 'characters')}"


def cut_from(length: int, what: str) -> str:
    """The note left where something was cut, with its original length."""
    return f"… [cut, {length} {what}]"


def words(value: object, redact: Redact) -> str:
    """A name or message as text: a string redacted, None as empty, anything else as its type."""
    if type(value) is str:
        return text(value, redact)
    if value is None:
        return ""
    return text(str.__str__(value), redact) if issubclass(type(value), str) else named(value)


def named(value: object) -> str:
    """The placeholder for a value without a wire type: its type, never its repr."""
    return f"<{type_name(type(value))}>"


def whole(value: int) -> str:
    """A 64-bit signed integer, clamped and quoted as OTLP/JSON requires."""
    return str(value if I64_MIN <= value <= I64_MAX else I64_MIN if value < 0 else I64_MAX)


def count(value: int) -> str:
    """A 64-bit unsigned integer, clamped and quoted as OTLP/JSON requires."""
    return str(min(max(value, 0), U64_MAX))


def nanoseconds(moment: Any) -> str:
    """A time as a quoted, clamped integer; "0" means unknown."""
    if type(moment) is int:
        return str(moment) if 0 <= moment <= U64_MAX else count(moment)
    return count(int(moment)) if type(moment) is float and moment - moment == 0 else "0"


def double(value: float) -> float | str:
    """A JSON number; NaN and the infinities as strings."""
    return value if value - value == 0 else NOT_FINITE.get(value, "NaN")


NOT_FINITE = {float("inf"): "Infinity", float("-inf"): "-Infinity"}


def blob(value: bytes, redact: Redact, name: str = "") -> Json:
    if len(value) > WINDOW // 2:
        return {"stringValue": f"<{len(value)} bytes>"}
    return {"bytesValue": b64encode(redacted_bytes(value, name, redact)).decode()}


class Nested:
    """Encodes one container, within limits of depth and number of elements."""

    __slots__ = ("left", "redact")

    def __init__(self, redact: Redact) -> None:
        self.redact, self.left = redact, MAX_ELEMENTS

    def value(self, value: Any, depth: int, name: str = "") -> Json:
        """Encode a value; name: its key or attribute name, if any."""
        kind = type(value)
        if kind in TEXTS:
            return TEXTS[kind](value, self.redact, name)
        if kind in SCALARS:
            return SCALARS[kind](value, self.redact)
        if kind in CONTAINERS:
            if depth >= MAX_DEPTH:
                return {"stringValue": f"<{kind.__name__}, deeper than {MAX_DEPTH}>"}
            return getattr(self, CONTAINERS[kind])(value, depth + 1, name)  # type: ignore[no-any-return]  # one of the two methods below
        return self.other(value, depth, name)

    def other(self, value: Any, depth: int, name: str) -> Json:
        plain = unwrapped(value)
        return {"stringValue": named(value)} if plain is None else self.value(plain, depth, name)

    def array(self, value: list[Any] | tuple[Any, ...], depth: int, name: str) -> Json:
        if len(value) > COMMAND_LINE:
            return {"arrayValue": {"values": self.elements(value, len(value), lambda item: self.value(item, depth, name))}}
        pairs = zip((None, *value), value, strict=False)
        return {"arrayValue": {"values": self.elements(pairs, len(value), lambda pair: self.value(pair[1], depth, name_beside(*pair) or name))}}

    def entries(self, value: dict[Any, Any], depth: int, name: str) -> Json:
        items = list(islice(value.items(), self.left + 1))  # in one step: another thread may be changing it
        redact = self.redact

        def entry(item: tuple[Any, Any]) -> Json:
            given, held = item
            if type(given) is not str:
                return {"key": key(given), "value": self.value(held, depth)}
            called = named_by(items, given) if given in VALUE_KEYS else given
            return {"key": redact(given) if len(given) <= WINDOW else text(given, redact), "value": self.value(held, depth, called)}

        encoded = self.elements(items, len(value), entry)
        return {"kvlistValue": {"values": [one if "key" in one else {"key": "…", "value": one} for one in encoded]}}

    def elements(self, items: Any, length: int, encode: Callable[[Any], Json]) -> list[Json]:
        encoded = []
        for item in islice(items, self.left):
            if self.left <= 0:
                break
            self.left -= 1
            encoded.append(encode(item))
        if len(encoded) < length:
            encoded.append({"stringValue": cut_from(length, "items")})
        return encoded


def unwrapped(value: Any) -> Any:
    """An instance of a subclass as its built-in type, read with that type's own method; None for anything else."""
    for kind, read in PLAIN.items():
        if issubclass(type(value), kind):
            return read(value)
    return None


def key(name: Any) -> str:
    """A mapping's key as a string, by the same rules as values."""
    kind = type(name)
    if kind is str:
        return name  # type: ignore[no-any-return]  # narrowed by exact type
    if kind in KEYS:
        return KEYS[kind](name)
    return str.__str__(name) if issubclass(kind, str) else named(name)


def container(value: Any, redact: Redact, name: str = "") -> Json:
    return Nested(redact).value(value, 0, name)


SCALARS: dict[type, Encoder] = {
    str: lambda value, redact: {"stringValue": redact(value) if len(value) <= WINDOW else text(value, redact)},
    bool: lambda value, redact: {"boolValue": value},
    int: lambda value, redact: {"intValue": str(value) if I64_MIN <= value <= I64_MAX else whole(value)},
    float: lambda value, redact: {"doubleValue": value if value - value == 0 else double(value)},
    bytes: blob,
    type(None): lambda value, redact: {},
}
TEXTS: dict[type, Callable[[Any, Redact, str], Json]] = {
    str: lambda value, redact, name: {"stringValue": redact(value, name) if len(value) <= WINDOW else text(value, redact, name)},
    bytes: blob,
}
CONTAINERS: dict[type, str] = {list: "array", tuple: "array", dict: "entries"}
PLAIN: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
    list: lambda value: list.__getitem__(value, slice(None)),
    tuple: lambda value: tuple.__getitem__(value, slice(None)),
    dict: dict.copy,
}
KEYS: dict[type, Callable[[Any], str]] = {int: whole, float: repr, bool: repr, type(None): repr}


class Values(dict[type, Encoder]):
    """Encoders by exact type; other types are encoded as containers or by their type's name."""

    def __missing__(self, kind: type) -> Encoder:
        return container


VALUES = Values(SCALARS)


def any_value(value: Any, redact: Redact) -> Json:
    """One AnyValue; `{}` for None."""
    return VALUES[type(value)](value, redact)


def attributes(given: Mapping[str, Any], redact: Redact) -> list[Json]:
    """The KeyValue list of a flat mapping; its keys should be strings."""
    return [attribute(name if type(name) is str else key(name), value, redact) for name, value in given.items()]


def attribute(name: str, value: Any, redact: Redact) -> Json:
    """One KeyValue; the name is redacted too: an inverted mapping has credentials as keys."""
    return {"key": text(name, redact), "value": under(name, value, redact)}


def under(name: str, value: Any, redact: Redact) -> Json:
    kind = type(value)
    if kind in TEXTS:
        return TEXTS[kind](value, redact, name)
    return SCALARS[kind](value, redact) if kind in SCALARS else container(value, redact, name)
