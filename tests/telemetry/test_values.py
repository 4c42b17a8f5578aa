"""The value's own code is never run; the result is plain, bounded and encodable."""

import collections
import dataclasses
import datetime
import decimal
import enum
import io
import json
import pathlib
import sys
import time
import tracemalloc
import uuid
from typing import Any
from unittest.mock import MagicMock

import orjson
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agents.telemetry.values import as_json, message_of, plain, type_name

CALLED: list[str] = []
HERE = __name__


def recorded(name: str) -> Any:
    def method(self: object, *args: object, **kwargs: object) -> Any:
        CALLED.append(name)
        raise RuntimeError(f"{name} of the program was called by its telemetry")

    return method


def hostile(*names: str, base: type = object, meta: type = type, **space: Any) -> type:
    return meta("Hostile", (base,), {**{name: recorded(name) for name in names}, **space})


def lying(name: str, answer: object) -> type:
    def method(self: object, *args: object) -> object:
        CALLED.append(name)
        return answer

    return type("Lying", (), {name: method})


class Meta(type):
    __getattribute__ = recorded("metaclass __getattribute__")
    __hash__ = recorded("metaclass __hash__")
    __eq__ = recorded("metaclass __eq__")
    __instancecheck__ = recorded("metaclass __instancecheck__")
    __subclasscheck__ = recorded("metaclass __subclasscheck__")
    __repr__ = recorded("metaclass __repr__")
    __bool__ = recorded("metaclass __bool__")


class Slow:
    def __repr__(self) -> str:
        CALLED.append("slow")
        time.sleep(5)
        return "slow"

    __str__ = __repr__


class Recursive:
    def __repr__(self) -> str:
        CALLED.append("recursive")
        return repr(self)


class SecretDict:
    """`__dict__` is a property, and so is everything one would look for."""

    __dict__ = property(recorded("__dict__"))  # type: ignore[assignment]
    __dataclass_fields__ = property(recorded("__dataclass_fields__"))  # type: ignore[assignment]
    __pydantic_fields__ = property(recorded("__pydantic_fields__"))
    _value_ = property(recorded("_value_"))


class OddName(str):
    __slots__ = ()
    __hash__ = recorded("key __hash__")
    __eq__ = recorded("key __eq__")
    __str__ = recorded("key __str__")


class OddKeys:
    """Its own `__dict__` has a key that is not exactly a string."""

    __dataclass_fields__ = {"a": 1}  # noqa: RUF012

    def __init__(self) -> None:
        type.__setattr__(OddName, "__hash__", lambda self: hash("a"))
        self.__dict__ = {OddName("a"): 1}
        type.__setattr__(OddName, "__hash__", recorded("key __hash__"))


class Array:
    """Like an array: its truth and its equality are ambiguous."""

    def __bool__(self) -> bool:
        CALLED.append("__bool__")
        raise ValueError("ambiguous")

    def __eq__(self, other: object) -> Any:
        CALLED.append("__eq__")
        raise ValueError("ambiguous")

    def __len__(self) -> int:
        CALLED.append("__len__")
        return -1  # noqa: PLE0303 - that it lies is the point

    __hash__ = None  # type: ignore[assignment]


class Zone(datetime.tzinfo):
    utcoffset = recorded("utcoffset")
    tzname = recorded("tzname")
    dst = recorded("dst")


DUNDERS = ("__repr__", "__str__", "__bool__", "__len__", "__getattr__", "__getattribute__", "__iter__", "__eq__", "__format__", "__index__", "__int__")
DUNDERS += ("__float__", "__bytes__", "__contains__", "__getitem__", "__keys__", "keys", "items", "__reduce__", "__sizeof__", "__next__", "__del__", "__call__")


def iterators() -> dict[str, Any]:
    return {"generator": (n for n in range(3)), "file": io.StringIO("abc"), "map": map(str, [1]), "iter": iter([1]), "zip": zip([1], [2], strict=True)}


