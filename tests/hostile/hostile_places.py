"""Where a program can put a value so that telemetry meets it, and in which colour of function; each deed is the same program with and without us."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from types import MappingProxyType, MethodType
from typing import Any

from opentelemetry import trace

import otel_agents as oa

QUIET = logging.Logger("quiet", logging.DEBUG)  # nobody formats its records but we
QUIET.addHandler(logging.NullHandler())


class PayloadError(Exception):
    """One whose text is the program's own."""

    def __str__(self) -> str:
        raise RuntimeError("the text of an exception was asked for")

    __repr__ = __str__


def nothing(value: Any) -> Any:
    return value


def attribute(value: Any) -> Any:
    running = oa.current()
    running.attributes({"hostile": value, "beside": 1})
    running.attributes(hostile_too=value)
    if type(value) is not MappingProxyType:  # given as the mapping itself it is asked, by its own methods
        running.attributes(value)
    running.result(value)
    running.model(value, value)
    running.response(id=value, model=value, finish_reasons=value)
    running.usage(input_tokens=value, cost=value)
    return value


def span_attribute(value: Any) -> Any:
    span = trace.get_current_span()
    span.set_attribute("hostile", value)
    span.set_attributes({"hostile_too": value, "beside": [value]})
    span.add_event("event", {"hostile": value})
    span.set_attribute("beside", 1)
    return value


def payload(value: Any) -> Any:
    raise ValueError(value)


def payload_of_own(value: Any) -> Any:
    raise PayloadError(value)


def payload_of_group(value: Any) -> Any:
    raise BaseExceptionGroup("several", [KeyError(value), PayloadError(value)])


def payload_of_system(value: Any) -> Any:
    raise OSError(2, value, value)


def payload_recorded(value: Any) -> Any:
    trace.get_current_span().record_exception(PayloadError(value))
    return value


def log_argument(value: Any) -> Any:
    QUIET.info("it is %s, %r and %d", value, value, value)
    QUIET.info("it is %(what)s", {"what": value})
    QUIET.info(value)
    return value


def log_extra(value: Any) -> Any:
    QUIET.info("said", extra={"hostile": value, "beside": 1})
    QUIET.info("said", extra={5: value, ("a", 1): value, "": value})  # type: ignore[dict-item]
    QUIET.error("said", exc_info=ValueError(value))
    QUIET.error("said", exc_info=PayloadError(value))
    return value


DEEDS: dict[str, Callable[[Any], Any]] = {
    "argument, result": nothing,
    "attribute": attribute,
    "span attribute": span_attribute,
    "exception's payload": payload,
    "payload of a foreign exception": payload_of_own,
    "payload in a group": payload_of_group,
    "payload of an OSError": payload_of_system,
    "recorded exception": payload_recorded,
    "log argument": log_argument,
    "log extra": log_extra,
    "self": nothing,
}
RECORDS = {"log argument": 3, "log extra": 4}


def plain(self: Any, value: Any, *, deed: Any) -> Any:
    return deed(value)


async def coroutine(self: Any, value: Any, *, deed: Any) -> Any:
    await asyncio.sleep(0)
    return deed(value)


def generator(self: Any, value: Any, *, deed: Any) -> Iterator[Any]:
    yield value
    return deed(value)


async def async_generator(self: Any, value: Any, *, deed: Any) -> AsyncIterator[Any]:
    yield value
    yield deed(value)


COLOURS: dict[str, Callable[..., Any]] = {"plain": plain, "coroutine": coroutine, "generator": generator, "async generator": async_generator}


def drive(made: Any) -> Any:
    """Run what a function of any colour gave to its end without a loop, and give all that came out of it."""
    if hasattr(type(made), "__anext__") and hasattr(type(made), "asend"):
        return stepped_through(made)
    if type(made).__name__ == "coroutine":
        return finished(made)
    return made


def finished(made: Any) -> Any:
    while True:
        try:
            made.send(None)
        except StopIteration as stop:
            return stop.value


def stepped_through(made: Any) -> list[Any]:
    out = []
    while True:
        try:
            out.append(finished(made.__anext__()))
        except StopAsyncIteration:
            return out


def generated(made: Any) -> Any:
    out = []
    while True:
        try:
            out.append(next(made))
        except StopIteration as stop:
            return [*out, stop.value]


def call(function: Callable[..., Any], colour: str, place: str, value: Any) -> Any:
    """Everything that came out: the results, or the exception with its arguments."""
    deed = DEEDS[place]
    bound = MethodType(function, value if place == "self" else object())
    try:
        made = bound(value if place != "self" else None, deed=deed if place != "self" else lambda ignored: value)
        return generated(made) if colour == "generator" else drive(made)
    except BaseException as error:
        return error
