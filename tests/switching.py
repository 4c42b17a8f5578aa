"""`pytest --switch-interval 1e-6`: threads are switched at every step, here and in the programs that tests start, and whatever crashes says where.

Races that take years in production then take minutes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

SWITCHED = str(Path(__file__).parent / "switched")
asked: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--switch-interval", type=float, help="sys.setswitchinterval(): seconds; 1e-6 makes races likely")


def pytest_configure(config: pytest.Config) -> None:
    interval = config.getoption("--switch-interval")
    if interval:
        sys.setswitchinterval(interval)
        asked.update(PYTHONPATH=SWITCHED, PYTHONFAULTHANDLER="1", TEST_SWITCH_INTERVAL=str(interval))
        path = os.pathsep.join(filter(None, (SWITCHED, os.environ.get("PYTHONPATH"))))
        os.environ.update({**asked, "PYTHONPATH": path})


def passed_on() -> dict[str, str]:
    """What a program must be given so that its threads are switched as often as ours."""
    return asked