def table() -> dict[str, Any]:
    quiet = tuple(name for name in DUNDERS if name != "__del__")
    return {
        **{name: hostile(name)() for name in quiet},
        "all of them": hostile(*quiet)(),
        "__hash__": hostile("__hash__")(),
        "__class__": hostile(__class__=property(recorded("__class__")))(),
        "__dict__ and markers": SecretDict(),
        "odd keys": OddKeys(),
        "slow": Slow(),
        "recursive": Recursive(),
        "lying str": lying("__repr__", 5)(),
        "lying len": lying("__len__", 10**18)(),
        "array": Array(),
        "metaclass": type.__call__(Meta("Made", (), {})),
        "class with metaclass": Meta("Made", (), {}),
        "metaclass on an exception": type.__call__(type("MetaOnly", (Meta,), {})("MadeError", (ValueError,), {}), "x"),
        "MagicMock": MagicMock(),
        "dict subclass": hostile("items", "keys", "__iter__", "__len__", "__getitem__", "__repr__", base=dict)(a=1),
        "list subclass": hostile("__iter__", "__len__", "__getitem__", "__repr__", base=list)([1]),
        "str subclass": hostile("__str__", "__len__", "__repr__", "__getitem__", "encode", base=str)("x"),
        "int subclass": hostile("__int__", "__repr__", "__index__", "bit_length", base=int)(3),
        "bytes subclass": hostile("__len__", "__repr__", "__bytes__", base=bytes)(b"x"),
        "aware datetime": datetime.datetime(2026, 1, 1, tzinfo=Zone()),
        "path of odd strings": pathlib.PurePosixPath(hostile("startswith", "__repr__", base=str)("/a")),
        "taken name": type("UUID", (), {"__module__": "uuid", "__str__": recorded("taken __str__")})(),
        **iterators(),
    }


@pytest.fixture(autouse=True)
def nothing_called() -> Any:
    CALLED.clear()
    yield
    assert CALLED == []


@pytest.mark.parametrize("name", sorted(table()))
def test_nothing_of_a_hostile_value_is_called(name: str) -> None:
    value = table()[name]
    CALLED.clear()
    assert isinstance(plain(value), str) or plain(value) == {}
    holders: list[Any] = [[value], (value,), {"k": value}, {"k": [{"v": value}]}, collections.deque([value]), holder(value)]
    assert all(isinstance(plain(each), dict | list) and json.loads(as_json(each)) for each in holders)
    error = ValueError.__new__(ValueError, value)
    assert message_of(error) in ("ValueError", *([value] if type(value) is str else []))
    assert type_name(value).count("\n") == 0


@dataclasses.dataclass
class Holder:
    held: Any
    hidden: str = dataclasses.field(default="secret", repr=False)


def holder(value: object) -> Holder:
    return Holder(value)


def test_iterators_and_files_are_not_consumed() -> None:
    before = iterators()
    for value in before.values():
        plain(value), as_json([value])
    assert [list(value) for value in before.values()] == [list(value) for value in iterators().values()]


class Colour(enum.StrEnum):
    RED = "red"


class Weight(enum.Enum):
    HEAVY = (1, 2)


class Answer(pydantic.BaseModel):
    model_config = {"extra": "allow"}
    text: str
    parts: list[int] = []
    token: str = pydantic.Field("sk-secret", repr=False)
    key: pydantic.SecretStr = pydantic.SecretStr("secret")

    @property
    def lazy(self) -> str:
        CALLED.append("lazy")
        return "x"


@dataclasses.dataclass(slots=True, frozen=True)
class Point:
    x: int
    y: Any
    unset: int = dataclasses.field(init=False)


class Plainly:
    pass


def function() -> None:
    pass


def test_what_is_read() -> None:
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    read = {
        "scalars": ([1, True, None, 0.5, b"x", bytearray(b"y"), "z"], [1, True, None, 0.5, b"x", b"y", "z"]),
        "sets": ([{1}, frozenset({2}), (3,), collections.deque([4])], [[1], [2], [3], [4]]),
        "mappings": ([collections.OrderedDict(a=1), collections.defaultdict(list, b=[2]), collections.Counter("c")], [{"a": 1}, {"b": [2]}, {"c": 1}]),
        "keys": (
            {(1, "b"): 1, 2: 2, None: 3, True: 4, 2.5: 5, "2": 6, Point: 7},
            {'[1,"b"]': 1, "2": 2, "None": 3, "True": 4, "2.5": 5, "2 #5": 6, f"<class {HERE}.Point>": 7},
        ),
        "large": ([2**63 - 1, -(2**63), 2**80, 10**5000], [2**63 - 1, str(-(2**63)), str(2**80), "<int, 16,610 bits>"]),
        "times": ([moment, moment.date(), moment.replace(tzinfo=None), moment - moment], [moment.isoformat(), "2026-01-02", "2026-01-02T03:04:05", "0:00:00"]),
        "exact": ([decimal.Decimal("1.50"), uuid.UUID(int=1), pathlib.Path("/a/b")], ["1.50", str(uuid.UUID(int=1)), "/a/b"]),
        "enums": ([Colour.RED, Weight.HEAVY], ["red", f"<{HERE}.Weight>"]),
        "ranges": ([range(3), range(10**12)], [[0, 1, 2], "range(0, 1000000000000)"]),
        "model": (Answer(text="a", more={"b": 1}), {"text": "a", "parts": [], "key": "<pydantic.types.SecretStr>", "more": {"b": 1}}),  # type: ignore[call-arg]
        "dataclass": ([Point(1, Holder(2))], [{"x": 1, "y": {"held": 2}}]),
        "named": (
            [Plainly(), Plainly, function, len, ...],
            [
                f"<{HERE}.Plainly>",
                f"<class {HERE}.Plainly>",
                "<function function>",
                "<builtin_function_or_method>",
                "<ellipsis>",
            ],
        ),
        "surrogates": (["a\ud800b", {"\udfff": "😀"}], ["a\ufffdb", {"\ufffd": "😀"}]),
    }
    assert {name: plain(value) for name, (value, _) in read.items()} == {name: expected for name, (_, expected) in read.items()}


