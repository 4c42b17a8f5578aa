"""Converts any value of a program to plain data for telemetry without running the value's own code.

Exact built-in types are read, dataclasses and pydantic models by their stored fields (introspection.py); anything else is represented by its type's name.
"""

from __future__ import annotations

import builtins
import json
import re
import sys
from base64 import b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from enum import Enum
from types import FunctionType
from typing import Any, ClassVar, TypeAlias

import orjson

from otel_agents.redaction.by_name import COMMAND_LINE, VALUE_KEYS, name_beside, named_by
from otel_agents.redaction.by_shape import Redact, redacted_bytes
from otel_agents.redaction.surrogates import well_formed
from otel_agents.telemetry.deferred import Deferred
from otel_agents.telemetry.introspection import (
    FIELD_TYPES,
    LONGEST_NAME,
    exact,
    fields,
    head,
    is_any,
    is_class,
    is_original,
    loaded,
    mro,
    namespace,
    own_dict,
    own_items,
    short,
    stored,
    type_name,
)

LIMIT = 65536
MAX_DEPTH = 16  # the official OTLP parser's recursion limit is 50 messages, three per level
CHARACTERS_PER_ELEMENT, MAX_ELEMENTS = 32, 2048  # one element per so many characters of the limit; the maximum takes 1 to 3 ms
ELEMENTS_PER_OBJECT = 12  # a dataclass or model takes as long as so many elements
MARGIN = 8192  # characters discarded at the end of a truncated text: a credential split there is not recognised
SAMPLE = LIMIT // CHARACTERS_PER_ELEMENT  # characters checked in a long text; also the maximum of a path, a range or a decimal number
MAX_BITS = 1024  # of an integer written in decimal

Plain: TypeAlias = "str | bool | int | float | bytes | list[Any] | dict[str, Any] | None"
Pairs: TypeAlias = "list[tuple[Any, Any]]"


def plain(value: object, limit: int = LIMIT, redact: Redact | None = None, name: str = "") -> Plain:
    """The value, with its name if it has one, as built-in types; about `limit` characters at most; redacted, then truncated. Never raises.

    Truncation is noted: `… 999,900 more`, `… [cut, 52,428,800 characters]`.
    """
    return within(limit, redact, Reader, value, name)[0]  # type: ignore[no-any-return]  # a reader returns plain data only


