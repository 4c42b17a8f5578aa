"""`otel-agents prune`."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from command_line import Command
from written_journal import Written, line, span

OLD = time.time_ns() - 10 * 86400 * 10**9
ENDPOINT = "0123456789abcdef"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def segment(written: Written, owner: str, *, modified: int = OLD, sent: bool = False) -> Path:
    path = written.spans(f"{owner}-1", span("a", id=1))
    if sent:
        path = path.rename(path.with_name(path.name.replace(".jsonl", ".sent.jsonl")))
    os.utime(path, ns=(modified, modified))
    return path


def test_without_a_choice_nothing_goes(command: Command, written: Written) -> None:
    path = segment(written, "1-ab-cd")
    result = command("prune")
    assert result.status == 0
    assert "--older-than 7d, or --all" in result.out
    assert path.exists()


def test_what_is_older_goes_and_its_folder_with_it(command: Command, written: Written) -> None:
    segment(written, "1-ab-cd")
    young = segment(Written(written.folder, ENDPOINT), "2-ab-cd", modified=time.time_ns(), sent=True)
    found = command("prune", "--older-than", "7d", "--json").json
    assert [one["destination"] for one in found["deleted"]] == ["local"]
    assert [one["reason"] for one in found["kept"]] == ["too recent"]
    assert names(written.folder) == [young.name]
    assert not (written.folder / "local").exists()


def test_a_dry_run_deletes_nothing(command: Command, written: Written) -> None:
    path = segment(written, "1-ab-cd")
    result = command("prune", "--all", "--dry-run")
    assert "WOULD DELETE" in result.out
    assert "1 file, 0." not in result.out
    assert path.exists()


def test_what_a_program_writes_to_stays(command: Command, written: Written) -> None:
    path = segment(written, "1-ab-cd")
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = command("prune", "--all", "--json").json
    assert (found["deleted"], found["kept"][0]["reason"]) == ([], "in use")
    assert path.exists()


def test_what_was_not_sent_stays_but_with_all(command: Command, written: Written) -> None:
    remote = Written(written.folder, ENDPOINT)
    waiting, sent = segment(remote, "1-ab-cd"), segment(remote, "2-ab-cd", sent=True)
    result = command("prune", "--older-than", "1d")
    assert "not sent yet: 1 file" in result.out
    assert (waiting.exists(), sent.exists()) == (True, False)
    assert command("prune", "--all").status == 0
    assert not waiting.exists()


def test_what_was_acknowledged_but_not_renamed_counts_as_sent(command: Command, written: Written) -> None:
    path = segment(Written(written.folder, ENDPOINT), "1-ab-cd")
    offsets = path.with_name("1-ab-cd.offsets.json")
    offsets.write_text(f'{{"sent":{{"{path.name}":{path.stat().st_size}}},"dropped":{{}}}}')
    assert command("prune", "--older-than", "1d").status == 0
    assert names(written.folder) == []


def test_files_that_are_not_ours_stay(command: Command, written: Written) -> None:
    segment(written, "1-ab-cd")
    local = written.folder / "local"
    mine = [local / "notes.txt", local / "traces-mine-1.jsonl", written.folder / "traces-1-ab-cd-1.jsonl", written.folder / "local" / "traces-3-ab-cd-1.jsonl"]
    for path in mine[:3]:
        path.write_text(line("traces", span("a", id=1)))
    mine[3].symlink_to(mine[0])
    (written.folder / "photos").mkdir()
    assert command("prune", "--all").status == 0
    assert all(path.exists() for path in mine)
    assert (written.folder / "photos").exists()
    assert not (local / "traces-1-ab-cd-1.jsonl").exists()


def test_an_empty_journal(command: Command) -> None:
    result = command("prune", "--all")
    assert (result.status, result.out) == (0, "")
    assert "nothing to delete" in result.err


def test_two_choices_are_one_too_many(command: Command) -> None:
    assert command("prune", "--all", "--older-than", "7d").status == 2
