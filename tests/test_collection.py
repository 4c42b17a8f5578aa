"""Tests can be named in any combination: no two modules that they share have one name, or one of an installed package."""

from __future__ import annotations

import sys
from collections import Counter
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMMANDS = {"__main__", "conftest"}


def shared(config: pytest.Config) -> list[Path]:
    return [path for folder in config.getini("pythonpath") for path in Path(folder).glob("*.py") if path.stem not in COMMANDS]


def test_shared_modules_have_names_of_their_own(pytestconfig: pytest.Config) -> None:
    names = Counter(path.stem for path in shared(pytestconfig) if not path.stem.startswith("test_"))
    others = [place for place in sys.path if not Path(place).resolve().is_relative_to(HERE)]
    assert len(names) > 30
    assert [name for name, times in names.items() if times > 1] == []
    assert [name for name in names if name in sys.stdlib_module_names or ((found := PathFinder.find_spec(name, others)) and found.loader)] == []


def test_every_folder_with_shared_modules_is_on_the_path(pytestconfig: pytest.Config) -> None:
    """One way to import them. The rest are programs that run as processes of their own, and a package."""
    folders = {path.parent for path in HERE.rglob("*.py") if not path.stem.startswith("test_") and path.stem not in COMMANDS}
    assert {path.relative_to(HERE).as_posix() for path in folders - {Path(folder) for folder in pytestconfig.getini("pythonpath")}} == {
        "conformance",
        "faults/served",
        "programs",
        "stack/programs",
        "switched",
        "typing",
    }
