"""Whether the journal's folder can be used is found out without leaving anything in it."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_agents.config.settings import Settings
from otel_agents.runtime.direct import journal_problem


def without_nameless_files(path: Any, flags: int, *more: Any, real: Callable[..., int] = os.open, **named: Any) -> int:
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")
    return real(path, flags, *more, **named)


@pytest.fixture(params=[True, False], ids=["with files without a name", "without"], autouse=True)
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(os, "open", without_nameless_files)


def test_a_folder_that_can_be_used_is_left_empty(tmp_path: Path) -> None:
    assert journal_problem(Settings(journal_dir=tmp_path / "new/journal")) is None
    assert list((tmp_path / "new/journal").iterdir()) == []


def test_a_folder_that_can_not_be_used_is_told_with_the_systems_own_word(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert journal_problem(Settings(journal_dir=tmp_path / "file")) == "File exists"
    assert journal_problem(Settings(journal_dir=tmp_path / "file/below")) == "Not a directory"
    assert journal_problem(Settings(journal_dir=Path("/proc/self"))) == "No such file or directory"
