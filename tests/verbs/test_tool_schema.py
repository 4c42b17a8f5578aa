"""What a model is given of a tool, from hints and docstrings as people write them."""

import copy
import json
import pickle
import subprocess
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional

import jsonschema
import orjson
import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

import otel_agents as oa
from otel_agents.verbs.tool_schema import definition

if TYPE_CHECKING:
    from elsewhere import Absent


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 0


class Address(TypedDict, total=False):
    street: str
    number: int


class Standard(typing.TypedDict):
    city: str
    code: typing.NotRequired[int]


class Guest(BaseModel):
    name: str = Field(description="full name")
    age: int | None = None


class Node(BaseModel):
    value: int
    children: "list[Node]" = []


class Opaque:
    pass


def schema(function: Any) -> dict[str, Any]:
    described = definition(function, "tool")
    jsonschema.Draft202012Validator.check_schema(described["parameters"])
    return dict(described["parameters"])


def properties(function: Any) -> dict[str, Any]:
    return dict(schema(function)["properties"])


def test_plain_types_containers_and_unions() -> None:
    def tool(
        a: str,
        b: list[int],
        c: dict[str, float],
        d: int | None,
        e: Optional[bool],  # noqa: UP045 - as people still write it
        f: tuple[str, int],
        g: Sequence[str],
        h: Mapping[str, int],
        i: set[str],
    ): ...

    assert properties(tool) == {
        "a": {"type": "string"},
        "b": {"type": "array", "items": {"type": "integer"}},
        "c": {"type": "object", "additionalProperties": {"type": "number"}},
        "d": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "e": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        "f": {"type": "array", "maxItems": 2, "minItems": 2, "prefixItems": [{"type": "string"}, {"type": "integer"}]},
        "g": {"type": "array", "items": {"type": "string"}},
        "h": {"type": "object", "additionalProperties": {"type": "integer"}},
        "i": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    }


def test_choices() -> None:
    def tool(unit: Literal["c", "f"], colour: Colour = Colour.RED): ...

    assert schema(tool) == {
        "type": "object",
        "properties": {"unit": {"enum": ["c", "f"], "type": "string"}, "colour": {"$ref": "#/$defs/Colour", "default": "red"}},
        "required": ["unit"],
        "$defs": {"Colour": {"enum": ["red", "blue"], "title": "Colour", "type": "string"}},
    }


@pytest.mark.parametrize(
    ("kind", "expected", "required"),
    [
        (Point, {"x": {"type": "integer"}, "y": {"type": "integer", "default": 0}}, ["x"]),
        (Address, {"street": {"type": "string"}, "number": {"type": "integer"}}, None),
        (Standard, {"city": {"type": "string"}, "code": {"type": "integer"}}, ["city"]),
        (
            Guest,
            {"name": {"type": "string", "description": "full name"}, "age": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}},
            ["name"],
        ),
    ],
)
def test_structured_types(kind: Any, expected: dict[str, Any], required: list[str] | None) -> None:
    def tool(given, several): ...

    tool.__annotations__.update(given=kind, several=list[kind])
    found = schema(tool)
    assert found["$defs"][kind.__name__]["properties"] == expected
    assert found["$defs"][kind.__name__].get("required") == required
    assert found["properties"]["several"]["items"] == found["properties"]["given"] == {"$ref": f"#/$defs/{kind.__name__}"}


