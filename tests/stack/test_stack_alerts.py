"""From a program that misbehaves to the Alertmanager: what it does is measured, shipped, stored, evaluated, and somebody is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from observed import finish, start

from otel_agents.stack.answers import ask, good
from otel_agents.stack.stores import Stores

pytestmark = pytest.mark.timeout(600)
TOLD_S = 240  # rules are evaluated once a minute


def test_a_runaway_loop_reaches_the_alertmanager(stores: Stores, journal: Path, eventually: Callable[..., None]) -> None:
    service = "runs-away"
    process = start("runaway", journal=journal, stores=stores, OTEL_SERVICE_NAME=service, OTEL_AGENTS_METRIC_INTERVAL="2s")
    try:
        eventually(lambda: bool(told(stores, service)), seconds=TOLD_S)
        assert process.poll() is None, "it is stopped by us, and not before"
    finally:
        process.kill()
        process.communicate()
    [alert] = told(stores, service)
    assert alert["labels"].items() >= {"alertname": "AgentLoops", "severity": "page", "service_name": service, "gen_ai_agent_name": "runaway"}.items()
    assert alert["annotations"]["summary"] == f"runaway of {service} is looping"
    assert set(alert["annotations"]) == {"summary", "description", "runbook", "dashboard"}
    assert alert["status"]["state"] == "active"


def test_a_killed_program_reaches_the_alertmanager(stores: Stores, journal: Path, eventually: Callable[..., None]) -> None:
    """Its run is one that died, of its own service, though a program of another one finds it."""
    service = "is-killed"
    killed = start("waiter", 3600, journal=journal, stores=stores, OTEL_SERVICE_NAME=service)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "waiting\n"
    killed.kill()
    killed.communicate()
    finish(start("waiter", 0, journal=journal, stores=stores, OTEL_SERVICE_NAME="comes-after"))
    eventually(lambda: bool(told(stores, service)), seconds=TOLD_S)
    [alert] = told(stores, service)
    assert alert["labels"].items() >= {"alertname": "AgentDied", "severity": "ticket", "service_name": service, "gen_ai_agent_name": "waiter"}.items()
    assert alert["annotations"]["description"].startswith("The processes of 1 of its runs were found dead")
    assert stores.value(f'sum by (job) (increase(otel_agents_runs_total{{service_name="{service}",otel_agents_outcome="died"}}[30m]))') == 1
    assert stores.value('sum(increase(otel_agents_runs_total{service_name="comes-after",otel_agents_outcome="died"}[30m]))') is None


def told(stores: Stores, service: str) -> list[dict[str, Any]]:
    """The alerts of this service that the Alertmanager has."""
    which = quote(f'service_name="{service}"')
    found: list[dict[str, Any]] = good(ask(f"{stores.alertmanager}/api/v2/alerts?filter={which}")).json
    return found
