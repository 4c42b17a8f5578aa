"""One write a line, whatever happens to the file behind it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from otel_agents.journal import segments
from otel_agents.journal.files import Segment, locked
from otel_agents.journal.segments import Journal
from otel_agents.otlp.segment_names import SEGMENT

Dropped = dict[tuple[str, str], int]


@pytest.fixture
def dropped() -> Dropped:
    return {}


@pytest.fixture
def journal(tmp_path: Path, dropped: Dropped) -> Iterator[Journal]:
    def count(signal: str, reason: str, items: int) -> None:
        dropped[signal, reason] = dropped.get((signal, reason), 0) + items

    made = Journal(tmp_path / "journal", "d0", cap_bytes=16 * 10_000, dropped=count)
    yield made
    made.close()


def lines(journal: Journal) -> list[bytes]:
    return sorted(line for path in journal.folder.glob("*.jsonl") for line in path.read_bytes().splitlines())


def is_locked(path: Path) -> bool:
    fd = locked(path)
    if fd is not None:
        os.close(fd)
    return fd is None


def test_nothing_is_made_before_the_first_line(journal: Journal) -> None:
    assert not journal.root.exists()


def test_a_segment_is_named_locked_and_private(journal: Journal) -> None:
    journal.append("traces", b"a\n")
    journal.append("logs", b"b\n")
    journal.append("traces", b"c\n")
    paths = sorted(journal.folder.iterdir())
    assert [SEGMENT.fullmatch(path.name)["signal"] for path in paths] == ["logs", "traces"]  # type: ignore[index]
    assert [path.read_bytes() for path in paths] == [b"b\n", b"a\nc\n"]
    assert all(is_locked(path) for path in paths)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (journal.root, journal.folder)} == {0o700}
    assert not any(os.get_inheritable(segment.fd) for segment in journal.segments("traces"))


def test_rotation_keeps_the_number_and_the_old_lock(journal: Journal) -> None:
    journal.append("traces", b"x" * 10_000 + b"\n")
    [first] = journal.segments("traces")
    number = first.fd
    journal.append("traces", b"next\n")
    old, new = journal.segments("traces")
    assert (old, new.fd) == (first, number)
    assert not os.get_inheritable(new.fd)
    assert is_locked(old.path)
    assert is_locked(new.path)
    assert journal.is_complete(old)
    assert not journal.is_complete(new)
    assert new.path.read_bytes() == b"next\n"


def test_eight_threads_rotate_without_a_torn_or_missing_line(journal: Journal, dropped: Dropped) -> None:
    journal.cap_bytes = 2**30

    def write(thread: int) -> None:
        for number in range(500):
            journal.append("traces", b"%d-%d-%s\n" % (thread, number, b"x" * 300))

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lines(journal) == sorted(b"%d-%d-%s" % (thread, number, b"x" * 300) for thread in range(8) for number in range(500))
    assert len(journal.segments("traces")) > 50
    assert dropped == {}


def test_a_foreign_close_and_a_reused_number_harm_nobody(journal: Journal, tmp_path: Path) -> None:
    journal.append("traces", b"a\n")
    [segment] = journal.segments("traces")
    number = segment.fd
    os.close(number)
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    assert theirs == number
    journal.append("traces", b"b\n")
    old, new = journal.segments("traces")
    assert (tmp_path / "theirs").read_bytes() == b""
    assert (old.path.read_bytes(), new.path.read_bytes()) == (b"a\n", b"b\n")
    assert is_locked(old.path)
    journal.close()
    os.write(theirs, b"still open")
    os.close(theirs)


def test_a_removed_folder_is_made_again_and_loses_nothing_unsent(journal: Journal) -> None:
    journal.append("traces", b"a\n")
    shutil.rmtree(journal.root)
    journal.append("traces", b"b\n")
    old, new = journal.segments("traces")
    assert os.pread(old.fd, 9, 0) == b"a\n"
    assert new.path.read_bytes() == b"b\n"


def test_a_full_disk_is_counted_and_said_once(journal: Journal, dropped: Dropped, caplog: pytest.LogCaptureFixture) -> None:
    journal.append("traces", b"a\n")
    [segment] = journal.segments("traces")
    with_file, full = (segment.fd, segment.device, segment.inode), os.open("/dev/full", os.O_WRONLY)
    segment.fd, segment.device, segment.inode = full, os.fstat(full).st_dev, os.fstat(full).st_ino
    for _ in range(3):
        journal.append("traces", b"lost\n")
    segment.fd, segment.device, segment.inode = with_file
    os.close(full)
    journal.append("traces", b"b\n")
    assert dropped == {("traces", "disk_full"): 3}
    assert lines(journal) == [b"a", b"b"]
    assert ["No space left" in message for message in caplog.messages] == [True]


def test_a_folder_that_is_a_file_is_counted_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "journal", "d0")
    for _ in range(3):
        journal.append("logs", b"lost\n")
    assert journal.tally.all() == {"logs": {"disk_error": 3}}
    assert [str(tmp_path / "file" / "journal") in message and "OTEL_AGENTS_JOURNAL_DIR" in message for message in caplog.messages] == [True]


SHORT = """
import resource, sys
from otel_agents.journal.segments import Journal
journal = Journal(__import__("pathlib").Path(sys.argv[1]), "d0")
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for number in range(40):
    journal.append("traces", b"%d-%s\\n" % (number, b"x" * 90))
