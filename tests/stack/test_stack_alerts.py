"""From a program that misbehaves to the Alertmanager: what it does is measured, shipped, stored, evaluated, and somebody is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from observed import start

from otel_agents.stack.stores import Stores, ask, good

pytestmark = pytest.mark.timeout(600)
SERVICE = "runs-away"
TOLD_S = 240  # rules are evaluated once a minute


def test_a_runaway_loop_reaches_the_alertmanager(stores: Stores, journal: Path, eventually: Callable[..., None]) -> None:
    process = start("runaway", journal=journal, stores=stores, OTEL_SERVICE_NAME=SERVICE, OTEL_AGENTS_METRIC_INTERVAL="2s")
    try:
        eventually(lambda: bool(told(stores)), seconds=TOLD_S)
        assert process.poll() is None, "it is stopped by us, and not before"
    finally:
        process.kill()
        process.communicate()
    [alert] = told(stores)
    assert alert["labels"].items() >= {"alertname": "AgentLoops", "severity": "page", "service_name": SERVICE, "gen_ai_agent_name": "runaway"}.items()
    assert alert["annotations"]["summary"] == f"runaway of {SERVICE} goes round in circles"
    assert set(alert["annotations"]) == {"summary", "description", "runbook", "dashboard"}
    assert alert["status"]["state"] == "active"


def told(stores: Stores) -> list[dict[str, Any]]:
    """The alerts of this service that the Alertmanager has."""
    which = quote(f'service_name="{SERVICE}"')
    found: list[dict[str, Any]] = good(ask(f"{stores.alertmanager}/api/v2/alerts?filter={which}")).json
    return found
