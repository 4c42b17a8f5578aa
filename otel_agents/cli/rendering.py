"""What a stack is given of boards and rules: rendered into its own folder, with the thresholds of the configuration file and the places of its stores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from otel_agents.config.settings import load
from otel_agents.dashboards.alerts import Thresholds
from otel_agents.dashboards.datasources import IN_CONTAINERS, Places
from otel_agents.dashboards.render import render
from otel_agents.stack.compose import Compose
from otel_agents.stack.home import Home
from otel_agents.stack.native import Native
from otel_agents.stack.ports import LOOPBACK
from otel_agents.stack.problem import writing


def thresholds(home: Home) -> Thresholds:
    """Those of the configuration file; where it has none, those that this stack was given last. Raises SettingsError."""
    asked = load().alerts
    if asked or not home.thresholds.exists():
        return asked
    remembered: Thresholds = orjson.loads(home.thresholds.read_bytes())
    return remembered


def give(stack: Native | Compose, home: Home, alerts: Thresholds) -> list[Path]:
    """Write boards, rules and provisioning into the stack's folder, and remember the thresholds. Raises Problem."""
    home.make()
    places = on_loopback(home, stack.record().ports) if isinstance(stack, Native) else IN_CONTAINERS
    with writing():
        home.thresholds.write_bytes(orjson.dumps(alerts))
        return render(home.grafana, alerts, places=places)


def on_loopback(home: Home, ports: Mapping[str, int]) -> Places:
    """Where a Grafana of this machine finds the stores of processes, and the boards."""
    return Places({name: f"http://{LOOPBACK}:{ports[name]}" for name in IN_CONTAINERS.urls}, str(home.grafana / "dashboards"))
