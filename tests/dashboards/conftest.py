"""Fixtures of the boards' tests: promtool."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from otel_agents.stack import build
from otel_agents.stack.servers import PROMETHEUS


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' command-line tool; built with Prometheus if it is missing."""
    beside = build.have([PROMETHEUS])["prometheus"].binary.parent / "promtool"
    found = beside if beside.exists() else shutil.which("promtool")
    assert found, "promtool is neither beside prometheus nor on PATH"
    return Path(found)
