"""What the tests of the command line share: a journal written by hand, and the commands called as their users call them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Command, Result
from written_journal import Written

from otel_agents.cli import app


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "journal")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, written: Written) -> Iterator[Command]:
    """`otel-agents …` on the written journal, on a terminal of `width` columns, in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    time.tzset()

    def call(*words: str, width: int = 80) -> Result:
        monkeypatch.setenv("COLUMNS", str(width))
        try:
            status = app.main([words[0], "--journal", str(written.folder), *words[1:]])
        except SystemExit as end:  # argparse's way to say that it was used wrongly
            status = int(end.code or 0)
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    yield call
    monkeypatch.undo()
    time.tzset()
