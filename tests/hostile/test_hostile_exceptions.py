"""R10: the program's exception is the very same object with at most one frame more; nothing of it is changed or held; its span has the right outcome."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hostile_places import finished, stepped_through
from hostile_values import Meta, made, raising

import otel_agents as oa
from otel_agents.testing import capture


class RaisingText(Exception):
    __str__ = __repr__ = __eq__ = __hash__ = __bool__ = __len__ = raising("exception")


class RaisingBase(BaseException):
    __str__ = __repr__ = raising("exception")


class Lying(Exception):
    __class__ = property(raising("__class__"))  # type: ignore[assignment]
    args = property(raising("args"))  # type: ignore[assignment]
    __cause__ = property(raising("__cause__"))  # type: ignore[assignment]
    __notes__ = property(raising("__notes__"))


class Slotted(Exception):
    __slots__ = ("a",)


@dataclass(frozen=True)
class Frozen(Exception):
    a: int = 1


class Exit(SystemExit):
    code = property(raising("code"))  # type: ignore[assignment]


class Cancelled(asyncio.CancelledError):
    """A library's own, as anyio and trio have."""


def chained() -> BaseException:
    error = ValueError("last")
    error.__cause__, error.__context__ = RaisingText("first"), KeyError("met")
    error.add_note("noted")
    return error


def round_about() -> BaseException:
    error, other = ValueError("one"), ValueError("two")
    error.__context__, other.__context__ = other, error
    return error


def nested(depth: int) -> BaseException:
    error: Exception = ValueError("bottom")
    for _ in range(depth):
        error = ExceptionGroup("level", [error])
    return error


ERRORS: dict[str, tuple[Callable[[], BaseException], str]] = {
    "plain": (lambda: ValueError("it failed"), "error"),
    "raising text": (RaisingText, "error"),
    "raising text of a base exception": (RaisingBase, "error"),
    "lying": (Lying, "error"),
    "slots": (Slotted, "error"),
    "metaclass": (lambda: type.__call__(Meta("MadeError", (ValueError,), {}), "x"), "error"),
    "payload": (lambda: ValueError(made({"__str__": raising("__str__"), "__repr__": raising("__repr__")})), "error"),
    "chained, with notes": (chained, "error"),
    "chain that goes round": (round_about, "error"),
    "memory": (MemoryError, "error"),
    "recursion": (RecursionError, "error"),
    "not implemented": (NotImplementedError, "error"),
    "surrogate": (lambda: ValueError("\ud800"), "error"),
    "huge": (lambda: ValueError("x" * 10_000_000), "error"),
    "group": (lambda: ExceptionGroup("several", [ValueError("a"), RaisingText("b")]), "error"),
    "base group": (lambda: BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError("a")]), "error"),
    "deep group": (lambda: nested(5_000), "error"),
    "wide group": (lambda: ExceptionGroup("several", [ValueError("a")] * 10_000), "error"),
    "group of cancellations": (lambda: BaseExceptionGroup("several", [asyncio.CancelledError(), Cancelled()]), "cancelled"),
    "group of interrupts": (lambda: BaseExceptionGroup("several", [KeyboardInterrupt()]), "interrupted"),
    "cancellation": (asyncio.CancelledError, "cancelled"),
    "cancellation of a library": (Cancelled, "cancelled"),
    "cancelled future": (concurrent.futures.CancelledError, "cancelled"),
    "generator's exit": (GeneratorExit, "cancelled"),
    "interrupt": (KeyboardInterrupt, "interrupted"),
    "exit": (SystemExit, "ok"),
    "exit 0": (lambda: SystemExit(0), "ok"),
    "exit False": (lambda: SystemExit(False), "ok"),
    "exit 3": (lambda: SystemExit(3), "error"),
    "exit with a text": (lambda: SystemExit("gone"), "error"),
    "exit with an object": (lambda: SystemExit(made({"__eq__": raising("__eq__"), "__bool__": raising("__bool__")})), "error"),
    "exit of its own": (Exit, "ok"),
    "stop": (lambda: StopIteration(7), "error"),
    "asynchronous stop": (StopAsyncIteration, "error"),
}