def test_json_has_strings_for_what_it_cannot_express() -> None:
    assert as_json([float("nan"), float("inf"), float("-inf"), b"\x00\xff", 2**80]) == '["NaN","Infinity","-Infinity","AP8=","1208925819614629174706176"]'


def test_cycles_and_depth() -> None:
    cycle: dict[str, Any] = {"a": 1}
    cycle["self"] = cycle
    assert plain(cycle) == {"a": 1, "self": "<dict, a cycle>"}
    point = Point(1, [])
    point.y.append(point)
    assert plain(point) == {"x": 1, "y": [f"<{__name__}.Point>"]}
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert as_json(deep) == "[" * 16 + '"<list, deeper than 16>"' + "]" * 16
    own: Any = {}
    own[(Keyed(own),)] = 1
    assert len(as_json(own)) < 4096


class Keyed:
    __dataclass_fields__ = {"held": 1}  # noqa: RUF012

    def __init__(self, held: Any) -> None:
        self.held = held


def test_truncation_notes_the_original_size() -> None:
    assert plain("x" * 100, 12) == "xxxxxxxxxx… [cut, 100 characters]"
    assert plain(b"x" * 100, 12) == "<100 bytes>"
    many = plain(list(range(1_000_000)))
    assert isinstance(many, list)
    assert many[:3] == [0, 1, 2]
    assert many[-1] == f"… {1_000_000 - len(many) + 1:,} more"
    table = plain({str(n): n for n in range(1_000_000)})
    assert isinstance(table, dict)
    assert table["…"] == f"… {1_000_000 - len(table) + 1:,} more"


@pytest.mark.parametrize("value", [{"alone": {f"key {number}": "x" * 40 for number in range(9000)}}, {"alone": "x" * 10**6}, ["x" * 10**6], "x" * 10**6])
def test_a_single_value_is_read_once_however_large(value: object) -> None:
    seen: list[str] = []
    plain(value, 65536, lambda text, name="": seen.append(text) or text)  # type: ignore[func-returns-value]  # that is why
    assert sum(map(len, seen)) < 1.2 * 65536


def test_one_big_argument_does_not_hide_the_others() -> None:
    read = plain({"rows": [list(range(1000))] * 1000, "text": "x" * 10**6, "query": "what is it?"})
    assert isinstance(read, dict)
    assert read["query"] == "what is it?"
    assert 1000 < len(str(read["text"])) < 65536
    small = {"text": "x" * 60_000, "query": "what fits is not touched"}
    assert plain(small) == small


