"""Dashboards and rules for a stack: rendered into its folder, with the thresholds of the configuration file and the addresses of its stores."""

from __future__ import annotations

from pathlib import Path

import orjson

from otel_agents.config.settings import load
from otel_agents.dashboards.alerts import Thresholds
from otel_agents.dashboards.datasources import IN_CONTAINERS, Places
from otel_agents.dashboards.render import render
from otel_agents.stack.compose import Compose
from otel_agents.stack.home import Home
from otel_agents.stack.native import Native
from otel_agents.stack.problem import writing
from otel_agents.stack.stores import Stores


def thresholds(home: Home) -> Thresholds:
    """The alert thresholds of the configuration file; if it has none, those that this stack was last given. Raises SettingsError."""
    asked = load().alerts
    if asked or not home.thresholds.exists():
        return asked
    remembered: Thresholds = orjson.loads(home.thresholds.read_bytes())
    return remembered


def give(stack: Native | Compose, home: Home, alerts: Thresholds) -> list[Path]:
    """Write dashboards, rules and provisioning files into the stack's folder, and store the thresholds. Raises Problem."""
    home.make()
    places = on_loopback(home, stack.stores()) if isinstance(stack, Native) else IN_CONTAINERS
    with writing():
        home.thresholds.write_bytes(orjson.dumps(alerts))
        return render(home.grafana, alerts, places=places)


def on_loopback(home: Home, stores: Stores) -> Places:
    """The addresses at which a Grafana on this machine finds the native stack's stores, and the folder of the dashboards."""
    kept = {store.name: store.url for store in (stores.logs, stores.traces)}
    return Places({"prometheus": stores.prometheus, **kept, "alertmanager": stores.alertmanager}, str(home.grafana / "dashboards"))