print(journal.tally.all(), len(journal.segments("traces")), sum(segment.torn for segment in journal.segments("traces")))
"""


def test_a_short_write_is_repeated_whole_in_a_new_segment(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SHORT, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "{} 4 3\n"
    found = [line for path in (tmp_path / "d0").iterdir() for line in path.read_bytes().splitlines(keepends=True)]
    whole = {int(line.split(b"-")[0]) for line in found if line.endswith(b"x" * 90 + b"\n")}
    assert whole == set(range(40))


def test_callers_do_not_join_a_write_that_hangs(journal: Journal, dropped: Dropped, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that nobody reads stands for the disk: a write to it blocks as a write to a dead mount does."""
    journal.append("traces", b"a\n")
    [segment] = journal.segments("traces")
    with_file = (segment.fd, segment.device, segment.inode)
    reader, writer = os.pipe()
    fill(writer)
    segment.fd, segment.device, segment.inode = writer, os.fstat(writer).st_dev, os.fstat(writer).st_ino
    monkeypatch.setattr(segments, "MAX_DEFERRED_BYTES", 25)
    monkeypatch.setattr(segments, "STALLED_AFTER", 0.25)
    hung = threading.Thread(target=journal.append, args=("traces", b"hung\n"))
    hung.start()
    while not journal._is_stalled():
        time.sleep(0.01)
    began = time.monotonic()
    for _ in range(7):
        journal.append("logs", b"aside\n")
    assert time.monotonic() - began < 0.1
    assert dropped == {("logs", "stalled"): 3}
    segment.fd, segment.device, segment.inode = with_file
    os.read(reader, 2**20)
    hung.join()
    journal.append("traces", b"b\n")
    assert lines(journal) == [b"a", *[b"aside"] * 4, b"b"]
    os.close(reader)
    os.close(writer)


def test_a_writer_that_waits_for_its_turn_is_no_disk_that_hangs(journal: Journal) -> None:
    """What is put aside lives in memory alone: on a busy machine a killed process would lose it."""
    turn, waits = threading.Lock(), threading.Event()
    with turn:
        starved = threading.Thread(target=lambda: (waits.set(), turn.acquire()))
        starved.start()
        waits.wait()
        time.sleep(0.05)
        assert starved.native_id is not None
        journal._writing[object()] = time.monotonic() - 10, starved.native_id
        journal.append("traces", b"a\n")
        assert lines(journal) == [b"a"]
    starved.join()


def fill(writer: int) -> None:
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, b"x" * 4096):
            pass
    os.set_blocking(writer, True)


def test_a_segment_is_complete_only_when_no_write_is_under_way(journal: Journal) -> None:
    journal.append("traces", b"a\n")
    token = object()
    journal._writing[token] = time.monotonic(), threading.get_native_id()
    journal.seal()
    [segment] = journal.segments("traces")
    assert not journal.is_complete(segment)
    del journal._writing[token]
    assert journal.is_complete(segment)


def test_the_cap_costs_the_oldest_and_counts_them(journal: Journal, dropped: Dropped) -> None:
    for number in range(400):
        journal.append("traces", b"%04d-%s\n" % (number, b"x" * 994))
        assert sum(path.stat().st_size for path in journal.folder.iterdir()) <= journal.cap_bytes
    left = [int(line[:4]) for line in lines(journal)]
    assert left == list(range(400 - len(left), 400))
    assert dropped == {("traces", "cap"): 400 - len(left)}
    assert len(left) > 100