def test_a_type_that_contains_itself() -> None:
    def tool(root: Node): ...

    assert schema(tool)["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_annotated_says_more() -> None:
    def tool(count: Annotated[int, Field(ge=1, le=9, description="how many")], city: Annotated[str, "where to look"], other: Annotated[str, object()]):
        """Look.

        Args:
            count: what the docstring says
            other: what only the docstring says
        """

    assert properties(tool) == {
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
        "city": {"type": "string", "description": "where to look"},
        "other": {"type": "string", "description": "what only the docstring says"},
    }


def test_defaults_that_json_can_say_and_others() -> None:
    def tool(a=1, b="x", c=None, d: Any = object(), e: float = float("inf"), *, f, g: list[int] = [1]): ...  # noqa: B006, B008

    found = schema(tool)
    assert found["required"] == ["f"]
    assert {name: one["default"] for name, one in found["properties"].items() if "default" in one} == {"a": 1, "b": "x"}


def test_self_and_what_collects_are_no_arguments() -> None:
    class Shop:
        def sell(self, item: str, *more: str, **options: int): ...

        @classmethod
        def open(cls, at: int): ...

    assert list(properties(Shop.sell)) == list(properties(Shop().sell)) == ["item"]
    assert list(properties(Shop.open)) == ["at"]


def test_names_that_a_model_has_itself() -> None:
    def tool(_private: int, json: str, model_config: str, copy: bool, schema: int = 0): ...

    assert list(properties(tool)) == ["_private", "json", "model_config", "copy", "schema"]


def test_partials_classes_and_callable_objects() -> None:
    class Search:
        def __init__(self, limit: int) -> None: ...

        def __call__(self, query: str) -> str:
            return query

    def tool(a: int, b: str): ...

    assert properties(Search) == {"limit": {"type": "integer"}}
    assert properties(Search(1)) == {"query": {"type": "string"}}
    assert properties(partial(tool, 1)) == {"b": {"type": "string"}}


def test_one_hint_that_cannot_be_resolved_leaves_the_others() -> None:
    def tool(a: "Absent", b: "int", c: "list[Absent]", d: "Later") -> "Absent": ...

    assert properties(tool) == {"a": {}, "b": {"type": "integer"}, "c": {}, "d": {"$ref": "#/$defs/Later"}}


class Later(BaseModel):
    """Defined below the function that names it."""


def test_one_hint_that_json_cannot_describe_leaves_the_others() -> None:
    def tool(a: Opaque, b: int, c: list[Opaque], d: typing.Callable[[], int], e: type[Point], f: Decimal, g: date, h: bytes): ...

    found = properties(tool)
    assert (found["a"], found["b"], found["c"]) == ({}, {"type": "integer"}, {"type": "array", "items": {}})
    assert found["g"] == {"type": "string", "format": "date"}
    assert found["h"]["type"] == "string"


def test_hints_that_are_wrong_are_no_error() -> None:
    def tool(a: 5, b: "1 +", c: int): ...  # type: ignore[valid-type]  # noqa: F722

    assert properties(tool)["c"] == {"type": "integer"}
    assert set(properties(tool)) == {"a", "b", "c"}


GOOGLE = """Book a room
in a hotel.

Longer text.

Args:
    city (str): where to sleep,
        in one line
    nights: how long

Returns:
    The booking.
"""
NUMPY = """Book a room
in a hotel.

Longer text.

Parameters
----------
city : str
    where to sleep,
    in one line
nights : int, optional
    how long
"""
SPHINX = """Book a room
in a hotel.

Longer text.

:param city: where to sleep,
    in one line
:param int nights: how long
:returns: the booking
"""


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["Google", "NumPy", "Sphinx"])
def test_docstrings(text: str) -> None:
    def book(city: str, nights: int = 2): ...

    book.__doc__ = text
    described = definition(book, "book")
    assert described["description"] == "Book a room in a hotel."
    assert {name: one["description"] for name, one in described["parameters"]["properties"].items()} == {
        "city": "where to sleep, in one line",
        "nights": "how long",
    }


# ------------------------------------------------------------------------------------------------ the dict


def book(city: str, nights: int = 2) -> str:
    """Book a room."""
    return city


WHOLE = {
    "type": "function",
    "name": "book",
    "description": "Book a room.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "nights": {"type": "integer", "default": 2}}, "required": ["city"]},
}
READERS = {
    "equal": lambda one: one,
    "as a dict": dict,
    "unpacked": lambda one: {**one},
    "json": lambda one: json.loads(json.dumps(one)),
    "json, in a list": lambda one: json.loads(json.dumps([one], indent=1))[0],
    "as keywords": lambda one: dict(**one),
    "merged": lambda one: {} | one,
    "merged into": lambda one: one | {},
    "copied": copy.copy,
    "deeply copied": copy.deepcopy,
    "pickled": lambda one: pickle.loads(pickle.dumps(one)),
    "printed": lambda one: eval(repr(one)),
    "by key": lambda one: {key: one[key] for key in ("type", "name", "description", "parameters")},
    "by items": lambda one: dict(one.items()),
    "backwards": lambda one: {key: one.get(key) for key in reversed(one)},
    "by orjson, as a dict": lambda one: orjson.loads(orjson.dumps(dict(one))),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_however_it_is_read_it_is_whole(read: Any) -> None:
    assert read(oa.tool(book).definition) == WHOLE


def test_it_can_be_changed_as_a_dict() -> None:
    described = oa.tool(book).definition
    described["strict"] = True
    assert described.pop("description") == "Book a room."
    assert list(described) == ["type", "name", "parameters", "strict"]


def test_a_serializer_that_does_not_ask_fails_instead_of_sending_a_part() -> None:
    with pytest.raises(TypeError, match="NotReadYet"):
        orjson.dumps(oa.tool(book).definition)


def test_decorating_imports_neither_pydantic_nor_a_parser_of_docstrings() -> None:
    program = (
        "import sys, otel_agents as oa\n@oa.tool\ndef book(city: str): 'Book.'\n"
        "heavy = {'pydantic', 'docstring_parser'}\nprint(heavy & set(sys.modules)); book.definition['name']; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["set()", "['docstring_parser', 'pydantic']"]


def test_what_is_recorded_of_a_request_has_its_name_and_imports_nothing() -> None:
    program = (
        "import sys, otel_agents as oa\n@oa.tool\ndef book(city: str): 'Book.'\n"
        "from otel_agents.instrumentors.wire.openai_chat import tool_definitions\nfrom otel_agents.telemetry.values import plain\n"
        "print(tool_definitions([book.definition]), plain(book.definition, 1000, None)['name'], 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[{'type': 'function', 'name': 'book'}] book False"
