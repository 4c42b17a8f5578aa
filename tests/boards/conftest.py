"""The rendered boards as data, and promtool."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from otel_agents.boards.render import BOARDS
from otel_agents.stack import build
from otel_agents.stack.servers import PROMETHEUS

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


def dashboards() -> Iterator[Json]:
    """The committed dashboards, which test_rendered.py holds equal to the code."""
    for board in BOARDS:
        yield orjson.loads((ROOT / "grafana" / "dashboards" / f"{board.key}.json").read_bytes())


def panels() -> list[tuple[str, Json]]:
    """Every panel with the name of its board."""
    return [(f"{board['uid']} · {panel['title']}", panel) for board in dashboards() for panel in board["panels"]]


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own tool; built with Prometheus where it is missing, never skipped."""
    beside = build.have([PROMETHEUS])["prometheus"].binary.parent / "promtool"
    found = beside if beside.exists() else shutil.which("promtool")
    assert found, "promtool is neither beside prometheus nor on PATH"
    return Path(found)
