"""What the faults' tests share: newer Pythons, and how long a fault lasts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NEWER = ("3.12", "3.13")


@pytest.fixture(scope="session", params=NEWER)
def newer_python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> tuple[str, Path]:
    """A newer Python with us in it; skipped where this machine has none."""
    found = [path for path in candidates(request.param) if path.exists()]
    if not found:
        pytest.skip(f"there is no Python {request.param} here")
    home = tmp_path_factory.mktemp("python") / request.param
    subprocess.run([found[0], "-m", "venv", home], check=True)
    subprocess.run([home / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", wheel], check=True)
    return request.param, home / "bin" / "python"


def candidates(version: str) -> list[Path]:
    """Where a Python of this version may be: on the path, or in pyenv's folder."""
    on_path = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [*([Path(on_path)] if on_path and ".pyenv/shims" not in on_path else []), *sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="the faults in their full length: outages of 20 s, ten minutes without an endpoint")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes so long that it runs with --long alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long", default=False):
        left_out = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.fixture
def is_long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long", default=False))


@pytest.fixture
def outage_s(is_long: bool) -> float:
    """How long an outage in the middle lasts, in seconds."""
    return 20.0 if is_long else 5.0