class Held:
    """Something in the failing frame: its end tells when the frame has gone."""


def fail(error: BaseException, held: Any) -> Any:
    raise error


async def fail_later(error: BaseException, held: Any) -> Any:
    await asyncio.sleep(0)
    raise error


def fail_within(error: BaseException, held: Any) -> Iterator[int]:
    yield 1
    raise error


async def fail_within_later(error: BaseException, held: Any) -> AsyncIterator[int]:
    yield 1
    raise error


async def fail_beside(error: BaseException, held: Any) -> Any:
    with oa.step("block"):
        async with oa.step("later block"):
            raise error


def fail_deeply(error: BaseException, held: Any) -> Any:
    """A plain function that gives away what fails."""
    return fail_later(error, held)


def fail_in_turn(error: BaseException, held: Any) -> Any:
    return fail_within(error, held)


BODIES: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "plain": (fail, lambda made: made),
    "coroutine": (fail_later, finished),
    "generator": (fail_within, list),
    "async generator": (fail_within_later, stepped_through),
    "coroutine of a plain function": (fail_deeply, finished),
    "generator of a plain function": (fail_in_turn, list),
}


def caught(body: Callable[..., Any], drive: Callable[[Any], Any], error: BaseException) -> tuple[BaseException, int]:
    """What came out, and how many frames it passed."""
    try:
        drive(body(error, None))
    except BaseException as came:
        trace, depth = BaseException.__dict__["__traceback__"].__get__(came), 0
        while trace is not None:
            trace, depth = trace.tb_next, depth + 1
        return came, depth
    raise AssertionError("nothing was raised")


def state(error: BaseException) -> list[Any]:
    """All that an exception carries, by identity."""
    slots = ("args", "__cause__", "__context__", "__suppress_context__")
    carried = [BaseException.__dict__[name].__get__(error) for name in slots]
    return [*carried[1:], *carried[0], *getattr(error, "__dict__", {}).get("__notes__", [])]


@pytest.mark.parametrize("colour", BODIES)
def test_the_same_exception_comes_out(colour: str, figure: Any) -> None:
    body, drive = BODIES[colour]
    asked = [(name, verb) for name in ERRORS for verb in ("agent", "tool", "llm")]
    passed = 0
    with capture() as telemetry:
        for name, verb in asked:
            make, _ = ERRORS[name]
            error, twin = make(), make()
            before = state(error)
            alone, shallow = caught(body, drive, twin)
            came, deep = caught(getattr(oa, verb)(body), drive, error)
            assert (came is error) == (alone is twin), name  # a StopIteration in a coroutine is Python's to replace
            assert type(came) is type(alone), name
            assert deep <= shallow + 1, name
            assert all(one is other for one, other in zip(before, state(error), strict=True)), name
            passed += 1
    spans = telemetry.spans
    assert len(spans) == len(asked)
    outcomes = [span["attributes"].get("otel_agents.outcome", "ok") for span in spans]
    python_replaces = {"stop", "asynchronous stop"}
    assert outcomes == [ERRORS[name][1] if colour == "plain" or name not in python_replaces else "error" for name, _ in asked]
    assert all(
        (span["status"] == "error") == (outcome == "error") == ("error.type" in span["attributes"]) for span, outcome in zip(spans, outcomes, strict=True)
    )
    figure(
        "R10",
        f"{len(ERRORS)} exceptions through a {colour}",
        f"{passed} of {len(asked)} the very same, as an undecorated one, outcome right",
        "replaced, or span never ended",
    )


def fail_anew(make: Callable[[], BaseException], held: Any) -> Any:
    raise make()


