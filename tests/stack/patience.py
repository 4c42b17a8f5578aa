"""Waiting until a claim holds: stores take a moment until they can be asked for what they took."""

from __future__ import annotations

import time
from collections.abc import Callable

from otel_agents.stack.stores import Refused


def until_it_holds(claim: Callable[[], object], seconds: float = 60.0, every: float = 0.25) -> None:
    """Call the claim until it raises no AssertionError (and is not False); what it raised last is the failure."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            assert claim() is not False
            return
        except (AssertionError, Refused, IndexError, KeyError, ValueError):
            if time.monotonic() > deadline:
                raise
        time.sleep(every)
