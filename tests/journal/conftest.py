"""What the journal's tests share: plain spans and records, a journal and a shipper against a receiver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(url: str | None, **settings: object) -> Rig:
        made.append(Rig(tmp_path / "journal", url, **settings))
        return made[-1]

    yield make
    for one in made:
        one.shipper.close()
