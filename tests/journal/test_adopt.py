"""What dead processes left is sent once, by one; what lives, or is somebody else's, is left alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from otlp_server import OK, Reply, Request, http_receiver
from rig import Rig, span

from otel_agents.journal.adopt import ELECTION
from otel_agents.journal.encode import Lines
from otel_agents.journal.files import locked
from otel_agents.otlp.segment_names import as_sent

MakeRig = Callable[..., Rig]
LINES = Lines(lambda text, name="": text)


def dead(folder: Path, names: list[str], owner: str = "1-a-b", number: int = 1, signal: str = "traces") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{signal}-{owner}-{number}.jsonl"
    path.write_bytes(b"".join(LINES.span(span(name)) for name in names))
    return path


def adopt_all(one: Rig) -> None:
    one.shipper._adopter._next_scan = 0.0
    one.shipper.run_once()


def test_a_dead_segment_is_sent_once_and_stays_readable(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        path = dead(one.journal.folder, ["a", "b"])
        for _ in range(3):
            adopt_all(one)
        assert receiver.names() == ["a", "b"]
        assert len(receiver.requests) == 1
    assert one.files() == [as_sent(path).name]


def test_many_small_dead_segments_go_in_few_requests(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        for number in range(200):
            dead(one.journal.folder, [f"{number:03}"], owner=f"{number}-a-b")
        while len(receiver.items("traces")) < 200:
            adopt_all(one)
        assert receiver.names() == [f"{number:03}" for number in range(200)]
        assert len(receiver.requests) < 10


def test_a_living_process_keeps_its_segments(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        living, other = rig(receiver.url), rig(receiver.url)
        living.span("a")
        adopt_all(other)
        assert receiver.names() == []
        living.journal.close()
        adopt_all(other)
        assert receiver.names() == ["a"]


def test_another_destination_is_left_alone(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url, destination="d1")
        for destination in ("d2", "local"):
            dead(one.journal.root / destination, ["secret"])
        adopt_all(one)
        assert receiver.requests == []
        assert len(list(one.journal.root.glob("*/traces-1-a-b-1.jsonl"))) == 2


def test_a_signal_without_an_endpoint_is_left_alone(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url, signals=("logs",))
        path = dead(one.journal.folder, ["a"])
        adopt_all(one)
        assert receiver.requests == []
        assert path.exists()


def test_it_goes_on_where_the_dead_process_stopped(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        path = dead(one.journal.folder, ["a", "b", "c"])
        left = one.journal.folder / "1-a-b.offsets.json"
        left.write_text(json.dumps({"sent": {path.name: len(path.read_bytes().splitlines(keepends=True)[0])}, "dropped": {}}))
        adopt_all(one)
        assert receiver.names() == ["b", "c"]
        assert json.loads(left.read_bytes())["sent"] == {}


def test_an_adopter_that_was_cut_short_leaves_an_offset(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(503) if "z" in request.items[-1]["name"] else OK) as receiver:
        one = rig(receiver.url)
        path = dead(one.journal.folder, ["x" * 900_000, "z"])
        adopt_all(one)
        left = json.loads((one.journal.folder / "1-a-b.offsets.json").read_bytes())
        assert left["sent"] == {path.name: len(path.read_bytes().splitlines(keepends=True)[0])}
        receiver.answer = lambda request: OK
        rig(receiver.url).shipper.run_once()
        assert sorted(name[:1] for name in receiver.names()) == ["x", "z"]


def test_a_last_line_torn_at_any_byte_harms_only_itself(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        first, second = LINES.span(span("a")), LINES.span(span("torn"))
        for cut in range(1, len(second)):
            dead(one.journal.folder, [], owner=f"{cut}-a-b").write_bytes(first + second[:cut])
        while one.files("*-1.jsonl"):
            adopt_all(one)
        whole_but_for_its_newline = 1
        assert receiver.names() == ["a"] * (len(second) - 1) + ["torn"] * whole_but_for_its_newline
    assert one.dropped == {("traces", "torn"): len(second) - 1 - whole_but_for_its_newline}


def test_foreign_files_are_neither_sent_nor_removed(rig: MakeRig) -> None:
    foreign = ["notes.txt", "traces.jsonl", "traces-1-a-b-1.jsonl.bak", "my.offsets.json", "something.tmp", "profiles-1-a-b-1.jsonl"]
    with http_receiver() as receiver:
        one = rig(receiver.url, cap_bytes=160, max_age_s=1.0)
        one.journal.folder.mkdir(parents=True)
        for name in foreign:
            (one.journal.folder / name).write_text("{}\n" * 1000)
            os.utime(one.journal.folder / name, (1, 1))
        adopt_all(one)
        one.shipper._caps.enforce()
        assert receiver.requests == []
    assert {path.name for path in one.journal.folder.iterdir()} == {*foreign, ELECTION}


def test_an_empty_dead_segment_just_goes(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        dead(one.journal.folder, [])
        adopt_all(one)
        assert receiver.requests == []
    assert one.files() == []


def test_one_of_several_is_elected(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one, other = rig(receiver.url), rig(receiver.url)
        one.journal.folder.mkdir(parents=True)
        one.shipper._adopter._is_elected()
        dead(one.journal.folder, ["a"])
        adopt_all(other)
        assert receiver.requests == []
        one.shipper._adopter._finish_scan()
        adopt_all(other)
        assert receiver.names() == ["a"]


def test_a_name_that_became_another_file_is_not_locked(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("")
    fd = locked(path)
    assert fd is not None
    assert locked(path) is None
    os.close(fd)
    (tmp_path / "link").symlink_to(path)
    assert locked(tmp_path / "link") is None
    assert locked(tmp_path / "missing") is None


def test_adoption_waits_while_the_endpoint_is_down(rig: MakeRig) -> None:
    requests: list[Request] = []
    with http_receiver(lambda request: Reply(503)) as receiver:
        one = rig(receiver.url)
        for number in range(100):
            dead(one.journal.folder, ["a"], owner=f"{number}-a-b")
        adopt_all(one)
        adopt_all(one)
        requests = receiver.requests
    assert len(requests) == 1
    assert one.dropped == {}


def test_a_flush_sends_what_the_last_run_left(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        dead(one.journal.folder, ["old"])
        one.span("new")
        began = time.monotonic()
        assert one.shipper.flush()
        assert time.monotonic() - began < 1.0
        assert receiver.names() == ["new", "old"]
