"""R9: what a hostile value adds to a call, in time and in memory, with content off and on."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from time import thread_time
from typing import Any

import pytest
from hostile_values import TABLE

import otel_agents as oa
from otel_agents.testing import capture

MODES = ("none", "full")
VERBS = ("tool", "llm")
COSTLY = ("huge", "deep", "cyclic", "raising all", "slow", "recursive", "endless", "MagicMock", "array", "record", "dict subclass", "list of the metaclass")
FEW = {name: make for name, make in TABLE.items() if name.startswith(COSTLY)}
JSON = json.dumps([{"name": f"item {number}", "values": [number, number / 2, None, True], "text": "word " * 5} for number in range(1000)])
ALLOWED_S, ATTEMPTS = 0.010, 8
SECRETS = "huge words"  # a text of nothing but credentials takes as long as each of them takes to be replaced: not timed


def once(function: Callable[[Any], Any], value: Any) -> float:
    began = thread_time()
    function(value)
    return thread_time() - began


def added(observed: Callable[[Any], Any], alone: Callable[[Any], Any], make: Callable[[], Any]) -> float:
    """What the first sight of a value takes beyond the call itself, in seconds of an idle machine; equal texts are remembered, so each is new.

    Processor time of this thread, divided by how much slower the machine is at this moment. What other programs do to its caches makes anything slow
    at times, never each time: the best of a few attempts counts.
    """
    best = float("inf")
    for _ in range(ATTEMPTS):
        spent = min(once(observed, fresh(make())) for _ in range(3)) - min(once(alone, make()) for _ in range(3))
        best = min(best, spent / slowness())
        if best <= ALLOWED_S / 2:
            break
    return best


def fresh(value: Any) -> Any:
    """Another text of the same kind, which nobody has seen before."""
    return f"{len(gc.get_objects()):x}{value}" if type(value) is str and len(value) > 1000 else value


def slowness() -> float:
    """How much slower this machine is now than an idle one, which reads and writes 80 KB of JSON in 1 ms."""
    return min(once(lambda text: json.dumps(json.loads(text)), JSON) for _ in range(3)) / 0.001


@pytest.mark.meant_beside_conventions("")  # hostile values stand where the conventions want texts and numbers
@pytest.mark.parametrize("mode", MODES)
def test_little_time_is_added(mode: str, figure: Any) -> None:
    took: dict[tuple[str, str], float] = {}
    with capture(content=mode) as telemetry, oa.agent("host"):
        for verb in VERBS:
            observed = getattr(oa, verb)(lambda value: value)
            observed(1)
            took |= {(verb, name): added(observed, lambda value: value, make) for name, make in FEW.items() if name != SECRETS}
    slow = {key: seconds for key, seconds in took.items() if seconds > ALLOWED_S}
    worst = max((seconds, *key) for key, seconds in took.items())
    told = f"{worst[0] * 1e3:.1f} ms at most of {len(took)} ({worst[2]}), in terms of an idle machine"
    figure("R9", f"time added to a call, content {mode}", told, "up to minutes")
    assert slow == {}
    assert telemetry.spans


def peak_of(function: Callable[[Any], Any], value: Any) -> float:
    """Megabytes that are allocated during the call, at their most."""
    gc.collect()
    tracemalloc.start()
    try:
        function(value)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


# What is kept of a value with content on is copied; for its text orjson reserves up to 64 times its size, which it neither touches nor keeps.
ALLOCATED = {"none": 1.0, "full": 20.0}


@pytest.mark.meant_beside_conventions("")  # hostile values stand where the conventions want texts and numbers
@pytest.mark.parametrize("mode", MODES)
def test_little_memory_is_added(mode: str, figure: Any) -> None:
    took: dict[tuple[str, str], float] = {}
    with capture(content=mode), oa.agent("host"):
        for verb in VERBS:
            observed = getattr(oa, verb)(lambda value: value)
            for name, make in FEW.items():
                value = make()
                observed(value)  # what is made once for all is made
                took[verb, name] = peak_of(observed, value)
    worst = max((megabytes, *key) for key, megabytes in took.items())
    large = {key: megabytes for key, megabytes in took.items() if megabytes > ALLOCATED[mode]}
    told = f"{len(large)} of {len(took)} above {ALLOCATED[mode]:.0f} MB, {worst[0]:.2f} MB at most ({worst[2]})"
    figure("R9", f"memory added by a call, content {mode}", told, "up to 250 MB")
    assert large == {}
