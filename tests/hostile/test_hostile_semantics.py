"""R14: a decorated function, method or class is to everything that looks at it or builds on it what the undecorated one is; each case is asked of both."""

from __future__ import annotations

import abc
import asyncio
import collections.abc
import contextlib
import copy
import dataclasses
import enum
import functools
import inspect
import pickle
import sys
import threading
import typing
import weakref
from collections.abc import Callable
from types import FunctionType
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from unittest import mock

import pytest

import otel_agents as oa
from otel_agents.testing import capture

Decorate = Callable[[Any], Any]
VERBS = ("agent", "workflow", "step", "tool", "llm", "embedding", "retriever", "memory", "plan", "evaluator", "guardrail")
T = TypeVar("T")


def whole(a: int, /, b: str = "b", *args: float, c: bool, d: list[int] | None = None, **kwargs: Any) -> dict[str, int]:
    """What it does.

    At length.
    """
    return {"a": a}


async def later(a: int, b: str = "b") -> int:
    return a


def many(a: int, b: str = "b") -> collections.abc.Iterator[int]:
    yield a


async def many_later(a: int, b: str = "b") -> collections.abc.AsyncIterator[int]:
    yield a


COLOURS = (whole, later, many, many_later)
SEEN: list[Any] = []


def tried(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except Exception as error:
        return type(error).__name__, str(error)


def run(made: Any) -> Any:
    return asyncio.run(made)


CASES: dict[str, Callable[[Decorate], Any]] = {}


def case(function: Callable[[Decorate], Any]) -> Callable[[Decorate], Any]:
    CASES[function.__name__.replace("_", " ")] = function
    return function


def each_colour(name: str, look: Callable[[Any], Any]) -> None:
    CASES[name] = lambda d: [look(d(function)) for function in COLOURS]


for attribute in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
    each_colour(attribute, lambda function, attribute=attribute: getattr(function, attribute))  # type: ignore[misc]  # bound at once
each_colour("signature", inspect.signature)
each_colour("type hints", typing.get_type_hints)
each_colour("docstring as help shows it", inspect.getdoc)
each_colour("source", inspect.getsource)
for predicate in (
    "isfunction",
    "isroutine",
    "iscoroutinefunction",
    "isgeneratorfunction",
    "isasyncgenfunction",
    "isbuiltin",
    "ismethod",
    "isclass",
    "isawaitable",
):
    each_colour(f"inspect.{predicate}", getattr(inspect, predicate))
each_colour("callable", callable)
each_colour("what inspect.unwrap ends at", lambda function: inspect.unwrap(function) in COLOURS)
each_colour("bound arguments", lambda function: tried(lambda: inspect.signature(function).bind(1, c=True).arguments) if function.__name__ == "whole" else None)
each_colour("hash and equality", lambda function: function == function and {function: 1}[function])
each_colour("weak reference", lambda function: weakref.ref(function)() is function)
each_colour("copy is itself", lambda function: copy.copy(function) is function and copy.deepcopy(function) is function)
each_colour("wrong arguments are refused at the call", lambda function: tried(lambda: function()))
each_colour("unknown arguments are refused at the call", lambda function: tried(lambda: function(1, nonsense=1)))
each_colour(
    "too many arguments are refused at the call",
    lambda function: tried(lambda: function(1, 2, 3)) if function is not None and function.__name__ != "whole" else None,
)
each_colour("attributes of the program's own", lambda function: (setattr(function, "mine", 1), function.mine, vars(function).pop("mine"))[1:])
each_colour("autospec", lambda function: tried(lambda: mock.create_autospec(function)) is not None)
if sys.version_info >= (3, 12):
    each_colour("marked coroutine functions", lambda function: inspect.iscoroutinefunction(inspect.markcoroutinefunction(lambda: function)))


@case
def asyncio_s_own_predicate(d: Decorate) -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return [asyncio.iscoroutinefunction(d(function)) for function in COLOURS]


@case
def what_a_call_gives_is_of_the_same_kind(d: Decorate) -> Any:
    one, two, three = d(later)(1), d(many)(1), d(many_later)(1)
    kinds = [inspect.iscoroutine(one), inspect.isawaitable(one), asyncio.iscoroutine(one), inspect.isgenerator(two), inspect.isasyncgen(three)]
    states = [inspect.getcoroutinestate(one), inspect.getgeneratorstate(two), type(one).__name__, type(two).__name__, type(three).__name__]
    names = [made.__qualname__ for made in (one, two, three)]
    one.close()
    return kinds, states, names


@case
def pickled_by_name(d: Decorate) -> Any:
    module = sys.modules[__name__]
    original = module.whole  # type: ignore[attr-defined]  # this module
    module.whole = d(original)  # type: ignore[attr-defined]  # as the decorator would at import
    try:
        return pickle.loads(pickle.dumps(module.whole)) is module.whole  # type: ignore[attr-defined]  # this module
    finally:
        module.whole = original  # type: ignore[attr-defined]  # this module


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def run(self) -> int:
        return self.x


@case
def objects_of_a_decorated_class(d: Decorate) -> Any:
    before = Point.run
    kind = d(Point)
    try:
        one = kind(1)
        again, twin, deep = pickle.loads(pickle.dumps(one)), copy.copy(one), copy.deepcopy(one)
        return kind is Point, type(one) is Point, isinstance(one, Point), again.run(), twin.run(), deep.run(), inspect.isclass(kind), kind.__name__
    finally:
        Point.run = before  # type: ignore[method-assign]  # as it was


@case
def methods(d: Decorate) -> Any:
    class Owner:
        @d
        def run(self, a: int) -> tuple[int, Any]:
            return a, type(self).__name__

        @d
        async def arun(self, a: int) -> int:
            return a

    owner = Owner()
    bound = owner.run
    return (
        owner.run(1),
        Owner.run(owner, 2),
        run(owner.arun(3)),
        bound.__self__ is owner,
        inspect.ismethod(bound),
        str(inspect.signature(bound)),
        bound == owner.run,
    )


@case
def static_methods_in_both_orders(d: Decorate) -> Any:
    class Owner:
        @staticmethod
        @d
        def inner(a: int) -> int:
            return a

        @d
        @staticmethod
        def outer(a: int) -> int:
            return a

    kinds = [type(inspect.getattr_static(Owner, name)).__name__ for name in ("inner", "outer")]
    return Owner.inner(1), Owner().inner(2), Owner.outer(3), Owner().outer(4), kinds, str(inspect.signature(Owner.outer))


@case
def class_methods_in_both_orders(d: Decorate) -> Any:
    class Owner:
        @classmethod
        @d
        def inner(cls, a: int) -> Any:
            return cls.__name__, a

        @d
        @classmethod
        def outer(cls, a: int) -> Any:
            return cls.__name__, a

    class Heir(Owner):
        pass

    return Owner.inner(1), Heir().inner(2), Owner.outer(3), Heir.outer(4), str(inspect.signature(Heir.outer)), Owner.outer.__self__ is Owner


@case
def properties_in_both_orders(d: Decorate) -> Any:
    class Owner:
        held = 1

        @property
        @d
        def inner(self) -> int:
            return self.held

        @d
        @property
        def outer(self) -> int:
            """How many."""
            return self.held

        @outer.setter
        def outer(self, value: int) -> None:
            self.held = value

        @outer.deleter
        def outer(self) -> None:
            self.held = 0

    owner = Owner()
    first = owner.inner, owner.outer
    owner.outer = 5
    second = owner.outer
    del owner.outer
    return first, second, owner.held, Owner.outer.__doc__, type(Owner.outer).__name__


@case
def cached_properties_in_both_orders(d: Decorate) -> Any:
    class Owner:
        count = 0

        @functools.cached_property
        @d
        def inner(self) -> int:
            self.count += 1
            return self.count

        @d
        @functools.cached_property
        def outer(self) -> int:
            self.count += 1
            return self.count

    owner = Owner()
    return owner.inner, owner.inner, owner.outer, owner.outer, owner.count, type(inspect.getattr_static(Owner, "outer")).__name__


@case
def lru_cache_in_both_orders(d: Decorate) -> Any:
    @functools.lru_cache(maxsize=2)
    @d
    def inner(a: int) -> int:
        return a

    @d
    @functools.lru_cache(maxsize=2)
    def outer(a: int) -> int:
        return a

    calls = [inner(1), inner(1), outer(1), outer(1)]
    info = [tuple(one.cache_info()) for one in (inner, outer)]
    outer.cache_clear()
    return calls, info, tuple(outer.cache_info()), outer.cache_parameters()


@case
def partials(d: Decorate) -> Any:
    inner, outer = functools.partial(d(whole), 1, c=True), d(functools.partial(whole, 1, c=True))
    return inner(), outer(), outer("x"), outer.func is whole, outer.args, outer.keywords, str(inspect.signature(outer)), str(inspect.signature(inner))


@case
def partial_methods_in_both_orders(d: Decorate) -> Any:
    class Owner:
        @d
        def run(self, a: int, b: int) -> tuple[int, int]:
            return a, b

        inner = functools.partialmethod(run, 1)
        outer = d(functools.partialmethod(run, 2))

    return Owner().inner(5), Owner().outer(6)


@case
def callable_objects(d: Decorate) -> Any:
    class Adder:
        """Adds."""

        def __init__(self, to: int) -> None:
            self.to = to

        def __call__(self, a: int) -> int:
            return self.to + a

    class Later:
        async def __call__(self, a: int) -> int:
            return a

    adder, later = d(Adder(1)), d(Later())
    return (
        adder(2),
        adder.to,
        adder.__doc__,
        str(inspect.signature(adder)),
        run(later(3)),
        inspect.iscoroutinefunction(type(later).__call__) or inspect.iscoroutinefunction(later),
    )


@case
def builtins_and_lambdas(d: Decorate) -> Any:
    return d(len)([1]), d(lambda a: a)(2), d(sorted)([2, 1], reverse=True), d("{}".format)(3), d([1].append)(2), d(functools.reduce)(max, [1, 2])


@case
def bound_methods(d: Decorate) -> Any:
    bound = d(Point(4).run)
    return bound(), bound.__name__, bound.__self__.x, str(inspect.signature(bound))


@case
def dataclasses_in_both_orders(d: Decorate) -> Any:
    @d
    @dataclasses.dataclass(order=True)
    class Inner:
        a: int
        b: list[int] = dataclasses.field(default_factory=list)

        def run(self) -> int:
            return self.a

    @dataclasses.dataclass(frozen=True, slots=True)
    @d
    class Outer:
        a: int

        def run(self) -> int:
            return self.a

    one = Inner(1)
    fields = [field.name for field in dataclasses.fields(Inner)]
    return (
        one == Inner(1),
        one < Inner(2),
        repr(one)[-13:],
        fields,
        one.run(),
        Outer(2).run(),
        dataclasses.replace(one, a=3).run(),
        hash(Outer(1)) == hash(Outer(1)),
    )


@case
def abstract_methods(d: Decorate) -> Any:
    class Base(abc.ABC):
        @d
        @abc.abstractmethod
        def run(self) -> int: ...

        @property
        @d
        @abc.abstractmethod
        def outer(self) -> int: ...

        @d
        @property
        @abc.abstractmethod
        def inner(self) -> int: ...

        @classmethod
        @d
        @abc.abstractmethod
        def made(cls) -> int: ...

    class Heir(Base):
        run = made = lambda self: 1  # type: ignore[assignment]
        outer = inner = 2  # type: ignore[assignment]

    return sorted(Base.__abstractmethods__), type(tried(Base)).__name__, Heir().run(), inspect.isabstract(Base)


@case
def overloads(d: Decorate) -> Any:
    @typing.overload
    def double(a: int) -> int: ...
    @typing.overload
    def double(a: str) -> str: ...
    @d
    def double(a: Any) -> Any:
        return a * 2

    return double(1), double("a"), len(typing.get_overloads(double))


@case
def super_and_inheritance(d: Decorate) -> Any:
    class Base:
        def run(self) -> list[str]:
            return ["base"]

    @d
    class Heir(Base):
        def run(self) -> list[str]:
            return [*super().run(), "heir"]

    class Grandchild(Heir):
        @d
        def run(self) -> list[str]:
            return [*super().run(), "grandchild"]

    return Grandchild().run(), [kind.__name__ for kind in Grandchild.__mro__], issubclass(Grandchild, Heir), Heir.__bases__ == (Base,)


@case
def single_dispatch_in_both_orders(d: Decorate) -> Any:
    @functools.singledispatch
    @d
    def inner(a: Any) -> str:
        return "any"

    @inner.register
    @d
    def of_int(a: int) -> str:
        return "int"

    @d
    @functools.singledispatch
    def outer(a: Any) -> str:
        return "any"

    @outer.register
    def _(a: str) -> str:
        return "str"

    return inner(1), inner("x"), outer(1), outer("x"), outer.dispatch(str)("x"), len(outer.registry)


@case
def single_dispatch_methods(d: Decorate) -> Any:
    class Owner:
        @functools.singledispatchmethod
        @d
        def inner(self, a: Any) -> str:
            return "any"

        @inner.register
        @d
        def _(self, a: int) -> str:
            return "int"

    return Owner().inner(1), Owner().inner("x")


@case
def context_managers_in_both_orders(d: Decorate) -> Any:
    def manager(log: list[str]) -> collections.abc.Iterator[int]:
        log.append("in")
        try:
            yield 1
        except KeyError:
            log.append("caught")
        finally:
            log.append("out")

    def use(make: Any) -> Any:
        log: list[str] = []
        with make(log) as value:
            raise KeyError
        return value, log  # type: ignore[unreachable]  # the manager swallows it

    def raising(make: Any) -> Any:
        log: list[str] = []
        error = ValueError("mine")
        try:
            with make(log):
                raise error
        except ValueError as came:
            return came is error, log

    inner, outer = contextlib.contextmanager(d(manager)), d(contextlib.contextmanager(manager))
    return use(inner), use(outer), raising(inner), raising(outer), type(outer([])).__name__, str(inspect.signature(outer))


@case
def a_stop_within_a_context_manager(d: Decorate) -> Any:
    @contextlib.contextmanager
    @d
    def manager() -> collections.abc.Iterator[None]:
        yield

    def use() -> Any:
        with manager():
            raise StopIteration("mine")

    return tried(use)


@case
def async_context_managers_in_both_orders(d: Decorate) -> Any:
    async def manager(log: list[str]) -> collections.abc.AsyncIterator[int]:
        log.append("in")
        try:
            yield 1
        except KeyError:
            log.append("caught")
        finally:
            log.append("out")

    async def use(make: Any) -> Any:
        log: list[str] = []
        async with make(log) as value:
            raise KeyError
        return value, log  # type: ignore[unreachable]  # the manager swallows it

    return run(use(contextlib.asynccontextmanager(d(manager)))), run(use(d(contextlib.asynccontextmanager(manager))))


@case
def recursion(d: Decorate) -> Any:
    @d
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)  # type: ignore[no-any-return]  # decorated by anything

    return factorial(50)


