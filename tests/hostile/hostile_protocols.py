"""Bodies of every colour that tell what happens to them, and every way in which a caller can deal with what they give."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import otel_agents as oa

Log = list[Any]


@oa.step
def child() -> None:
    """Something that the bodies do, whose parent tells where they are."""


def generator(*given: Any) -> Iterator[Any]:
    log: Log = given[-1]
    log.append("begins")
    child()
    try:
        with oa.step("inside"):
            child()
            log.append(("got", (yield 1)))
            child()
            log.append(("got", (yield 2)))
    except KeyError as error:
        log.append(("caught", error.args))
        log.append(("got", (yield "caught")))
    finally:
        log.append("ends")
    return "the end"


def stubborn(*given: Any) -> Iterator[Any]:
    """Goes on when it is told to go."""
    given[-1].append("begins")
    try:
        yield 1
    except GeneratorExit:
        yield 2


def delegating(*given: Any) -> Iterator[Any]:
    given[-1].append((yield from generator(*given)))
    return "delegated"


async def async_generator(*given: Any) -> AsyncIterator[Any]:
    log: Log = given[-1]
    log.append("begins")
    child()
    try:
        with oa.step("inside"):
            child()
            log.append(("got", (yield 1)))
            await asyncio.sleep(0)
            child()
            log.append(("got", (yield 2)))
    except KeyError as error:
        log.append(("caught", error.args))
        log.append(("got", (yield "caught")))
    finally:
        await asyncio.sleep(0)
        log.append("ends")


async def async_stubborn(*given: Any) -> AsyncIterator[Any]:
    given[-1].append("begins")
    try:
        yield 1
    except GeneratorExit:
        yield 2


async def coroutine(*given: Any) -> Any:
    log: Log = given[-1]
    log.append("begins")
    child()
    try:
        with oa.step("inside"):
            child()
            await asyncio.sleep(0)
            child()
    except KeyError as error:
        log.append(("caught", error.args))
        await asyncio.sleep(0)
    finally:
        log.append("ends")
    return "the end"


def in_thread(work: Callable[[], Any]) -> Any:
    out: list[Any] = []

    def run() -> None:
        out.append(attempted(work))

    one = threading.Thread(target=run)
    one.start()
    one.join()
    return out[0]


def attempted(work: Callable[[], Any]) -> Any:
    """The result, or the exception as what it says."""
    try:
        return work()
    except BaseException as error:
        return (type(error).__name__, str(error), getattr(error, "value", None))


async def awaited(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except BaseException as error:
        return (type(error).__name__, str(error), getattr(error, "value", None))


def each(made: Any, *steps: Callable[[Any], Any]) -> list[Any]:
    return [attempted(lambda step=step: step(made)) for step in steps]  # type: ignore[misc]  # bound at once


def with_break(made: Any) -> Any:
    for value in made:
        return value
    return None


def dropped(made: Any) -> list[Any]:
    came = each(made, next)
    del made
    gc.collect()
    return came


def delegated(made: Any) -> list[Any]:
    def outer() -> Iterator[Any]:
        return (yield from made)

    one = outer()
    return each(one, next, lambda it: it.send("x"), next, lambda it: it.throw(KeyError("k")), next)


def interleaved(made: Any, other: Any) -> list[Any]:
    return [attempted(lambda one=one: next(one)) for one in (made, other, made, other, made, other)]  # type: ignore[misc]  # bound at once


def again_from_within(made: Any) -> list[Any]:
    return each(made, next, lambda it: it.throw(Meddling(it)), next)


class Meddling(KeyError):
    """When it is looked at, it goes on with the generator that looks."""

    def __init__(self, made: Any) -> None:
        super().__init__("k")
        self.made = made


Step = Callable[[Any], Any]
GENERATOR_STEPS: dict[str, Step] = {
    "exhausted": list,
    "return value": lambda made: each(made, next, next, next, next),
    "early close": lambda made: each(made, next, lambda it: it.close(), next),
    "closed twice": lambda made: each(made, next, lambda it: it.close(), lambda it: it.close()),
    "break": with_break,
    "dropped": dropped,
    "never started": lambda made: None,
    "closed before the start": lambda made: each(made, lambda it: it.close(), next),
    "thrown at before the start": lambda made: each(made, lambda it: it.throw(KeyError("k")), next),
    "send": lambda made: each(made, next, lambda it: it.send("a"), lambda it: it.send("b")),
    "send None first": lambda made: each(made, lambda it: it.send(None), lambda it: it.send("b")),
    "send too early": lambda made: each(made, lambda it: it.send("a"), next),
    "throw, caught": lambda made: each(made, next, lambda it: it.throw(KeyError("k")), lambda it: it.send("c"), next),
    "throw, not caught": lambda made: each(made, next, lambda it: it.throw(ValueError("v")), next),
    "throw a class": lambda made: each(made, next, lambda it: it.throw(ValueError), next),
    "throw the exit": lambda made: each(made, next, lambda it: it.throw(GeneratorExit()), next),
    "throw a stop": lambda made: each(made, next, lambda it: it.throw(StopIteration(5)), next),
    "throw an interrupt": lambda made: each(made, next, lambda it: it.throw(KeyboardInterrupt()), next),
    "throw no exception": lambda made: each(made, next, lambda it: it.throw(5), next),
    "throw after the end": lambda made: each(made, list, lambda it: it.throw(ValueError("v")), next),
    "yield from": delegated,
    "closed in another thread": lambda made: each(made, next, lambda it: in_thread(it.close), next),
    "run in another thread": lambda made: each(made, lambda it: in_thread(lambda: next(it)), lambda it: in_thread(lambda: next(it)), next),
    "run in another context": lambda made: each(made, next, lambda it: contextvars.Context().run(next, it), next),
    "closed in another context": lambda made: each(made, next, lambda it: contextvars.copy_context().run(it.close)),
    "a step within a step": again_from_within,
    "is its own iterator": lambda made: each(made, lambda it: iter(it) is it, next),
}


async def a_each(made: Any, *steps: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    return [await awaited(step(made)) for step in steps]


async def a_break(made: Any) -> Any:
    async for value in made:
        return value
    return None


async def a_drop(made: Any) -> Any:
    came = await awaited(anext(made))
    del made
    gc.collect()
    await asyncio.sleep(0.001)
    return came


async def at_once(made: Any) -> list[Any]:
    """Two steps side by side, which an asynchronous generator refuses."""
    await anext(made)
    return [str(one) for one in await asyncio.gather(anext(made), anext(made), return_exceptions=True)]


async def in_task(work: Any) -> Any:
    async def run() -> Any:
        return await work

    return await awaited(asyncio.create_task(run()))


async def cancelled_within(made: Any) -> list[Any]:
    await anext(made)
    task = asyncio.ensure_future(made.asend(None)) if asyncio.isfuture(made) else asyncio.create_task(stepped(made))
    await asyncio.sleep(0)
    task.cancel()
    return [await awaited(task), await awaited(anext(made))]


async def stepped(made: Any) -> Any:
    return await anext(made)


ASYNC_GENERATOR_STEPS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "exhausted": lambda made: a_each(made, *[anext] * 4),
    "early close": lambda made: a_each(made, anext, lambda it: it.aclose(), anext),
    "closed twice": lambda made: a_each(made, anext, lambda it: it.aclose(), lambda it: it.aclose()),
    "break": a_break,
    "dropped": a_drop,
    "never started": lambda made: a_each(made),
    "closed before the start": lambda made: a_each(made, lambda it: it.aclose(), anext),
    "thrown at before the start": lambda made: a_each(made, lambda it: it.athrow(KeyError("k")), anext),
    "asend": lambda made: a_each(made, anext, lambda it: it.asend("a"), lambda it: it.asend("b")),
    "asend too early": lambda made: a_each(made, lambda it: it.asend("a"), anext),
    "athrow, caught": lambda made: a_each(made, anext, lambda it: it.athrow(KeyError("k")), lambda it: it.asend("c"), anext),
    "athrow, not caught": lambda made: a_each(made, anext, lambda it: it.athrow(ValueError("v")), anext),
    "athrow the exit": lambda made: a_each(made, anext, lambda it: it.athrow(GeneratorExit()), anext),
    "athrow a stop": lambda made: a_each(made, anext, lambda it: it.athrow(StopAsyncIteration()), anext),
    "athrow after the end": lambda made: a_each(made, anext, lambda it: it.aclose(), lambda it: it.athrow(ValueError("v"))),
    "closed in another task": lambda made: a_each(made, anext, lambda it: in_task(it.aclose()), anext),
    "run in another task": lambda made: a_each(made, anext, lambda it: in_task(anext(it)), anext, anext),
    "two steps at once": at_once,
    "cancelled within a step": cancelled_within,
}


async def c_closed(made: Any) -> list[Any]:
    return each(made, lambda it: it.close(), lambda it: it.send(None))


async def c_cancelled(made: Any) -> Any:
    task = asyncio.ensure_future(made)
    await asyncio.sleep(0)
    task.cancel()
    return await awaited(task)


async def c_timed_out(made: Any) -> Any:
    return await awaited(asyncio.wait_for(made, 0))


COROUTINE_STEPS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "awaited": awaited,
    "in a task": in_task,
    "gathered": lambda made: asyncio.gather(made, asyncio.sleep(0)),
    "shielded": lambda made: awaited(asyncio.shield(made)),
    "awaited twice": lambda made: a_each(made, lambda it: it, lambda it: it),
    "closed before the start": c_closed,
    "cancelled": c_cancelled,
    "timed out": c_timed_out,
}
# Begun in one context and ended in another is left out: a coroutine has its context from its task, and attaches once.
MANUAL_STEPS: dict[str, Step] = {
    "by hand": lambda made: each(made, lambda it: it.send(None), lambda it: it.send(None)),
    "early close": lambda made: each(made, lambda it: it.send(None), lambda it: it.close(), lambda it: it.send(None)),
    "throw, caught": lambda made: each(made, lambda it: it.send(None), lambda it: it.throw(KeyError("k")), lambda it: it.send(None)),
    "throw, not caught": lambda made: each(made, lambda it: it.send(None), lambda it: it.throw(ValueError("v"))),
    "thrown at before the start": lambda made: each(made, lambda it: it.throw(ValueError("v")), lambda it: it.send(None)),
    "asked for its iterator": lambda made: each(made.__await__(), next, next),
    "dropped": lambda made: each(made, lambda it: it.send(None)),
    "never awaited": lambda made: None,
}