def as_json(value: object, limit: int = LIMIT, redact: Redact | None = None) -> str:
    """The value as valid JSON text of at most `limit` characters (64 at least); bytes as base64, NaN and infinities as strings."""
    budget = limit = max(limit, 64)
    while budget > 0:
        text = dumps(*within(budget, redact, JsonReader, value))
        if len(text) <= limit:
            return text
        budget = min(budget * limit // len(text), budget - 1) * 15 // 16  # escapes and notes made it too long: read less
    return '"…"'


def message_of(error: BaseException, limit: int = LIMIT, redact: Redact | None = None) -> str:
    """The exception's message if a built-in `__str__` makes it from built-in values, else its type's name."""
    owner = next(kind for kind in mro(type(error)) if "__str__" in namespace(kind))
    if type(owner) is not type or owner not in EXCEPTIONS or not all(is_short(part, limit) for part in parts(error, owner)):
        only = ARGS(error)[0] if owner is BaseException and len(ARGS(error)) == 1 else None
        return Reader(limit, redact).text(only) if type(only) is str else type_name(error)
    return Reader(limit, redact).text(owner.__str__(error))


class Reader:
    """Reads one value; keeps the characters and elements left and the containers around the current element."""

    __slots__ = ("big", "crowded", "fair", "inside", "left", "nodes", "redact", "unfair")

    def __init__(self, limit: int, redact: Redact | None, *, fair: bool = False) -> None:
        self.left, self.big, self.nodes = limit, limit // 8, min(limit // CHARACTERS_PER_ELEMENT, MAX_ELEMENTS) + 1
        self.redact, self.fair, self.unfair = redact, fair, False
        self.inside: list[int] = []
        self.crowded = 0  # surrounding containers that have other elements too

    def read(self, value: Any, name: str = "") -> Any:
        kind = exact(value)
        self.left -= 2
        if kind is str:
            return self.text(value, name)
        if kind in self.scalars:
            return self.scalars[kind](self, value, name)
        return self.container(value, name) if kind in CONTAINERS else self.other(value, name)

    def text(self, value: str, name: str = "") -> str:
        if len(value) > SAMPLE and is_unprintable(value[:SAMPLE]):
            return f"<str, {len(value):,} characters, mostly unprintable>"  # JSON escapes would be six times as long
        if len(value) <= self.left:
            self.left -= len(value)
            return well_formed(self.redact(value, name) if self.redact else value)
        keep, self.left, self.unfair = max(self.left, 0), 0, self.unfair or (self.crowded > 0 and len(value) > self.big)
        kept = value[:keep] if self.redact is None else self.redact(value[: keep + MARGIN], name)
        end = keep if self.redact is None or len(value) <= keep + MARGIN else max(0, min(keep, len(kept) - MARGIN))
        return f"{well_formed(kept[:end])}… [cut, {len(value):,} characters]"

    def whole(self, value: int, name: str) -> int | str:
        self.left -= 6
        bits = value.bit_length()
        if bits < 64:  # as in OTLP
            return value
        return str(value) if bits <= MAX_BITS else f"<int, {bits:,} bits>"

    def number(self, value: float, name: str) -> float | str:
        self.left -= 6
        return value

    def blob(self, value: bytes | bytearray, name: str) -> bytes | str:
        if len(value) > self.left:
            return f"<{len(value):,} bytes>"
        self.left -= len(value)
        return bytes(value) if self.redact is None else redacted_bytes(bytes(value), name, self.redact)

    def container(self, value: Any, name: str) -> Any:
        if len(self.inside) >= MAX_DEPTH or id(value) in self.inside:
            return f"<{type_name(value)}, {'a cycle' if id(value) in self.inside else f'deeper than {MAX_DEPTH}'}>"
        self.inside.append(id(value))
        self.nodes -= 1
        read = self.entries(head(dict.items(value), self.nodes + 1), dict.__len__(value)) if type(value) in MAPPINGS else self.elements(value, name)
        self.inside.pop()
        return read

    def elements(self, value: Any, name: str) -> list[Any]:
        read: list[Any] = []
        total, before = len(value), None
        ordered = total <= COMMAND_LINE and (type(value) is list or type(value) is tuple)
        self.crowded += total > 1
        for item in head(value, self.nodes + 1):
            if self.spent():
                break
            read.append(self.share(item, (name_beside(before, item) or name) if ordered else name, total - len(read) - 1))
            before = item
        self.crowded -= total > 1
        return read if len(read) >= total else [*read, self.more(total - len(read))]

    def entries(self, pairs: Pairs, total: int) -> dict[str, Any]:
        read: dict[str, Any] = {}
        self.crowded += total > 1
        for key, item in pairs:
            if self.spent():
                break
            name = self.key(key)
            called = named_by(read.items(), name) if name in VALUE_KEYS else name
            read[name if name not in read else f"{name} #{len(read)}"] = self.share(item, called, total - len(read) - 1)
        self.crowded -= total > 1
        return read if len(read) >= total else {**read, "…": self.more(total - len(read))}

    def share(self, item: Any, name: str, following: int) -> Any:
        """Read one element; in a fair second pass it may use at most half of what is left if others follow."""
        chars, nodes = (self.left // 2, self.nodes // 2) if self.fair and following else (0, 0)
        self.left, self.nodes = self.left - chars, self.nodes - nodes
        read = self.read(item, name)
        self.left, self.nodes = self.left + chars, self.nodes + nodes
        return read

    def spent(self) -> bool:
        self.nodes -= 1
        return self.nodes < 0 or self.left <= 0

    def more(self, count: int) -> str:
        self.unfair = self.unfair or self.crowded > 0
        return f"… {count:,} more"

    def key(self, key: Any) -> str:
        kind = exact(key)
        if kind is str:
            return self.text(key) if len(key) <= LONGEST_NAME else Reader(LONGEST_NAME, self.redact).text(key)
        if kind in KEYS:
            return KEYS[kind](key)
        inner = JsonReader(LONGEST_NAME, self.redact)
        inner.inside = self.inside
        read = inner.read(key)
        text = read if type(read) is str else dumps(read, LONGEST_NAME)
        self.left -= len(text)
        return text

    def other(self, value: Any, name: str) -> Any:
        kind, self.nodes = type(value), self.nodes - ELEMENTS_PER_OBJECT
        ancestors, standard = mro(kind), STANDARD_TYPES.get(type_name(kind))
        if standard is not None and is_original(kind):
            return self.standard(standard, value, name)
        declared = fields(ancestors)
        if declared is None and is_any(Enum, ancestors):
            held = stored(value, "_value_")
            return self.read(held, name) if exact(held) in SCALAR_TYPES else self.text(named(value))
        if declared is None or id(value) in self.inside or len(self.inside) >= MAX_DEPTH:
            return self.text(named(value))
        return self.model(value, declared)

    def model(self, value: Any, declared: dict[str, Any]) -> dict[str, Any]:
        """The stored fields of a dataclass or pydantic model, except those declared with `repr=False`, as secrets are."""
        own = own_dict(value)
        kinds = [kind for kind in map(loaded, FIELD_TYPES) if kind]
        shown = (name for name, field in declared.items() if not is_any(type(field), kinds) or field.repr is not False)
        held = ((name, own[name] if name in own else stored(value, name, UNSET)) for name in shown)
        extra = stored(value, "__pydantic_extra__")
        pairs = [pair for pair in held if pair[1] is not UNSET] + own_items(extra)
        self.inside.append(id(value))
        read = self.entries(pairs, len(pairs))
        self.inside.pop()
        return read

    def standard(self, reader: Callable[[Any], Any], value: Any, name: str) -> Any:
        try:
            read = reader(value)
        except READ_ERRORS:
            read = None
        if read is None:
            return self.text(named(value))
        return self.text(read, name) if type(read) is str else self.container(read, name)

    scalars: ClassVar[dict[type, Callable[[Any, Any, str], Any]]] = {
        type(None): lambda reader, value, name: value,
        bool: lambda reader, value, name: value,
        float: number,
        int: whole,
        bytes: blob,
        bytearray: blob,
    }


class JsonReader(Reader):
    """Reads values for JSON text, which has no bytes, NaN or infinities."""

    __slots__ = ()

    def quoted(self, value: float, name: str) -> float | str:
        self.left -= 6
        return value if value - value == 0 else NOT_FINITE.get(value, "NaN")

    def base64(self, value: bytes | bytearray, name: str) -> str:
        read = self.blob(value, name)
        return read if isinstance(read, str) else b64encode(read).decode()

    scalars: ClassVar[dict[type, Callable[[Any, Any, str], Any]]] = {**Reader.scalars, float: quoted, bytes: base64, bytearray: base64}


def within(limit: int, redact: Redact | None, reader: type[Reader], value: object, name: str = "") -> tuple[Any, int]:
    """The value as read and its size. If not everything fits, it is read a second time with shares, so that one big element does not displace all after it."""
    try:
        first = reader(limit, redact)
        read = first.read(value, name)
        if not first.unfair or isinstance(read, str):
            return read, limit - first.left
        del read
        return reader(limit, redact, fair=True).read(value, name), limit
    except (RecursionError, MemoryError):  # the program is at its own limit
        return "<not read>", 0


def dumps(read: Any, size: int) -> str:
    """JSON text; large ones by the standard library, since orjson allocates sixteen times the size."""
    return orjson.dumps(read).decode() if size <= LIMIT // 4 else json.dumps(read, ensure_ascii=False, separators=(",", ":"))


def is_unprintable(text: str) -> bool:
    return 2 * len(CONTROL.sub("", text)) <= len(text)


def named(value: object) -> str:
    """The representation of a value that is not read: `<module.Class>`, `<class module.Class>`, `<function name>`."""
    if type(value) is FunctionType:
        return f"<function {short(FUNCTION_NAME(value))}>"
    return f"<class {type_name(value)}>" if is_class(value) else f"<{type_name(type(value))}>"


def moment(value: Any) -> str:
    """ISO 8601, with the time zone only if its class is of the standard library."""
    zone = type(value.tzinfo)
    known = type_name(zone) in ("NoneType", "datetime.timezone", "zoneinfo.ZoneInfo") and (zone is type(None) or is_original(zone))
    return str((value if known else value.replace(tzinfo=None)).isoformat())


def path(value: Any) -> str | None:
    """A path if its segments are exact strings: subclasses may define methods."""
    segments = stored(value, "_raw_paths") or stored(value, "_parts") or []
    return str(value) if all(type(each) is str for each in segments) and sum(map(len, segments)) <= SAMPLE else None


def parts(error: BaseException, owner: type) -> list[Any]:
    """Everything that a built-in exception's `__str__` reads."""
    try:
        return [*(() if owner in WITHOUT_ARGS else ARGS(error)), *(namespace(owner)[member].__get__(error) for member in MESSAGE_MEMBERS.get(owner, ()))]
    except READ_ERRORS:  # created without `__init__`
        return [error]


def is_short(part: Any, limit: int) -> bool:
    kind = exact(part)
    return kind in SCALAR_TYPES and (part.bit_length() <= MAX_BITS if kind is int else kind not in (str, bytes) or len(part) <= limit)


FUNCTION_NAME: Callable[[object], str] = FunctionType.__dict__["__qualname__"].__get__
ARGS: Callable[[BaseException], tuple[Any, ...]] = BaseException.__dict__["args"].__get__

READ_ERRORS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)  # that reading the standard library's types may raise
UNSET = object()
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]+")
NOT_FINITE = {float("inf"): "Infinity", float("-inf"): "-Infinity"}
SCALAR_TYPES = frozenset({str, bool, int, float, bytes, type(None)})
MAPPINGS = frozenset({dict, OrderedDict, defaultdict, Counter, Deferred})
CONTAINERS = frozenset({list, tuple, set, frozenset, deque}) | MAPPINGS
KEYS: dict[type, Callable[[Any], str]] = {bool: repr, type(None): repr, float: repr, int: lambda key: str(key) if key.bit_length() <= MAX_BITS else "<int>"}
STANDARD_TYPES: dict[str, Callable[[Any], Any]] = {
    "datetime.datetime": moment,
    "datetime.time": moment,
    "datetime.date": lambda value: value.isoformat(),
    "datetime.timedelta": str,
    "decimal.Decimal": lambda value: str(value) if sys.getsizeof(value) <= SAMPLE else None,
    "uuid.UUID": lambda value: str(value) if type(stored(value, "int")) is int else None,
    "range": lambda value: list(value) if len(value) <= SAMPLE else str(value),
    **{f"{module}.{kind}Path": path for module in ("pathlib", "pathlib._local") for kind in ("Posix", "PurePosix", "Windows", "PureWindows")},
}
EXCEPTIONS = frozenset(kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, BaseException))
WITHOUT_ARGS = frozenset({SyntaxError, BaseExceptionGroup})  # whose text does not depend on args
MESSAGE_MEMBERS: dict[type, tuple[str, ...]] = {
    OSError: ("errno", "strerror", "filename", "filename2"),
    ImportError: ("msg",),
    SyntaxError: ("msg", "filename", "lineno"),
    UnicodeDecodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeEncodeError: ("encoding", "object", "start", "end", "reason"),
    UnicodeTranslateError: ("object", "start", "end", "reason"),
    BaseExceptionGroup: ("message",),
}
