"""How values of a call are looked at: plain dicts and the library's own objects are read, anything else is left alone, so that no code of the program runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

LIBRARIES = frozenset({"openai", "litellm"})

Parameters = tuple[tuple[str, str, Callable[[Any], Any]], ...]


def field(value: Any, name: str) -> Any:
    """One field of a plain dict or of a library's object; None where there is none, and of every other value."""
    if type(value) is dict:
        return value.get(name)
    return getattr(value, name, None) if _is_of_a_library(type(value)) else None


def at(value: Any, *names: str) -> Any:
    """The field of a field of a field."""
    for name in names:
        value = field(value, name)
    return value


def text(value: Any) -> str | None:
    """A plain, non-empty string."""
    return value if type(value) is str and value else None


def whole(value: Any) -> int | None:
    """A plain integer (not a boolean)."""
    return value if type(value) is int else None


def decimal(value: Any) -> float | None:
    """A plain number, as the double that the conventions ask for."""
    return float(value) if type(value) in (int, float) else None


def texts(value: Any) -> list[str] | None:
    """A string, or the strings of a list."""
    return [value] if text(value) else [item for item in items(value) if type(item) is str] or None


def items(value: Any) -> Iterable[Any]:
    """The items of a list or tuple; of anything else none: an iterator of the program's must not be consumed."""
    return value if type(value) in (list, tuple) else ()


def parameters(values: Mapping[str, Any], table: Parameters) -> dict[str, Any]:
    """The parameters of a call that a table of (name, attribute, reader) knows; absent and odd ones are left out."""
    found = ((attribute, read(values[name])) for name, attribute, read in table if name in values)
    return {attribute: value for attribute, value in found if value is not None}


def parsed(value: Any) -> Any:
    """The value of a JSON text; what doesn't parse stays as it is."""
    if type(value) is not str and type(value) is not bytes:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


@lru_cache(maxsize=1024)
def _is_of_a_library(kind: type) -> bool:
    return any(ancestor.__module__.partition(".")[0] in LIBRARIES for ancestor in kind.__mro__)