async def fail_anew_later(make: Callable[[], BaseException], held: Any) -> Any:
    await asyncio.sleep(0)
    raise make()


def fail_anew_within(make: Callable[[], BaseException], held: Any) -> Iterator[int]:
    yield 1
    raise make()


async def fail_anew_within_later(make: Callable[[], BaseException], held: Any) -> AsyncIterator[int]:
    yield 1
    raise make()


def fail_anew_when_told(make: Callable[[], BaseException], held: Any) -> Iterator[int]:
    try:
        yield 1
    except KeyError:
        yield 2
    raise make()


def told(made: Any) -> None:
    next(made)
    made.throw(KeyError())
    next(made)


FORGETFUL: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "plain": (fail_anew, lambda made: made),
    "coroutine": (fail_anew_later, finished),
    "generator": (fail_anew_within, list),
    "generator that is thrown at": (fail_anew_when_told, told),
    "generator that is thrown out": (fail_anew_within, lambda made: (next(made), made.throw(ValueError()))),
    "async generator": (fail_anew_within_later, stepped_through),
}


def is_forgotten(function: Callable[..., Any], drive: Callable[[Any], Any], make: Callable[[], BaseException]) -> bool:
    """Whether something that lived in the failing frame is gone as soon as the exception is."""
    held = Held()
    seen = weakref.ref(held)
    try:
        drive(function(make, held))
    except BaseException:
        del held
    return seen() is None


@pytest.mark.parametrize("name", ["plain", "cancellation", "group"])
@pytest.mark.parametrize("colour", FORGETFUL)
def test_nothing_of_a_failed_call_is_held(colour: str, name: str) -> None:
    """An exception that is done with takes its frames along at once, not when the collector comes."""
    body, drive = FORGETFUL[colour]
    make = ERRORS[name][0]
    gc.collect()
    gc.disable()
    try:
        with capture(content="full"):
            functions = (body, oa.tool(body), oa.llm(body), oa.session("talk")(body))
            assert [is_forgotten(function, drive, make) for function in functions] == [True] * 4
    finally:
        gc.enable()


@pytest.mark.parametrize("name", [name for name in ERRORS if name != "metaclass"])  # Python itself asks that one, in any `with`
async def test_blocks_let_the_same_exception_through(name: str) -> None:
    make, outcome = ERRORS[name]
    error, out = make(), []
    with capture() as telemetry:
        try:
            with oa.agent("block"):
                async with oa.tool("later block"):
                    raise error
        except BaseException as came:
            out.append(came)
    assert out[0] is error
    assert [span["attributes"].get("otel_agents.outcome", "ok") for span in telemetry.spans] == [outcome] * 2


def test_a_stack_is_told_whole_and_bounded() -> None:
    """With its chain, notes and members, as Python prints it; of a recursion its end."""

    @oa.llm(model="m")
    def ask(depth: int = 900) -> None:
        if depth:
            return down(depth)
        return None

    def down(depth: int) -> None:
        if depth > 1:
            return down(depth - 1)
        try:
            raise KeyError("first")
        except KeyError as first:
            error = ExceptionGroup("several", [ValueError("a member")])
            error.add_note("a note")
            raise error from first

    with capture() as telemetry:
        with pytest.raises(ExceptionGroup):
            ask(500)
        with pytest.raises(ValueError, match="never"), oa.llm("x"):
            raise ValueError("never raised before")
    told = [event["attributes"]["exception.stacktrace"] for event in telemetry.events if event["event_name"] == "gen_ai.client.operation.exception"]
    ends = told[0].splitlines()
    for words in (
        "KeyError: 'first'",
        "The above exception was the direct cause of the following exception:",
        "ExceptionGroup: several (1 sub-exception)",
        "a note",
    ):
        assert words in ends
    assert "  + ValueError: a member" in ends
    assert len(ends) < 64 * 4
    assert told[1].startswith("Traceback (most recent call last):\n")
