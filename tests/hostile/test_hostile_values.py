"""R9: whatever a program hands around, its call is untouched, its telemetry arrives, nothing of the value's own is run, and little time and memory is added."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hostile_places import COLOURS, DEEDS, RECORDS, call
from hostile_values import CALLED, TABLE

import otel_agents as oa
from otel_agents.telemetry.engine import engine
from otel_agents.testing import capture

MODES = ("none", "full")
VERBS = ("agent", "workflow", "step", "tool", "llm", "embedding", "retriever", "memory", "plan", "evaluator", "guardrail")
BEYOND = pytest.mark.meant_beside_conventions("")  # hostile values stand where the conventions want texts and numbers
ANCESTORS, NAME, ARGUMENTS = (kind.__dict__[slot].__get__ for kind, slot in ((type, "__mro__"), (type, "__qualname__"), (BaseException, "args")))
Case = tuple[str, str, Callable[[], Any]]  # the value's name, the verb, its maker


def cases(place: str) -> list[Case]:
    """Every value under every verb where the verb itself reads it; elsewhere under one of them each."""
    every = place == "argument, result"
    return [
        (name, verb, make)
        for number, (name, make) in enumerate(TABLE.items())
        for verb in (VERBS if every and not name.startswith(("huge", "deep")) else {VERBS[number % len(VERBS)], "tool" if number % 4 else "llm"})
    ]


def shape(came: Any, value: Any) -> Any:
    """What came out, told without asking it anything: the value itself by a word, everything else by what it is made of."""
    if came is value:
        return "the value"
    if type(came) is list or type(came) is tuple:
        return [shape(part, value) for part in came]
    if any(kind is BaseException for kind in ANCESTORS(type(came))):
        return [NAME(type(came)), shape(ARGUMENTS(came), value)]
    return came if any(type(came) is kind for kind in (str, int, type(None))) else NAME(type(came))


def run(function: Callable[..., Any], colour: str, place: str, value: Any) -> tuple[Any, list[str]]:
    CALLED.clear()
    came = shape(call(function, colour, place, value), value)
    asked = CALLED.copy()
    CALLED.clear()
    return came, asked


def differs(case: Case, colour: str, place: str, alone: tuple[Any, list[str]]) -> str:
    """How the observed call differs from the same call of the function alone, in a program without us; nothing where it does not."""
    name, verb, make = case
    observed = getattr(oa, verb)(name=name)(COLOURS[colour])
    value = make()
    here = run(observed, colour, place, value)
    if name.startswith("unread") and len(list(value)) != len(list(make())):
        return f"{name}: consumed"
    return "" if alone == here or is_followed(name, colour, here) else f"{verb}, {name}: {alone!s:.300} became {here!s:.300}"


def is_followed(name: str, colour: str, came: tuple[Any, list[str]]) -> bool:
    """A generator that a plain function gives away is followed to its end: the caller has another of the same kind."""
    return name == "unread generator" and colour == "plain" and came == ("generator", [])


@BEYOND
@pytest.mark.parametrize("place", DEEDS)
def test_the_call_is_untouched_and_arrives(place: str, figure: Any) -> None:
    asked = cases(place)
    runs = [watched(asked, place, colour, mode) for colour in COLOURS for mode in MODES]
    broken, missing = [each for run in runs for each in run[0]], sum(run[1] for run in runs)
    assert broken == []
    assert missing == 0
    assert engine.failures == {}
    told = f"{len(broken)} of {len(runs) * len(asked):,} calls changed, {missing} items missing"
    figure("R9", f"{len(TABLE)} hostile values, four colours, content off and on: {place}", told, "up to 12 of 41 break the call")


def watched(asked: list[Case], place: str, colour: str, mode: str) -> tuple[list[str], int]:
    """What of the calls differed, and how many spans and log records have not arrived."""
    alone = {name: run(COLOURS[colour], colour, place, make()) for name, make in TABLE.items()}
    with capture(content=mode, content_in="spans,events") as telemetry, oa.agent("host"):
        broken = [f"{colour}, {mode}, {each}" for case in asked if (each := differs(case, colour, place, alone[case[0]]))]
    spans = len(asked) + 1 - len(telemetry.spans)
    logs = RECORDS.get(place, 0) * len(asked) - len([log for log in telemetry.logs if not log["event_name"]])
    return broken, abs(spans) + abs(logs)
