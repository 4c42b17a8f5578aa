"""The rendered boards as data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from otel_agents.dashboards.alerts import ALERTS
from otel_agents.dashboards.render import BOARDS

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


def dashboards() -> Iterator[Json]:
    """The committed dashboards, which test_rendered.py holds equal to the code."""
    for board in BOARDS:
        yield orjson.loads((ROOT / "grafana" / "dashboards" / f"{board.key}.json").read_bytes())


def panels() -> list[tuple[str, Json]]:
    """Every panel with the name of its board."""
    return [(f"{board['uid']} · {panel['title']}", panel) for board in dashboards() for panel in board["panels"]]


def queries() -> list[str]:
    """Every query that a panel or an alert asks Prometheus."""
    asked = [
        target["expr"]
        for board in dashboards()
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == "prometheus"
    ]
    return asked + [alert.expression({}) for alert in ALERTS]
