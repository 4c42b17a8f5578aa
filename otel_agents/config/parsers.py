"""How the text a person writes becomes a setting's value: one function for each kind, whose ValueError says what is wrong and what to write instead.

pydantic is not imported here: a start that only reads the environment uses these functions without it, and the model (model.py) uses the same ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import unquote

from otel_agents.redaction.urls import split

ON = frozenset({"true", "1", "yes", "on"})
OFF = frozenset({"false", "0", "no", "off", ""})
LEVELS = {"notset": 0, "trace": 5, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "critical": 50, "fatal": 50}
BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
QUANTITY = r"\s*(\d*\.?\d+(?:e[+-]?\d+)?)\s*([a-z]*)\s*"  # compiled on first use: most programs set no size or time
SMALLEST_JOURNAL = 2**20  # one item may be nearly that large
HEADER = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VISIBLE = r"[\t\x20-\x7e\x80-\xff]*"
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T_co]):
    """What a setting holds: how its values are read, and the JSON schema that editors check them by. pydantic calls the two methods."""

    parse: Callable[[Any], T_co]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return dict(self.schema)


def switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else None
    if word not in ON | OFF:
        raise ValueError("is neither true nor false: write one of them")
    return word in ON


def size(value: Any) -> int:
    """Bytes, at least 1."""
    return max(1, int(quantity(value, BYTES, "is not a size: write bytes as a number, or 512MB, 1GiB")))


def seconds(value: Any) -> float:
    """Seconds, greater than 0."""
    return quantity(value, SECONDS, "is not a time: write seconds as a number, or 500ms, 30s, 15m, 12h, 7d")


def count(value: Any) -> int:
    wrong = "is not a count: write a whole number, 1 or more"
    amount = quantity(value, {"": 1}, wrong)
    if not amount.is_integer():
        raise ValueError(wrong)
    return int(amount)


def quantity(value: Any, units: Mapping[str, float], wrong: str) -> float:
    found = re.fullmatch(QUANTITY, str(value), re.IGNORECASE) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if found is None or found[2].lower() not in units:
        raise ValueError(wrong)
    amount = float(found[1]) * units[found[2].lower()]
    if not 0 < amount < float("inf"):
        raise ValueError(f"{wrong} (greater than 0{', and finite' if amount else ''})")
    return amount


def words(value: Any) -> tuple[str, ...]:
    """Names, from a list or from text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple | set | frozenset) or not all(isinstance(part, str) for part in parts):
        raise ValueError("is not a list of names: separate them with commas")
    return tuple(part.strip() for part in parts if part.strip())


def one_of(*allowed: str) -> Callable[[Any], str]:
    def chosen(value: Any) -> str:
        word = str(value).strip().lower()
        if word not in allowed:
            raise ValueError(f"is not a valid choice: use {', '.join(allowed)}{nearest(word, allowed)}")
        return word

    return chosen


def nearest(word: str, allowed: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, allowed, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise ValueError("is not text: put it in quotes")
    return value.strip() or None


def level(value: Any) -> int:
    """A level of the standard library's logging, by name or number."""
    word = str(value).strip().lower()
    if word.isdigit():
        return int(word)
    if word not in LEVELS:
        raise ValueError("is not a log level: use debug, info, warning, error, critical, or a number")
    return LEVELS[word]


def file(value: Any) -> str:
    return str(path(value))


def path(value: Any) -> Path:
    """An absolute path: a program that changes its folder later keeps its files."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError("is not a path: write a folder's or file's name")
    return Path(os.path.abspath(os.path.expanduser(os.fspath(value))))


def headers(value: Any) -> Mapping[str, str]:
    """Header names (lower case) and values; text is `name=value,name=value`, values percent-encoded."""
    pairs = value.items() if isinstance(value, Mapping) else [pair(part) for part in str(value).split(",") if part.strip()]
    found = {str(name).strip().lower(): str(content).strip() for name, content in pairs}
    for name, content in found.items():
        if not re.fullmatch(HEADER, name) or not re.fullmatch(VISIBLE, content):
            raise ValueError("has a header that cannot be sent: write name=value,name=value, with other characters percent-encoded")
    return found


def pair(part: str) -> tuple[str, str]:
    name, equals, content = part.partition("=")
    if not equals:
        raise ValueError("has a header without a value: write name=value,name=value")
    return unquote(name), content if " " in content.strip() else unquote(content)  # as the SDK reads it: what has a space was never encoded


def url(value: Any) -> str:
    """An endpoint's address; without a scheme it must be host:port (gRPC)."""
    address = value.strip() if isinstance(value, str) else ""
    try:
        parts = split(address)
        usable = parts.scheme in ("", "http", "https") and is_host(parts.hostname or "") and parts.port != 0 and (parts.scheme or parts.port)
    except ValueError:  # a bad port or a bad IPv6 address
        usable = None
    if not usable or any(letter.isspace() for letter in address):
        raise ValueError("is not an endpoint: write http://host:4318, https://host, or host:4317 for grpc")
    return address


def is_host(name: str) -> bool:
    """Whether it can be a host's name, or a number of either kind."""
    return bool(name) and all(letter.isalnum() or letter in "._-:%" for letter in name)


def content_places(value: Any) -> tuple[str, ...]:
    places = words(value)
    if not places or set(places) - {"spans", "events"}:
        raise ValueError("is not a valid choice: use spans, events, or both")
    return places


def journal_bytes(value: Any) -> int:
    chosen = size(value)
    if chosen < SMALLEST_JOURNAL:
        raise ValueError("is too small for a journal: write at least 1MiB")
    return chosen


def choice(*allowed: str) -> Kind[str]:
    return Kind(one_of(*allowed), {"enum": list(allowed)})


NUMBER_OR_TEXT = ["number", "string"]
LIST_OR_TEXT = {"type": ["array", "string"], "items": {"type": "string"}}
SWITCH = Kind(switch, {"type": "boolean"})
SIZE = Kind(size, {"type": NUMBER_OR_TEXT, "examples": ["256KiB", "512MB", "1GiB"]})
JOURNAL_SIZE = Kind(journal_bytes, SIZE.schema)
DURATION = Kind(seconds, {"type": NUMBER_OR_TEXT, "examples": ["500ms", "30s", "15m", "12h", "7d"]})
COUNT = Kind(count, {"type": "integer", "minimum": 1})
NAMES = Kind(words, LIST_OR_TEXT)
PLACES = Kind(content_places, {"anyOf": [{"enum": ["spans", "events"]}, {"type": "array", "items": {"enum": ["spans", "events"]}}]})
TEXT = Kind(text, {"type": "string"})
LEVEL = Kind(level, {"type": ["string", "integer"], "examples": ["debug", "info", "warning", "error", "critical"]})
PATH = Kind(path, {"type": "string"})
FILE = Kind(file, {"type": "string"})
URL = Kind(url, {"type": "string", "examples": ["http://localhost:4318", "https://collector.example", "collector:4317"]})
HEADERS = Kind(headers, {"type": ["object", "string"], "additionalProperties": {"type": "string"}})
TABLES: Kind[Mapping[str, Any]] = Kind(dict, {"type": "object"})
