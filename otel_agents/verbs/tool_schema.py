"""The JSON description of a tool, from its type hints and docstring: what a model is given (semconv schema gen-ai-tool-definitions).

pydantic and docstring-parser make it when it is first read: decorating a function imports neither, and most programs never ask.
"""

from __future__ import annotations

import inspect
import math
import sys
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import Enum
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

from otel_agents.telemetry.deferred import Deferred

Json = dict[str, Any]
SKIPPED = ("self", "cls")
COLLECTING = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def definition(function: Callable[..., Any], name: str) -> Json:
    """`{"type": "function", "name": …, "description": …, "parameters": <JSON schema>}`, made when it is first read; only type and name are there before."""
    return Deferred({"type": "function", "name": name}, partial(made, function, name))


def made(function: Callable[..., Any], name: str) -> Json:
    description, about = documented(function)
    told = {"description": description} if description else {}
    return {"type": "function", "name": name, **told, "parameters": parameters(function, about)}


def documented(function: Callable[..., Any]) -> tuple[str, Mapping[str, str]]:
    """The first paragraph of the docstring, and what it says of each argument (Google, NumPy, Sphinx or Epydoc style)."""
    from docstring_parser import ParseError, parse

    written = inspect.getdoc(function) or ""
    try:
        read = parse(written)
    except ParseError:
        return first_paragraph(written), {}
    about = {argument.arg_name: " ".join((argument.description or "").split()) for argument in read.params}
    return first_paragraph(read.description or ""), about


def first_paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def parameters(function: Callable[..., Any], about: Mapping[str, str]) -> Json:
    """The arguments as a JSON schema of an object; one whose hint cannot be described may be anything."""
    from pydantic import PydanticUserError

    known = hints(function)
    given = [one for one in arguments_of(function) if one.name not in SKIPPED and one.kind not in COLLECTING]
    for one in given:
        try:
            schema_of([one], known, about)
        except (PydanticUserError, TypeError, ValueError, NameError, AttributeError, RecursionError):
            known[one.name] = Any
    return schema_of(given, known, about)


def schema_of(given: list[inspect.Parameter], known: Mapping[str, Any], about: Mapping[str, str]) -> Json:
    from pydantic import ConfigDict, create_model

    fields = {f"argument_{at}": field_of(one, known.get(one.name, Any), about.get(one.name)) for at, one in enumerate(given)}
    model = create_model("arguments", __config__=ConfigDict(arbitrary_types_allowed=True), **fields)
    schema = model.model_json_schema(schema_generator=lenient())
    return {"type": "object", "properties": {}, **{key: value for key, value in schema.items() if key != "title"}}


def field_of(argument: inspect.Parameter, hint: Any, about: str | None) -> Any:
    """The argument as a field of a model: under a name that no model has, with the argument's own as alias."""
    from pydantic import Field

    metadata = getattr(hint, "__metadata__", ())
    told = next((one for one in metadata if isinstance(one, str)), about)
    described = Field(alias=argument.name) if any(getattr(one, "description", None) for one in metadata) else Field(alias=argument.name, description=told)
    return Annotated[hint, described], default_of(argument.default)


def default_of(default: Any) -> Any:
    """As it is where JSON can say it; else the argument is only not required."""
    from pydantic import Field

    if default is inspect.Parameter.empty:
        return ...
    sayable = isinstance(default, Enum) or type(default) in (str, int, bool) or (type(default) is float and math.isfinite(default))
    return default if sayable else Field(default_factory=lambda: None)


def lenient() -> Any:
    """pydantic's generator without titles that repeat names, which takes what JSON cannot say for anything."""
    from pydantic.json_schema import GenerateJsonSchema

    class Lenient(GenerateJsonSchema):
        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> dict[str, Any]:
            return {}

    return Lenient


# ------------------------------------------------------------------------------------------------ hints


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The type hints that can be resolved, each for itself."""
    owner = owner_of(function)
    scope, found = getattr(owner, "__globals__", {}), {}
    for name, hint in annotations_of(owner).items():
        with suppress(NameError, TypeError, AttributeError, SyntaxError):  # it names what only a type checker imports
            found[name] = portable(get_type_hints(SimpleNamespace(__annotations__={name: hint}), scope, include_extras=True)[name])
    return found


def owner_of(function: Any) -> Any:
    """Whose annotations count: a partial's function, a class's `__init__`, a callable object's `__call__`."""
    function = inspect.unwrap(function)
    if isinstance(function, partial):
        return owner_of(function.func)
    if isinstance(function, type):
        return getattr(function, "__init__")  # noqa: B009 - of the class itself
    return function if hasattr(function, "__annotations__") else type(function).__call__


def annotations_of(owner: Any) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        from annotationlib import Format, get_annotations

        return get_annotations(owner, format=Format.FORWARDREF)
    return dict(getattr(owner, "__annotations__", {}))


def arguments_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def portable(hint: Any) -> Any:
    """pydantic takes no typing.TypedDict before Python 3.12: one of typing_extensions that says the same."""
    if sys.version_info >= (3, 12):
        return hint
    if is_typeddict(hint):
        from typing_extensions import TypedDict

        entries = {name: (Required if name in hint.__required_keys__ else NotRequired)[portable(kind)] for name, kind in get_type_hints(hint).items()}
        return TypedDict(hint.__name__, entries)  # type: ignore[operator]  # made at run time
    return rebuilt(hint)


def rebuilt(hint: Any) -> Any:
    """The hint with its arguments made portable."""
    arguments, origin = get_args(hint), get_origin(hint)
    inner = tuple(map(portable, arguments))
    if not arguments or inner == arguments:
        return hint
    if origin in (Union, types.UnionType):
        return Union[inner]  # noqa: UP007 - of a tuple
    return hint.copy_with(inner) if hasattr(hint, "copy_with") else origin[inner]