@case
def defaults_and_mutable_arguments(d: Decorate) -> Any:
    @d
    def add(item: int, to: list[int] = []) -> list[int]:  # noqa: B006 - the point
        to.append(item)
        return to

    mine: list[int] = []
    return add(1), add(2), add(3, mine) is mine, mine


@case
def arguments_named_like_ours(d: Decorate) -> Any:
    @d
    def odd(args: int, kwargs: int, function: int, plan: int, operation: int, call: int, cls: int = 0) -> Any:
        return args, kwargs, function, plan, operation, call, cls

    return odd(1, 2, 3, plan=4, operation=5, call=6), odd(args=1, kwargs=2, function=3, plan=4, operation=5, call=6, cls=7)


@case
def closures_and_nonlocal(d: Decorate) -> Any:
    count = 0

    @d
    def more() -> int:
        nonlocal count
        count += 1
        return count

    return more(), more(), count, inspect.unwrap(more).__closure__ is not None


@case
def protocols_and_generics(d: Decorate) -> Any:
    @typing.runtime_checkable
    class Runs(Protocol):
        def run(self) -> int: ...

    @d
    class Box(Generic[T]):
        def run(self) -> int:
            return 1

    return isinstance(Box(), Runs), Box[int]().run(), Box.__parameters__ == (T,)  # type: ignore[attr-defined]  # of generics


