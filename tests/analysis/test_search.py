"""Finding traces without reading what can't hold them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from written_journal import EPOCH, Written, counter, log, span

from otel_agents.analysis.folder import Folder, Segment
from otel_agents.analysis.losses import counted, summed
from otel_agents.analysis.search import Search, Wanted

SECOND = 10**9


class Watched(Folder):
    """A folder that remembers which segments were read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.read: list[str] = []

    def items(self, segment: Segment, *needles: bytes) -> Any:
        self.read.append(segment.path.name)
        return super().items(segment, *needles)


def run(journal: Written, number: int, at: float, **given: Any) -> None:
    trace = f"{number:032x}"
    journal.spans(f"{number}-a-b-1", span("invoke_agent a", id=number, trace=trace, start=at, end=at + 1, **{"gen_ai.operation.name": "invoke_agent", **given}))


def numbers(search: Search, wanted: Wanted | None = None, limit: int | None = None) -> list[int]:
    return [int(found.summary.trace_id, 16) for found in search.newest(wanted or Wanted(), limit)]


@pytest.fixture
def journal(tmp_path: Path) -> Written:
    return Written(tmp_path)


def test_the_newest_are_found_without_reading_the_rest(journal: Written) -> None:
    for number in range(1, 41):
        run(journal, number, at=number * 10)
    folder = Watched(journal.folder)
    assert numbers(Search(folder), limit=3) == [40, 39, 38]
    assert len(folder.read) < 10


def test_all_of_them(journal: Written) -> None:
    for number in range(1, 41):
        run(journal, number, at=number * 10)
    assert numbers(Search(Folder(journal.folder))) == list(range(40, 0, -1))


def test_what_is_older_than_since_is_not_read(journal: Written) -> None:
    for number in range(1, 5):
        run(journal, number, at=number * 10)
    folder = Watched(journal.folder)
    assert numbers(Search(folder), Wanted(since=(EPOCH + 30) * SECOND)) == [4, 3]
    assert len(folder.read) == 2


def test_parts_of_a_trace_in_older_segments_are_found(journal: Written) -> None:
    trace = f"{7:032x}"
    journal.spans("1-a-b-1", span("asked", id=1, trace=trace, start=0, end=1))
    for number in range(20, 30):
        run(journal, number, at=number)
    journal.spans("2-a-b-1", span("answered", id=2, parent=1, trace=trace, start=99, end=100))
    (found,) = Search(Folder(journal.folder)).newest(Wanted(), 1)
    assert (found.summary.name, found.summary.spans, found.trace.roots[0].was_recorded) == ("asked", 2, True)


def test_filters(journal: Written) -> None:
    run(journal, 1, at=10, **{"gen_ai.conversation.id": "c-1", "gen_ai.agent.name": "planner"})
    run(journal, 2, at=20, **{"gen_ai.conversation.id": "c-2", "gen_ai.agent.name": "writer"})
    run(journal, 3, at=30, error="broken")
    search = Search(Folder(journal.folder))
    for wanted, expected in ((Wanted(session="c-1"), [1]), (Wanted(agent="writer"), [2]), (Wanted(with_errors=True), [3]), (Wanted(session="c-3"), [])):
        assert numbers(search, wanted) == expected


def test_a_run_that_goes_on_for_longer_than_since(journal: Written) -> None:
    journal.logs("1-a-b-1", log(id=1, event="otel_agents.run.started", **{"gen_ai.agent.name": "planner"}))
    wanted = Wanted(since=(EPOCH + 3600) * SECOND)
    assert [found.summary.outcome for found in Search(Folder(journal.folder), lambda segment: True).newest(wanted)] == ["running"]
    assert Search(Folder(journal.folder)).newest(wanted) == []


def test_a_run_that_ended_long_ago_is_not_taken_for_open(journal: Written) -> None:
    journal.logs("1-a-b-1", log(id=1, event="otel_agents.run.started", **{"gen_ai.agent.name": "planner"}))
    journal.spans("1-a-b-1", span("invoke_agent planner", id=1))
    assert Search(Folder(journal.folder), lambda segment: True).newest(Wanted(since=(EPOCH + 3600) * SECOND)) == []


def test_ids_by_prefix(journal: Written) -> None:
    for trace in ("ab" + "0" * 30, "abc" + "0" * 29):
        journal.spans(f"1-{trace}-b-1", span("a", id=1, trace=trace))
    assert len(Search(Folder(journal.folder)).by_prefix("ab")) == 2
    assert Search(Folder(journal.folder)).by_prefix("abc") == ["abc" + "0" * 29]
    assert Search(Folder(journal.folder)).by_prefix("f") == []


def test_sent_segments_and_every_destination_are_read_and_foreign_files_are_not(journal: Written, tmp_path: Path) -> None:
    path = journal.spans("1-a-b-1", span("a", id=1, trace="a" * 32))
    path.rename(path.with_name("traces-1-a-b-1.sent.jsonl"))
    Written(tmp_path, "0123456789abcdef").spans("2-a-b-1", span("b", id=1, trace="b" * 32))
    (tmp_path / "local" / "notes.txt").write_text("mine")
    (tmp_path / "local" / "traces-mine-1.jsonl").write_bytes(Written(tmp_path, "d").spans("3-a-b-1", span("c", id=1, trace="c" * 32)).read_bytes())
    (tmp_path / "d" / "traces-3-a-b-1.jsonl").write_text("hello\n")
    folder = Folder(tmp_path)
    assert {found.summary.name for found in Search(folder).newest(Wanted())} == {"a", "b"}
    assert folder.skipped == 1


def test_a_segment_that_is_sent_while_it_is_being_looked_for(journal: Written) -> None:
    path = journal.spans("1-a-b-1", span("a", id=1))
    folder = Folder(journal.folder)
    (segment,) = folder.segments("traces")
    path.rename(path.with_name("traces-1-a-b-1.sent.jsonl"))
    assert [one.name for one in folder.spans(segment)] == ["a"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "nowhere")
    assert Search(folder).newest(Wanted()) == []
    assert folder.unreadable == {}


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    folder = Folder(path)
    assert folder.segments("traces") == []
    assert folder.unreadable == {path: os.strerror(20)}


def test_losses_are_the_last_figure_of_each_process(journal: Written) -> None:
    name = "otel_agents.telemetry.dropped"
    full = {"otel_agents.signal": "traces", "otel_agents.reason": "cap"}
    journal.metrics("1-a-b-1", counter(name, [(3, full)]), counter(name, [(5, full)]), counter("other", [(9, full)]))
    journal.metrics("2-a-b-1", counter(name, [(2, full), (1, {"otel_agents.signal": "logs", "otel_agents.reason": "disk_full"})]))
    assert summed(counted(Folder(journal.folder))) == {("traces", "cap"): 7, ("logs", "disk_full"): 1}


def test_losses_that_are_told_as_deltas_are_added_up(journal: Written) -> None:
    full = {"otel_agents.signal": "traces", "otel_agents.reason": "cap"}
    journal.metrics("1-a-b-1", *(counter("otel_agents.telemetry.dropped", [(count, full)], start=start) for start, count in enumerate((3, 2, 2))))
    assert summed(counted(Folder(journal.folder))) == {("traces", "cap"): 7}
