"""The values of RELIABILITY.md R9: whatever a program can hold that hurts those who look at it. Each tells what of its own was run."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import itertools
import pathlib
import socket
import threading
import time
import types
import weakref
from collections.abc import Callable
from functools import cache, partial
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, NonCallableMagicMock

import numpy

CALLED: list[str] = []
DUNDERS = (
    *("__repr__", "__str__", "__bool__", "__len__", "__getattr__", "__getattribute__",
     "__setattr__", "__delattr__", "__dir__", "__eq__", "__ne__", "__lt__", "__format__"),
    *("__iter__", "__next__", "__contains__", "__getitem__", "__reversed__",
     "__length_hint__", "__reduce__", "__reduce_ex__", "__getstate__", "__sizeof__", "__copy__"),
    *("__deepcopy__", "__index__", "__int__", "__float__", "__complex__",
     "__bytes__", "__fspath__", "__enter__", "__await__", "__aiter__", "__anext__", "__call__"),
    *("__instancecheck__", "__get__", "__set_name__", "__rmod__", "__radd__",
     "__buffer__", "keys", "items", "values", "copy", "isoformat", "model_dump", "dict", "json"),
)  # fmt: skip


def raising(name: str, error: type[BaseException] = RuntimeError) -> Any:
    def method(self: object, *args: object, **kwargs: object) -> Any:
        CALLED.append(name)
        raise error(f"{name} of the program's own was run")

    return method


def lying(name: str, answer: object) -> Any:
    def method(self: object, *args: object) -> object:
        CALLED.append(f"lying {name}")
        return answer

    return method


def made(space: dict[str, Any], base: type = object) -> Any:
    """An instance of a new class with these in its namespace, however hostile they are to being made."""
    return base.__new__(type("Hostile", (base,), space))


class Slow:
    def __repr__(self) -> str:
        CALLED.append("slow")
        time.sleep(0.5)
        return "slow"

    __str__ = __repr__
    __len__ = __bool__ = __iter__ = __hash__ = __repr__  # type: ignore[assignment]


class Recursive:
    def __repr__(self) -> str:
        CALLED.append("recursive")
        return repr(self)

    __str__ = __repr__

    def __getattr__(self, name: str) -> Any:
        CALLED.append("recursive getattr")
        return getattr(self, name + "_")


class Endless:
    """Is long, and never ends."""

    __len__ = lying("__len__", 2**62)
    __iter__ = lying("__iter__", itertools.count())
    __getitem__ = lying("__getitem__", 1)


class Properties:
    """Everything one would look for is a property."""

    __dict__ = property(raising("__dict__"))  # type: ignore[assignment]
    __class__ = property(raising("__class__"))  # type: ignore[assignment]
    __dataclass_fields__ = property(raising("__dataclass_fields__"))  # type: ignore[assignment]
    __pydantic_fields__ = property(raising("__pydantic_fields__"))
    _value_ = property(raising("_value_"))
    name = property(raising("name"))


class Chameleon:
    """Says that it is a string."""

    __class__ = property(lying("__class__", str))  # type: ignore[assignment]
    __hash__ = lying("__hash__", 1)
    __eq__ = lying("__eq__", True)
    __str__ = lying("__str__", 5)


META = (
    "__getattribute__",
    "__hash__",
    "__eq__",
    "__ne__",
    "__instancecheck__",
    "__subclasscheck__",
    "__repr__",
    "__bool__",
    "__len__",
    "__iter__",
    "__contains__",
)
Meta: Any = type("Meta", (type,), {name: raising(f"metaclass {name}") for name in META} | {"mro": lambda cls: type.mro(cls)})


class NotAsked(BaseException):
    """What no `except Exception` holds."""


@dataclasses.dataclass
class Record:
    held: Any
    __eq__ = raising("__eq__")
    __repr__ = raising("__repr__")
    __hash__ = raising("__hash__")


class Weird(enum.Enum):
    ONE = 1
    __str__ = __repr__ = __hash__ = raising("enum")


def text(name: str, base: type, *given: Any) -> Any:
    """A subclass of a built-in type that overrides all that one would use."""
    return type(
        name, (base,), {dunder: raising(dunder) for dunder in (*DUNDERS, "__hash__", "encode", "decode", "bit_length", "split") if dunder != "__getattribute__"}
    )(*given)


def cyclic(kind: str) -> Any:
    if kind == "list":
        held: Any = []
        held += [held, {"self": held}, (held,)]
    elif kind == "dict":
        held = {}
        held["self"] = [held]
    elif kind == "wide":
        held = []
        held += [held] * 1000
    else:
        held = Record(None)
        held.held = [held]
    return held


def deep(kind: str) -> Any:
    held: Any = "bottom"
    for _ in range(10_000):
        held = {"list": lambda held: [held], "dict": lambda held: {"k": held}, "tuple": lambda held: (held,), "record": Record}[kind](held)
    return held


@cache
def huge(kind: str) -> Any:
    """Made once: nobody may change them."""
    return {
        "text": lambda: "x" * 50_000_000,
        "wide text": lambda: "é" * 25_000_000,
        "words": lambda: "password: hunter2 sk-ant-abc " * 1_700_000,
        "controls": lambda: "\x00" * 5_000_000,
        "surrogates": lambda: "\ud800" * 5_000_000,
        "bytes": lambda: b"x" * 50_000_000,
        "bytearray": lambda: bytearray(50_000_000),
        "memoryview": lambda: memoryview(b"x" * 50_000_000),
        "list": lambda: list(range(1_000_000)),
        "texts": lambda: ["some words here"] * 1_000_000,
        "tuple": lambda: tuple(range(1_000_000)),
        "set": lambda: set(range(1_000_000)),
        "dict": lambda: {number: number for number in range(1_000_000)},
        "deque": lambda: collections.deque(range(1_000_000)),
        "key": lambda: {"k" * 10_000_000: 1, ("t" * 10_000_000, 1): 2},
        "nested": lambda: [[[1] * 100] * 100] * 100,
        "records": lambda: [Record(number) for number in range(50_000)],
        "number": lambda: 10**5000,
        "numbers": lambda: [10**5000] * 10_000,
        "decimal": lambda: decimal.Decimal("1" * 1_000_000),
        "range": lambda: range(10**15),
    }[kind]()


HUGE = (
    *("text", "wide text", "words", "controls", "surrogates", "bytes", "bytearray", "memoryview", "list", "texts", "tuple", "set", "dict", "deque", "key"),
    *("nested", "records", "number", "numbers", "decimal", "range"),
)  # fmt: skip
ITERATORS: dict[str, Callable[[], Any]] = {
    "generator": lambda: (number for number in range(3)),
    "file": lambda: io.StringIO("0\n1\n2\n"),
    "map": lambda: map(str, [0, 1, 2]),
    "iterator": lambda: iter([0, 1, 2]),
    "zip": lambda: zip([0, 1], "ab", strict=True),
    "count": lambda: itertools.islice(itertools.count(), 3),
    "enumerate": lambda: enumerate("abc"),
    "dict items": lambda: iter({1: 2}.items()),
}


class Tuples:
    """A mapping of the program's own."""

    keys = raising("keys")
    __getitem__ = raising("__getitem__")
    __iter__ = raising("__iter__")
    __len__ = lying("__len__", 3)