@case
def slots_enums_and_named_tuples(d: Decorate) -> Any:
    @d
    class Slotted:
        __slots__ = ("a",)

        def run(self) -> int:
            return 1

    @d
    class Colour(enum.Enum):
        RED = 1

        def run(self) -> str:
            return self.name

    @d
    class Pair(NamedTuple):
        a: int

        def run(self) -> int:
            return self.a

    return hasattr(Slotted(), "__dict__"), Slotted().run(), Colour.RED.run(), Colour(1) is Colour.RED, Pair(2).run(), Pair(2) == (2,)


@case
def class_attributes_stay(d: Decorate) -> Any:
    @d
    class Owner:
        kind = Point
        limit = 3

        def first(self) -> int:
            return 1

        def _hidden(self) -> int:
            return 2

    return Owner.kind is Point, Owner.limit, Owner().first(), type(vars(Owner)["_hidden"]) is FunctionType, list(Owner.__annotations__)


@case
def metaclass_hooks(d: Decorate) -> Any:
    seen: list[str] = []

    class Base:
        def __init_subclass__(cls, **kwargs: Any) -> None:
            seen.append(cls.__name__)

    @d
    class Heir(Base):
        def __set_name__(self, owner: Any, name: str) -> None:
            seen.append(name)

        def run(self) -> int:
            return 1

    class Owner:
        held = Heir()

    return seen, Owner.held.run()


