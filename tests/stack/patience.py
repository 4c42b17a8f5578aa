"""Waiting until a claim holds: stores take a moment until they can be asked for what they took."""

from __future__ import annotations

import time
from collections.abc import Callable

from otel_agents.stack.answers import Refused


def until_it_holds(claim: Callable[[], object], seconds: float = 60.0, every: float = 0.25) -> None:
    """Call the claim until it is True, or raises no AssertionError and returns nothing; what it raised last is the failure."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            held = claim()
            assert held is True or held is None, f"not yet: {held!r}"
            return
        except (AssertionError, Refused, IndexError, KeyError, ValueError):
            if time.monotonic() > deadline:
                raise
        time.sleep(every)
