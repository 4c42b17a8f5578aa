"""What these tests collect is what they have made: the rest of a long session's objects is left alone, which would take most of their time."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def older_objects_are_left_alone() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()