def table() -> dict[str, Callable[[], Any]]:
    """name → a maker of the value."""
    return {
        **{f"raising {name}": partial(made, {name: raising(name)}) for name in DUNDERS},
        **{
            f"base exception from {name}": partial(made, {name: raising(name, NotAsked)})
            for name in ("__repr__", "__str__", "__bool__", "__len__", "__eq__", "__iter__")
        },
        **{f"keyboard interrupt from {name}": partial(made, {name: raising(name, KeyboardInterrupt)}) for name in ("__repr__", "__getattribute__", "__hash__")},
        "raising __hash__": lambda: made({"__hash__": raising("__hash__")}),
        "raising all": lambda: made({name: raising(name) for name in (*DUNDERS, "__hash__")}),
        "lying __str__": lambda: made({"__str__": lying("__str__", 5), "__repr__": lying("__repr__", None)}),
        "lying __len__": lambda: made({"__len__": lying("__len__", -1)}),
        "lying __bool__": lambda: made({"__bool__": lying("__bool__", "yes")}),
        "lying __hash__": lambda: made({"__hash__": lying("__hash__", "x"), "__eq__": lying("__eq__", True)}),
        "lying __getattr__": lambda: made({"__getattr__": lying("__getattr__", "anything")}),
        "lying keys": Tuples,
        "slow": Slow,
        "recursive": Recursive,
        "endless": Endless,
        "__class__ and __dict__": Properties,
        "chameleon": Chameleon,
        "metaclass": lambda: type.__call__(Meta("Made", (), {})),
        "class of the metaclass": lambda: Meta("Made", (), {}),
        "list of the metaclass": lambda: type.__call__(Meta("Made", (list,), {})),
        "exception of the metaclass": lambda: type.__call__(Meta("MadeError", (ValueError,), {}), "x"),
        "record of the metaclass": lambda: type.__call__(Meta("Made", (Record,), {}), 1),
        "record": lambda: Record(Record("x")),
        "enum": lambda: Weird.ONE,
        "text subclass": lambda: text("Text", str, "x"),
        "int subclass": lambda: text("Whole", int, 3),
        "float subclass": lambda: text("Real", float, 0.5),
        "bytes subclass": lambda: text("Blob", bytes, b"x"),
        "list subclass": lambda: text("Row", list, [1]),
        "dict subclass": lambda: text("Table", dict, {"a": 1}),
        "tuple subclass": lambda: text("Pair", tuple, (1, 2)),
        "set subclass": lambda: text("Bag", set, {1}),
        "MagicMock": MagicMock,
        "Mock": Mock,
        "AsyncMock": AsyncMock,
        "not callable mock": NonCallableMagicMock,
        "mock of a dict": lambda: MagicMock(spec=dict),
        "cyclic list": lambda: cyclic("list"),
        "cyclic dict": lambda: cyclic("dict"),
        "cyclic and wide": lambda: cyclic("wide"),
        "cyclic record": lambda: cyclic("record"),
        "deep list": lambda: deep("list"),
        "deep dict": lambda: deep("dict"),
        "deep tuple": lambda: deep("tuple"),
        "deep record": lambda: deep("record"),
        "tuple keys": lambda: {(1, "b"): 1, ((2,), None): 2, frozenset({1}): 3, None: 4, True: 5, 2.5: 6, b"k": 7, "": 8, 10**5000: 9, float("nan"): 10},
        "object keys": lambda: {object(): 1, Record: 2, len: 3},
        "lone surrogate": lambda: "a\ud800b\udfff",
        "surrogate in a key": lambda: {"\ud800": ["\udfff"]},
        "split pair": lambda: "\ud83d\ude00",
        "controls": lambda: "\x00\x01\x1b[31m\x7f\u2028",
        "nan": lambda: float("nan"),
        "infinities": lambda: [float("inf"), -float("inf"), float("nan"), -0.0, 5e-324, 1.7e308],
        "2**80": lambda: 2**80,
        "-2**80": lambda: -(2**80),
        "mixed list": lambda: [1, 2.5, "x", None, True],
        "list of nan": lambda: [float("nan"), float("inf")],
        "list of huge": lambda: [2**80, 1],
        "list of surrogates": lambda: ["\ud800", "x"],
        "list of bytes": lambda: [b"\xff", b""],
        "empty": lambda: [],
        "complex": lambda: 1 + 2j,
        "fraction": lambda: fractions.Fraction(1, 3),
        "decimal nan": lambda: decimal.Decimal("sNaN"),
        "earliest": lambda: datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=23, minutes=59))),
        "odd zone": lambda: datetime.datetime(2026, 1, 1, tzinfo=made({name: raising(name) for name in ("utcoffset", "tzname", "dst")}, datetime.tzinfo)),
        "longest": lambda: datetime.timedelta.max,
        "path": lambda: pathlib.Path("/\ud800"),
        "array": lambda: numpy.arange(6).reshape(2, 3),
        "array of objects": lambda: numpy.array([Slow(), None], dtype=object),
        "empty array": lambda: numpy.array([]),
        "numpy scalar": lambda: numpy.float32("nan"),
        "numpy bool": lambda: numpy.bool_(True),
        "masked array": lambda: numpy.ma.masked,
        "namespace": lambda: types.SimpleNamespace(a=Slow()),
        "dead weak proxy": lambda: weakref.proxy(type("Gone", (), {})()),
        "weak proxy": lambda: weakref.proxy(KEPT),
        "lock": threading.Lock,
        "module": lambda: types,
        "lambda": lambda: lambda: None,
        "not implemented": lambda: NotImplemented,
        "user dict": lambda: collections.UserDict(a=1),
        "chain map": lambda: collections.ChainMap({}, {"a": Slow()}),
        "mapping proxy": lambda: types.MappingProxyType(text("Table", dict, {"a": 1})),
        "group": lambda: ExceptionGroup("g", [ValueError(Slow())]),
        "own __dict__": odd_dict,
        **{f"huge {kind}": partial(huge, kind) for kind in HUGE},
        **{f"unread {kind}": make for kind, make in ITERATORS.items()},
    }


class OddName(str):
    __slots__ = ()
    __hash__ = str.__hash__


def odd_dict() -> Any:
    """Its own `__dict__` has keys that are no plain strings."""
    held = types.SimpleNamespace()
    held.__dict__[OddName("a")] = Slow()
    held.__dict__[5] = 1  # type: ignore[index]
    return held


KEPT = type("Kept", (), {"__repr__": raising("__repr__"), "__str__": raising("__str__")})()
LOOPBACK = socket.AF_INET
TABLE = table()
