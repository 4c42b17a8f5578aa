"""Reading the values of a call: plain dicts and the library's own objects are read, anything else is left alone.

None of the program's code runs: if the program has subclassed a library's class, only the attributes stored on the instance are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from otel_agents.telemetry.deferred import Deferred
from otel_agents.telemetry.introspection import mro, namespace, stored

LIBRARIES = frozenset({"openai", "litellm"})

NOTHING: Mapping[str, Any] = MappingProxyType({})
Parameters = tuple[tuple[str, str, Callable[[Any], Any]], ...]


def field(value: Any, name: str) -> Any:
    """One field of a plain dict or of a library's object; None if it has no such field, and for any other value."""
    if type(value) is dict or type(value) is Deferred:
        return dict.get(value, name)  # of one that is not made yet, what is known
    if not _is_of_a_library(type(value)):
        return _inherited(value, name)
    held = _held(value)
    if name in held:
        return held[name]
    extra = getattr(value, "__pydantic_extra__", None)  # asking a model for a missing field costs 20 µs
    return extra.get(name) if type(extra) is dict else None


def attribute(value: Any, name: str) -> Any:
    """An attribute of a library's object, computed ones included; for a subclass of the program's, only what the instance stores."""
    if not _is_of_a_library(type(value)):
        return _inherited(value, name)
    private = getattr(value, "__pydantic_private__", None)  # asking a model for a private attribute costs 3 µs
    return private[name] if type(private) is dict and name in private else getattr(value, name, None)


def fields(value: Any) -> Mapping[str, Any]:
    """All fields of a plain dict or of a library's model at once, which is faster for the chunks of a stream."""
    if type(value) is dict:
        return value
    if not _is_of_a_library(type(value)):
        return NOTHING
    extra = getattr(value, "__pydantic_extra__", None)
    return {**_held(value), **extra} if extra else _held(value)


def at(value: Any, *names: str) -> Any:
    """A nested field: `at(answer, "usage", "cost")`."""
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
    """A string as a list, or the strings of a list; None if there is none."""
    return [value] if text(value) else [item for item in items(value) if type(item) is str] or None


def items(value: Any) -> Iterable[Any]:
    """The items of a list or tuple; none for anything else: the program's iterators must not be consumed."""
    return value if type(value) in (list, tuple) else ()


def parameters(values: Mapping[str, Any], table: Parameters) -> dict[str, Any]:
    """The parameters of a call that are in a table of (name, attribute, reader); missing and unusable ones are left out."""
    found: dict[str, Any] = {}
    for name, attribute, read in table:
        if name in values and (value := read(values[name])) is not None:
            found[attribute] = value
    return found


def parsed(value: Any) -> Any:
    """The value of a JSON text; anything that does not parse is returned as it is."""
    if type(value) is not str and type(value) is not bytes:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _is_of_a_library(kind: type) -> bool:
    home = namespace(kind).get("__module__")
    return type(home) is str and home.partition(".")[0] in LIBRARIES


def _held(value: Any) -> Mapping[str, Any]:
    """What a library's object stores; some of litellm's are dict subclasses."""
    return value if isinstance(value, dict) else getattr(value, "__dict__", NOTHING)


def _inherited(value: Any, name: str) -> Any:
    return stored(value, name) if any(_is_of_a_library(ancestor) for ancestor in mro(type(value))) else None
