"""While we are imported the garbage collector rests; afterwards it is as the program left it."""

import gc
from collections.abc import Iterator

import pytest

from otel_agents.runtime.process import gc_paused


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_afterwards_as_it_was(was_on: bool) -> None:
    (gc.enable if was_on else gc.disable)()
    try:
        with gc_paused():
            assert not gc.isenabled()
        assert gc.isenabled() is was_on
    finally:
        gc.enable()


@pytest.fixture(autouse=True)
def nothing_frozen() -> Iterator[None]:
    """As in a program that does not use `gc.freeze`; tests/leaks.py does."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_what_came_meanwhile_is_not_looked_at_at_once() -> None:
    with gc_paused():
        kept = [[number] for number in range(100_000)]
    assert gc.get_count()[0] < 700
    assert len(kept) == 100_000
    assert gc.get_freeze_count() == 0


def test_what_the_program_froze_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with gc_paused():
            pass
        assert gc.get_freeze_count() == frozen > 0
    finally:
        gc.unfreeze()