@case
def old_style_coroutines(d: Decorate) -> Any:
    import types

    @d
    @types.coroutine
    def old() -> Any:
        yield from asyncio.sleep(0).__await__()
        return 7

    async def use() -> Any:
        return await old()

    return tried(lambda: run(use())), inspect.isawaitable(made := old()), made.close()


@case
def threads_and_executors(d: Decorate) -> Any:
    from concurrent.futures import ThreadPoolExecutor

    out: list[int] = []
    one = threading.Thread(target=d(out.append), args=(1,))
    one.start()
    one.join()
    with ThreadPoolExecutor(1) as pool:
        return out, list(pool.map(d(abs), [-1, 2])), pool.submit(d(divmod), 7, 2).result()


@case
def calls_by_other_libraries(d: Decorate) -> Any:
    import operator

    class Owner:
        @d
        def __len__(self) -> int:
            return 3

        @d
        def __iter__(self) -> Any:
            return iter([1])

        @d
        def __eq__(self, other: object) -> bool:
            return True

        @d
        def __enter__(self) -> int:
            return 4

        @d
        def __exit__(self, *given: Any) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    with Owner() as value:
        raise KeyError
    return len(Owner()), list(Owner()), operator.eq(Owner(), 5), value  # type: ignore[unreachable]  # it swallows


