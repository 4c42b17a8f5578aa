"""What a processor appends to: the journal of the signal's destination, kept by one thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import rig
from otlp_server import OK, Reply, http_receiver

from otel_agents.config.settings import load
from otel_agents.journal.encode import Lines
from otel_agents.journal.store import Store

LINES = Lines(lambda text, name="": text)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Callable[..., Store]]:
    made: list[Store] = []

    def make(url: str | None, guard: Callable[[str], AbstractContextManager[Any]] = lambda where: nullcontext(), **given: Any) -> Store:
        settings = load(**{"journal_dir": str(tmp_path), "ship_interval": 0.05, **({"endpoint": url} if url else {}), **given})
        made.append(Store(settings, guard, collect=lambda: None, dropped=lambda *lost: None, suppress=nullcontext, count=lambda runs, found_at: ()))
        return made[-1]

    yield make
    for one in made:
        one.stop(1.0)
        one.close(1.0)


def line(name: str) -> bytes:
    return LINES.span(rig.span(name))


def keepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "otel-agents"]


def test_the_first_item_starts_the_one_thread_that_sends(store: Callable[..., Store]) -> None:
    with http_receiver() as receiver:
        ours = store(receiver.url)
        assert keepers() == []
        for number in range(3):
            ours.append("traces", line(f"span {number}"))
        assert len(keepers()) == 1
        assert receiver.wait_for(lambda: len(receiver.items("traces")) == 3)


def test_nothing_is_sent_without_an_endpoint(store: Callable[..., Store]) -> None:
    ours = store(None)
    ours.append("traces", line("a"))
    ours.ship()
    assert [path.parent.name for path in ours.journal.root.glob("*/traces-*.jsonl")] == ["local"]
    assert ours.send_last() is False


def test_what_the_program_exports_to_our_endpoint_stays_local(store: Callable[..., Store]) -> None:
    """Asked anew for each item: the program may add its exporter, or take it away, at any time."""
    asked: list[str] = []
    exports = [False, True, False]

    def is_exported(url: str) -> bool:
        asked.append(url)
        return exports[len(asked) - 1]

    with http_receiver() as receiver:
        ours = store(receiver.url)
        ours.provided("traces", is_exported)
        for name in ("a", "b", "c"):
            ours.append("traces", line(name))
        ours.append("logs", LINES.log(rig.log("another signal")))
        assert asked == [f"{receiver.url}/v1/traces"] * 3
        assert [b'"name":"b"' in content for content in contents(ours.local.folder)] == [True]
        ours.provided("traces", None)
        ours.append("traces", line("d"))
        assert len(asked) == 3
        assert ours.send_last() is False
        assert (receiver.names("traces"), receiver.names("logs")) == (["a", "c", "d"], ["another signal"])


def test_exports_of_the_program_do_not_matter_where_both_are_asked_for(store: Callable[..., Store]) -> None:
    with http_receiver() as receiver:
        ours = store(receiver.url, join_export=True)
        ours.provided("traces", lambda url: True)
        ours.append("traces", line("a"))
        assert ours.send_last() is False
        assert receiver.names() == ["a"]


def test_what_the_endpoint_refuses_at_the_end_is_said(store: Callable[..., Store]) -> None:
    with http_receiver(lambda request: Reply(400) if request.items else OK) as receiver:
        ours = store(receiver.url, ship_interval=3600, protocol="http/json")
        ours.append("traces", line("a"))
        assert ours.send_last() is True


def test_an_item_after_the_end_is_kept(store: Callable[..., Store]) -> None:
    ours = store(None)
    ours.append("traces", line("a"))
    ours.stop(1.0)
    ours.close(1.0)
    ours.append("traces", line("b"))
    assert keepers() == []
    assert [b'"name":"b"' in content for content in contents(ours.journal.folder)].count(True) == 1


def test_a_forked_child_has_a_segment_and_a_thread_of_its_own(store: Callable[..., Store]) -> None:
    ours = store(None)
    ours.append("traces", line("parent"))
    ours.before_fork()
    assert keepers() == []  # or `os.fork` warns
    pid = os.fork()
    if not pid:
        try:
            ours.after_fork_in_child()
            ours.append("traces", line("child"))
            os._exit(len(keepers()) + len([segment for segment in ours.journal.segments("traces") if str(os.getpid()) in segment.path.name]))
        finally:
            os._exit(99)
    ours.after_fork_in_parent()
    ours.append("traces", line("parent again"))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    assert len(keepers()) == 1
    assert len(contents(ours.journal.folder)) == 2


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("traces-*.jsonl"))]
