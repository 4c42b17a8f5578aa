"""Looking on while a journal is written to."""

from __future__ import annotations

from pathlib import Path

from written_journal import EPOCH, Written, line, log, span

from otel_agents.analysis.folder import Folder
from otel_agents.analysis.follow import Follower
from otel_agents.analysis.items import Item, Log, Span


def names(items: list[Item]) -> list[str]:
    return [item.name if isinstance(item, Span) else str(item.body) for item in items if isinstance(item, Span | Log)]


def test_new_lines_new_files_and_renamed_ones(tmp_path: Path) -> None:
    journal = Written(tmp_path)
    path = journal.spans("1-a-b-1", span("before", id=1))
    follower = Follower(Folder(tmp_path))
    assert follower.poll() == []
    with path.open("a") as file:
        file.write(line("traces", span("second", id=3, end=2)) + line("traces", span("first", id=2, end=1)))
    journal.logs("1-a-b-1", log("said", at=1.5))
    assert names(follower.poll()) == ["first", "said", "second"]
    path = path.rename(path.with_name("traces-1-a-b-1.sent.jsonl"))
    with path.open("a") as file:
        file.write(line("traces", span("third", id=4)))
    assert names(follower.poll()) == ["third"]
    path.unlink()
    assert follower.poll() == []


def test_a_line_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    whole = line("traces", span("late", id=2))
    path = Written(tmp_path).spans("1-a-b-1", span("before", id=1))
    with path.open("a") as file:
        file.write(whole[:100])
    follower = Follower(Folder(tmp_path))
    assert follower.poll() == []
    with path.open("a") as file:
        file.write(whole[100:])
    assert names(follower.poll()) == ["late"]


def test_the_last_items(tmp_path: Path) -> None:
    journal = Written(tmp_path)
    journal.spans("1-a-b-1", *(span(f"s{number}", id=number, end=number) for number in range(1, 9)))
    journal.logs("1-a-b-1", log("said", at=7.5))
    follower = Follower(Folder(tmp_path))
    assert names(follower.before(3)) == ["s7", "said", "s8"]
    assert names(follower.before(0, since=(EPOCH + 7) * 10**9)) == ["s7", "said", "s8"]
    assert follower.before(0) == []


def test_what_came_since_the_start_is_not_told_twice(tmp_path: Path) -> None:
    path = Written(tmp_path).spans("1-a-b-1", span("before", id=1))
    follower = Follower(Folder(tmp_path))
    with path.open("a") as file:
        file.write(line("traces", span("after", id=2)))
    assert names(follower.before(9)) == names(follower.before(0, since=1)) == ["before"]
    assert names(follower.poll()) == ["after"]


def test_a_journal_that_comes_into_being(tmp_path: Path) -> None:
    follower = Follower(Folder(tmp_path / "journal"))
    assert follower.poll() == []
    Written(tmp_path / "journal").spans("1-a-b-1", span("first", id=1))
    assert names(follower.poll()) == ["first"]