@case
def descriptors_of_the_program(d: Decorate) -> Any:
    class Registry:
        def __init__(self, function: Any) -> None:
            self.function = function

        def __get__(self, instance: Any, owner: Any) -> Any:
            return functools.partial(self.function, instance)

    class Owner:
        @Registry
        @d
        def run(self) -> str:
            return type(self).__name__

    return Owner().run()


@case
def stack_depth(d: Decorate) -> Any:
    @d
    def depth() -> int:
        return len(inspect.stack(0))

    return depth() - len(inspect.stack(0)) <= 2


def undecorated(function: Any) -> Any:
    return function


@pytest.mark.parametrize("state", ["off", "on"])
def test_everything_is_as_undecorated(state: str, figure: Any) -> None:
    alone = {name: tried(lambda ask=ask: ask(undecorated)) for name, ask in CASES.items()}  # type: ignore[misc]  # bound at once
    broken: dict[str, str] = {}
    with capture() if state == "on" else contextlib.nullcontext():
        for name, ask in CASES.items():
            for verb in VERBS:
                here = tried(lambda ask=ask, verb=verb: ask(getattr(oa, verb)))  # type: ignore[misc]  # bound at once
                if str(here) != str(alone[name]):
                    broken[name] = f"{verb}: {alone[name]!s:.400} became {here!s:.400}"
    assert broken == {}
    assert len(CASES) >= 64
    figure(
        "R14", f"decorator semantics, observation {state}", f"{len(CASES) - len(broken)} of {len(CASES)}, each under {len(VERBS)} decorators", "51 to 56 of 64"
    )
