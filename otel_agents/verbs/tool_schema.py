"""The JSON description of a tool, from its type hints and docstring: what a model is told of it (semconv schema gen-ai-tool-definitions)."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Json = dict[str, Any]
SCALARS: Mapping[Any, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string"},
    type(None): {"type": "null"},
    dict: {"type": "object"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array"},
}
ARGUMENT = re.compile(r"^\s*(?::param\s+(?:\w+\s+)?(\w+)\s*:|(\w+)\s*(?:\([^)]*\))?\s*:)\s*(\S.*)$")
SKIPPED = ("self", "cls")


def definition(function: Callable[..., Any], name: str) -> Json:
    """`{"type": "function", "name": …, "description": …, "parameters": <JSON schema>}`; never fails: what has no hint may be anything."""
    described = inspect.getdoc(function) or ""
    told = {"description": described.partition("\n\n")[0].replace("\n", " ").strip()} if described else {}
    return {"type": "function", "name": name, **told, "parameters": parameters(function, described)}


def parameters(function: Callable[..., Any], described: str = "") -> Json:
    """The arguments as a JSON schema of an object."""
    known, about = _hints(function), _arguments(described)
    given = [one for one in _signature(function) if one.name not in SKIPPED and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    properties = {one.name: _described(schema_of(known.get(one.name, Any)), about.get(one.name), one.default) for one in given}
    required = [one.name for one in given if one.default is one.empty]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def schema_of(hint: Any) -> Json:
    """The JSON schema of a type hint; `{}` (anything) for what JSON can't say."""
    if hint in (Any, inspect.Parameter.empty):
        return {}
    try:
        scalar = SCALARS.get(hint)
    except TypeError:  # an unhashable hint
        return {}
    if scalar is not None:
        return dict(scalar)
    origin = get_origin(hint)
    return _composed(origin, get_args(hint)) if origin is not None else _structured(hint)


def _composed(origin: Any, arguments: tuple[Any, ...]) -> Json:
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(one) for one in arguments]}
    if getattr(origin, "__name__", "") == "Annotated" or not isinstance(origin, type):
        return schema_of(arguments[0]) if arguments else {}
    if issubclass(origin, dict) or origin.__name__ == "Mapping":
        return {"type": "object", "additionalProperties": schema_of(arguments[1])} if len(arguments) == 2 else {"type": "object"}
    if origin in (list, set, frozenset, tuple) or origin.__name__ in ("Sequence", "Iterable", "Set"):
        return {"type": "array", "items": schema_of(arguments[0])} if arguments else {"type": "array"}
    return {}


def _structured(hint: Any) -> Json:
    if not isinstance(hint, type):
        return {}
    if issubclass(hint, Enum):
        return {"enum": [one.value for one in hint if type(one.value) in (str, int, float, bool)]}
    schema = getattr(hint, "model_json_schema", None)
    if schema is not None:
        return dict(schema())
    fields = getattr(hint, "__dataclass_fields__", None) or getattr(hint, "__required_keys__", None)
    return {"type": "object", "properties": {name: schema_of(kind) for name, kind in _hints(hint).items()}} if fields else {}


def _described(schema: Json, about: str | None, default: Any) -> Json:
    told = {"description": about} if about else {}
    fallback = {"default": default} if type(default) in (str, int, float, bool) else {}
    return {**schema, **told, **fallback}


def _hints(function: Any) -> Mapping[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError, AttributeError, SyntaxError):  # a hint that names what only a type checker imports
        return {}


def _signature(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _arguments(described: str) -> dict[str, str]:
    """What a docstring says of each argument, in Google's, Sphinx's or a plain `name: text` style."""
    found = (ARGUMENT.match(line) for line in described.splitlines()[1:])
    return {match[1] or match[2]: match[3].strip() for match in found if match}