class Marked:
    """A redactor that needs to see a whole word, and keeps what it was given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str]] = []

    def __call__(self, text: str, name: str = "", /) -> str:
        self.seen.append((len(text), name))
        return text.replace("SECRET" * 10, "*") if name != "password" else "***"


def test_redaction_precedes_truncation() -> None:
    marked = Marked()
    for shift in range(70):
        assert "SECRET" not in str(plain("x" * (990 - shift) + "SECRET" * 10 + "y" * 100_000, 1000, marked))
    assert max(size for size, _ in marked.seen) < 10_000
    assert plain({"password": ["a", {"b": "c"}], "SECRET" * 10: b"SECRET" * 10}, redact=marked) == {"password": ["***", {"b": "c"}], "*": b"*"}


TEXT = st.text(st.characters(codec=None, exclude_categories=()))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.binary(), st.dates(), st.uuids(), st.decimals())
NESTED = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.one_of(TEXT, st.integers(), st.booleans(), st.tuples(TEXT)), inner)),
    max_leaves=40,
)


@given(value=NESTED, limit=st.integers(0, 3000))
@settings(max_examples=300, deadline=None)
def test_json_always_parses_and_keeps_its_limit(value: Any, limit: int) -> None:
    text = as_json(value, limit)
    orjson.loads(text)
    assert text.encode()
    assert len(text) <= max(limit, 64)
    assert is_plain(plain(value, limit))


@given(
    value=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-(2**62), 2**62), st.text()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
@settings(max_examples=200, deadline=None)
def test_what_json_has_and_fits_comes_back_equal(value: Any) -> None:
    assert plain(value) == value
    assert orjson.loads(as_json(value)) == value


def is_plain(read: Any) -> bool:
    if type(read) is list:
        return all(map(is_plain, read))
    if type(read) is dict:
        return all(type(key) is str and is_plain(each) for key, each in read.items())
    return type(read) in (str, int, float, bool, bytes, type(None))


BIG: dict[str, Any] = {
    "text": lambda: "x" * 50_000_000,
    "wide text": lambda: "é" * 50_000_000,
    "bytes": lambda: b"x" * 50_000_000,
    "list": lambda: list(range(1_000_000)),
    "dict": lambda: {n: n for n in range(1_000_000)},
    "set": lambda: set(range(1_000_000)),
    "nested": lambda: [[[1] * 100] * 100] * 100,
    "models": lambda: [Answer(text="a") for _ in range(3000)],
    "objects": lambda: [Plainly() for _ in range(100_000)],
    "escapes": lambda: "\x00" * 1_000_000,
    "keys": lambda: {tuple(range(n, n + 50)): n for n in range(20_000)},
    "digits": lambda: [10**5000] * 10_000,
    "decimal": lambda: decimal.Decimal("1" * 1_000_000),
}


@pytest.mark.parametrize("name", sorted(BIG))
def test_big_values_take_little_time_and_memory(name: str) -> None:
    value = BIG[name]()
    unit = seconds(lambda: [{"a": n} for n in range(20_000)])  # 2 ms or so on an idle machine, and as slow as we on a busy one
    assert seconds(lambda: as_json(value)) < 10 * unit + 0.005
    tracemalloc.start()
    try:
        as_json(value), plain(value)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def seconds(work: Any) -> float:
    def once() -> float:
        begun = time.thread_time()
        work()
        return time.thread_time() - begun

    return min(once() for _ in range(5))


def test_at_the_programs_own_recursion_limit() -> None:
    def deeper() -> Any:
        try:
            return deeper()
        except RecursionError:
            return plain([[[[[[[["x"]]]]]]]])

    assert isinstance(deeper(), str | list)


class OwnTextError(Exception):
    def __str__(self) -> str:
        CALLED.append("own __str__")
        return "x"


class LibraryError(ValueError):
    def __repr__(self) -> str:
        CALLED.append("own __repr__")
        return "x"


def messages() -> dict[str, tuple[BaseException, str]]:
    missing = FileNotFoundError(2, "No such file", "/a")
    return {
        "one text": (ValueError("it failed"), "it failed"),
        "none": (ValueError(), ""),
        "several": (ValueError("a", 1), "('a', 1)"),
        "number": (SystemExit(3), "3"),
        "key": (KeyError("name"), "'name'"),
        "file": (missing, str(missing)),
        "foreign part": (OSError(2, "No such file", Slow()), "FileNotFoundError"),
        "own text": (OwnTextError("a"), f"{__name__}.OwnTextError"),
        "subclass": (LibraryError("a"), "a"),
        "object": (RuntimeError(Slow()), "RuntimeError"),
        "huge number": (RuntimeError(10**5000), "RuntimeError"),
        "group": (ExceptionGroup("all failed", [ValueError("a")]), "all failed (1 sub-exception)"),
        "syntax": (SyntaxError("bad", ("f.py", 3, 1, "x")), "bad (f.py, line 3)"),
        "decode": (UnicodeDecodeError("utf8", b"\xff", 0, 1, "bad start"), "'utf8' codec can't decode byte 0xff in position 0: bad start"),
        "surrogate": (ValueError("a\ud800"), "a\ufffd"),
        "json": (json.JSONDecodeError("Expecting value", "x", 0), "Expecting value: line 1 column 1 (char 0)"),
    }


@pytest.mark.parametrize("name", sorted(messages()))
def test_messages_of_exceptions(name: str) -> None:
    error, expected = messages()[name]
    assert message_of(error) == expected


def test_messages_are_redacted_and_cut() -> None:
    assert message_of(ValueError("key " + "SECRET" * 10), redact=Marked()) == "key *"
    assert message_of(ValueError("x" * 10**7), 20).startswith("x" * 20 + "… [cut, 10,000,000")
    assert message_of(ValueError("x" * 100, 1), 20) == "ValueError"


def test_type_names() -> None:
    names = [type_name(each) for each in (ValueError("x"), KeyError, json.JSONDecodeError, Answer, None, collections.deque)]
    assert names == ["ValueError", "KeyError", "json.decoder.JSONDecodeError", f"{__name__}.Answer", "NoneType", "collections.deque"]
    odd = type("A" * 10_000, (), {"__module__": 5})
    assert type_name(odd) == f"?.{'A' * 256}"


def test_a_container_that_changes_meanwhile() -> None:
    import threading

    shared: dict[int, int] = {}
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for n in range(500):
                shared[n] = n
            shared.clear()

    thread = threading.Thread(target=churn)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        assert all(type(plain(each)) in (dict, list) for _ in range(300) for each in (shared, [shared]))
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)
