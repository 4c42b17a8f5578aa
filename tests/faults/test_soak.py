"""The soak's short form: two minutes of everything at once. The long one: `python -m tests.faults.soak --minutes 20`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from figures import Figure_
from soak import CAP, MIB, Soak


@pytest.mark.own_attributes("item")
@pytest.mark.timeout(600)
def test_two_minutes_of_everything(tmp_path: Path, figure: Figure_) -> None:
    seed = random.randrange(2**32)
    result = Soak(tmp_path, 2.0, seed).run()
    print(f"seed {seed}; modes {result.modes}\n{result}")
    figure("soak", "2 minutes, 4 programs, 200 steps/s each, killed and restarted, an endpoint that comes and goes", result, "–")
    assert (result.lost, result.unexplained) == (0, 0)
    assert result.ended > 30_000
    assert result.kills > 10
    assert result.grown <= 20 * MIB
    assert result.most_bytes <= CAP
