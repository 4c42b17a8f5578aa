"""The wheel as it would be published, built once in a run, also where pytest-xdist runs several workers."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the kernel lets go of a lock whose process has died."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A temporary folder that all workers of this run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(pytestconfig, "workerinput") else own


@pytest.fixture(scope="session")
def wheel(run_folder: Path) -> Path:
    """What `pip wheel` makes of this checkout."""
    folder = run_folder / "wheel"
    offline = ["--no-build-isolation", "--no-index"] if find_spec("hatchling") else []
    with locked(run_folder / "wheel.lock"):
        if not list(folder.glob("*.whl")):
            words = ["pip", "wheel", "-q", "--no-deps", *offline, "--wheel-dir", str(folder), str(ROOT)]
            subprocess.run([sys.executable, "-m", *words], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def dependencies(run_folder: Path) -> Path:
    """What this environment has, without us and without start-up files."""
    folder = run_folder / "dependencies"
    with locked(run_folder / "dependencies.lock"):
        if not folder.exists():
            folder.mkdir()
            for entry in Path(sysconfig.get_path("purelib")).iterdir():
                if "otel_agents" not in entry.name and entry.suffix != ".pth" and entry.stem not in ("sitecustomize", "__pycache__"):
                    (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="session")
def fresh(run_folder: Path, wheel: Path, dependencies: Path) -> Path:
    """The interpreter of a fresh environment with our wheel; what we depend on is this environment's."""
    folder = run_folder / "fresh"
    with locked(run_folder / "fresh.lock"):
        if not folder.exists():
            fresh_environment(folder, dependencies)
            installed(folder, wheel, "--prefix", str(folder), "--ignore-installed")
    return folder / "bin" / "python"


def fresh_environment(folder: Path, packages: Path) -> None:
    """A virtual environment that sees these packages."""
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "dependencies.pth").write_text(f"{packages}\n")


def installed(folder: Path, wheel: Path, *options: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", *options, str(wheel)], check=True, capture_output=True, cwd=folder)
