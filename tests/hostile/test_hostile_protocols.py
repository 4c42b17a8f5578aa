"""R12: whatever a caller does with what a function gives, it is as with the undecorated one; the context is as it was on every path; the span ends."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import hostile_protocols as protocols
import pytest
from opentelemetry.context import get_current

import otel_agents as oa
from otel_agents.testing import Telemetry, capture

VERBS = ("agent", "workflow", "step", "tool", "llm", "embedding", "retriever", "memory", "plan", "evaluator", "guardrail")
DECORATORS: dict[str, Callable[[Any], Any]] = {
    **{verb: getattr(oa, verb) for verb in VERBS},
    "step with a name": oa.step("named"),
    "session": oa.session("talk"),
}


def called(body: Any) -> Any:
    """An object whose call has the colour of the body."""
    return type("Callable", (), {"__call__": body})()


KINDS: dict[str, Callable[[Any, Callable[[Any], Any]], Any]] = {
    "function": lambda body, decorate: decorate(body),
    "method": lambda body, decorate: type("Owner", (), {"run": decorate(body)})().run,
    "static method, inside": lambda body, decorate: type("Owner", (), {"run": staticmethod(decorate(body))})().run,
    "partial": lambda body, decorate: decorate(functools.partial(body, 1)),
    "callable object": lambda body, decorate: decorate(called(body)),
    "gives it away": lambda body, decorate: decorate(lambda *given: body(*given)),
    "decorated twice": lambda body, decorate: decorate(decorate(body)),
}
ONLY_VERBS: dict[str, Callable[[Any, Callable[[Any], Any]], Any]] = {
    "static method, outside": lambda body, decorate: type("Owner", (), {"run": decorate(staticmethod(body))})().run,
    "class method, outside": lambda body, decorate: type("Owner", (), {"run": decorate(classmethod(body))}).run,
    "class": lambda body, decorate: decorate(type("Owner", (), {"run": body}))().run,
}


@pytest.fixture(autouse=True)
def nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every test leaves the context as it was, and OpenTelemetry never had to complain."""
    before = get_current()
    with caplog.at_level(logging.DEBUG, "opentelemetry"):
        yield
    assert get_current() is before
    assert [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry")] == []


def cases() -> list[tuple[str, Callable[[Any], Any], str, Any]]:
    return [
        (verb, decorate, kind, make)
        for verb, decorate in DECORATORS.items()
        for kind, make in ({**KINDS, **ONLY_VERBS} if verb != "session" else KINDS).items()
    ]


def told(function: Any, dealt: Callable[[Any], Any]) -> tuple[Any, list[Any], list[str]]:
    """What the caller got, what the body went through, and of what Python warned."""
    log: list[Any] = []
    before = get_current()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        came = dealt(function(log))
        gc.collect(0)
    assert get_current() is before
    return came, log, [str(one.message) for one in warned]


def compared(body: Any, dealt: Callable[[Any], Any]) -> tuple[int, list[str], Telemetry]:
    """How many cases there were, and in which the decorated function differs."""
    alone = told(body, dealt)
    broken = []
    with capture(content="full") as telemetry:
        for verb, decorate, kind, make in cases():
            here = told(make(body, decorate), dealt)
            if here != alone:
                broken.append(f"{verb}, {kind}: {alone} became {here}")
    return len(cases()), broken, telemetry


def unparented(telemetry: Telemetry) -> list[str]:
    """Children that have another parent than the operation around them, or none."""
    spans = {span["span_id"]: span for span in telemetry.spans}
    children = [span for span in spans.values() if span["name"] in ("step child", "step inside")]
    orphans = [span for span in children if span["parent_id"] not in spans and span["attributes"].get("gen_ai.conversation.id") != "talk"]
    return [span["name"] for span in orphans]


def expected(began: bool) -> int:
    """How many operations end: one a call whose body has begun; what a plain function gives away has begun with its call."""
    return sum(operations(verb, kind, began) for verb, _, kind, _ in cases() if verb != "session")


def operations(verb: str, kind: str, began: bool) -> int:
    if kind == "decorated twice":
        return int(began) * (1 if verb in ("llm", "embedding") else 2)  # a model's call in a model's call is one
    return int(began or kind == "gives it away")


def check_as_undecorated(figure: Any, case: str, body: Any, dealt: Callable[[Any], Any]) -> None:
    """Every decorator over every callable of this body, through one step of its protocol."""
    count, broken, telemetry = compared(body, dealt)
    assert broken[:5] == []
    assert unparented(telemetry) == []
    began = bool(told(body, dealt)[1])
    assert len([span for span in telemetry.spans if span["name"] not in ("step child", "step inside")]) == expected(began)
    said = f"{count - len(broken)} of {count} (decorator, callable) as undecorated, 0 detach errors, context as before, each span ended"
    figure("R12", case, said, "leaks, dead spans, detach errors")


@pytest.mark.parametrize("step", protocols.GENERATOR_STEPS)
def test_generators(step: str, figure: Any) -> None:
    check_as_undecorated(figure, f"generator: {step}", protocols.generator, protocols.GENERATOR_STEPS[step])


@pytest.mark.parametrize("step", ["exhausted", "throw, caught", "early close", "throw the exit", "send", "return value"])
def test_generators_that_delegate(step: str, figure: Any) -> None:
    check_as_undecorated(figure, f"generator that delegates: {step}", protocols.delegating, protocols.GENERATOR_STEPS[step])


@pytest.mark.parametrize("step", ["early close", "throw the exit", "exhausted"])
def test_generators_that_do_not_go(step: str, figure: Any) -> None:
    check_as_undecorated(figure, f"generator that ignores its exit: {step}", protocols.stubborn, protocols.GENERATOR_STEPS[step])


def running(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The step, in a loop of its own."""

    async def run(made: Any) -> Any:
        return await step(made)

    return lambda made: asyncio.run(run(made))


@pytest.mark.parametrize("step", protocols.ASYNC_GENERATOR_STEPS)
def test_async_generators(step: str, figure: Any) -> None:
    check_as_undecorated(figure, f"async generator: {step}", protocols.async_generator, running(protocols.ASYNC_GENERATOR_STEPS[step]))


@pytest.mark.parametrize("step", ["early close", "athrow the exit", "exhausted"])
def test_async_generators_that_do_not_go(step: str, figure: Any) -> None:
    check_as_undecorated(figure, f"async generator that ignores its exit: {step}", protocols.async_stubborn, running(protocols.ASYNC_GENERATOR_STEPS[step]))


@pytest.mark.parametrize("step", protocols.COROUTINE_STEPS)
def test_coroutines(step: str, figure: Any) -> None:
    check_as_undecorated(figure, f"coroutine: {step}", protocols.coroutine, running(protocols.COROUTINE_STEPS[step]))


@pytest.mark.parametrize("step", protocols.MANUAL_STEPS)
def test_coroutines_by_hand(step: str, figure: Any) -> None:
    check_as_undecorated(figure, f"coroutine: {step}", protocols.coroutine, protocols.MANUAL_STEPS[step])