def test_a_segment_in_hand_is_not_dropped(journal: Journal) -> None:
    journal.append("traces", b"x" * 10_000 + b"\n")
    journal.append("traces", b"b\n")
    held = journal.segments("traces")[0]
    assert journal.take(held)
    for _ in range(200):
        journal.append("traces", b"y" * 1_000 + b"\n")
    assert held.path.exists()
    journal.put_back(held)


def test_close_lets_go_and_a_later_line_begins_anew(journal: Journal) -> None:
    journal.append("traces", b"a\n")
    [segment] = journal.segments("traces")
    journal.close()
    assert not is_locked(segment.path)
    journal.append("traces", b"b\n")
    assert lines(journal) == [b"a", b"b"]


def test_close_waits_for_the_write_of_another_thread(journal: Journal, dropped: Dropped, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has seen that its segment is good, and writes: closed under it, the line would be lost, or be written to whoever got the number."""
    journal.append("traces", b"a\n")
    seen, may_go, write = threading.Event(), threading.Event(), os.write

    def slowly(fd: int, line: bytes) -> int:
        if line == b"b\n":
            seen.set()
            may_go.wait()
        return write(fd, line)

    monkeypatch.setattr(os, "write", slowly)
    writer = threading.Thread(target=journal.append, args=("traces", b"b\n"))
    writer.start()
    seen.wait()
    [segment] = journal.segments("traces")
    journal.close()
    assert is_locked(segment.path)
    may_go.set()
    writer.join()
    assert lines(journal) == [b"a", b"b"]
    assert dropped == {}
    journal.close()
    assert not is_locked(segment.path)


FORK = """
import os, sys, pathlib
from otel_agents.journal.segments import Journal
journal = Journal(pathlib.Path(sys.argv[1]), "d0", cap_bytes=16 * 100)
for number in range(3):
    journal.append("traces", b"x" * 100 + b"\\n")
mine = {segment.fd for segment in journal.segments("traces")}
child = os.fork()
if not child:
    before = len(os.listdir("/proc/self/fd"))
    journal.after_fork_in_child()
    assert len(os.listdir("/proc/self/fd")) == before - len(mine), mine
    journal.append("traces", b"child\\n")
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
journal.append("traces", b"parent\\n")
import fcntl
held = 0
for path in journal.folder.iterdir():
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held += 1
    os.close(fd)
print(held, len({path.name.split("-")[3] for path in journal.folder.iterdir()}), len(list(journal.folder.iterdir())))
"""


def test_a_forked_child_has_its_own_segment_and_unlocks_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "4 2 5\n"  # the parent's four stay locked, the child's one is free


def test_a_signal_handlers_item_is_put_aside_while_its_thread_rotates(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    create = segments.create

    def interrupted(signal: str, path: Path, mode: int, head: bytes) -> Segment:
        monkeypatch.setattr(segments, "create", create)
        journal.append("traces", b"from the handler\n")
        return create(signal, path, mode, head)

    monkeypatch.setattr(segments, "create", interrupted)
    journal.append("traces", b"a\n")
    journal.write_deferred()
    assert lines(journal) == [b"a", b"from the handler"]


def test_an_error_of_the_lock_leaves_no_file(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    journal.append("traces", b"lost\n")
    assert list(journal.folder.iterdir()) == []
    assert journal.tally.all() == {"traces": {"disk_error": 1}}


def test_what_is_written_is_one_line_an_item(journal: Journal, tmp_path: Path) -> None:
    journal.append("logs", json.dumps({"a": "\n"}).encode() + b"\n")
    [segment] = journal.segments("logs")
    assert len(segment.path.read_bytes().splitlines()) == 1


@pytest.mark.parametrize(("group_readable", "folder", "file"), [(False, 0o700, 0o600), (True, 0o750, 0o640)])
def test_who_may_read_the_journal(tmp_path: Path, group_readable: bool, folder: int, file: int) -> None:
    before = os.umask(0o022)
    try:
        journal = Journal(tmp_path / "journal", "local", group_readable=group_readable)
        journal.append("traces", b"{}\n")
    finally:
        os.umask(before)
    (segment,) = journal.folder.iterdir()
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in (journal.folder, segment)] == [folder, file]
    journal.close()
