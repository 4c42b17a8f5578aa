"""Keeps the journal folder within its size and age: sent segments are dropped first, then the oldest that no process writes to, counted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from otel_agents.journal.files import OFFSETS, OFFSETS_FILE, UNFINISHED_FILE, lines_after, locked
from otel_agents.journal.runs import repeated_bytes
from otel_agents.journal.segments import Journal
from otel_agents.journal.tally import Offsets
from otel_agents.otlp.segment_names import SEGMENT, owner_of

SENT_STAYS_S = 86400.0
LEFTOVER_S = 3600.0  # age from which an unfinished file belongs to a dead process
EVERY_S = 600.0  # for the folder, by whichever process is first
STAMP = "caps.stamp"
RESTS = 100  # times as long as the last look took, so that it costs a writer at most 1 % of its time
WRITES_S = 60.0  # a process whose segment changed within this time counts as a writer


@dataclass(slots=True)
class Kept:
    """One segment in the journal folder, as listed."""

    path: Path
    signal: str
    is_sent: bool
    size: int
    changed: float


class Caps:
    """Keeps the journal folder, with all destinations, within bounds."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._rotations, self._not_before = journal, 0, 0.0
        self._seen = self._stamped() or 0.0
        self._clock = Clock()
        journal.enforce = self._at_rotation

    def is_due(self) -> bool:
        """After each rotation, ours or another process's, and every few minutes for programs too short to rotate."""
        if self._journal.rotations != self._rotations:
            return True
        stamped = self._stamped()
        if stamped is None:
            return self._journal.root.exists()
        return (stamped != self._seen and time.monotonic() >= self._not_before) or time.time() - stamped > EVERY_S

    def _at_rotation(self) -> None:
        """On the writer's own thread, because other writers may be as fast."""
        if time.monotonic() >= self._not_before:
            self.enforce()

    def enforce(self) -> None:
        """Drop what is too old, then the oldest segments until the folder is small enough."""
        began, journal = time.monotonic(), self._journal
        if journal.rotations != self._rotations or self._stamped() in (None, self._seen):
            self._stamp()  # not if another process's stamp was the reason: two would trigger each other for ever
        self._rotations, self._seen = journal.rotations, self._stamped() or 0.0
        now = self._clock.now()
        found = sorted(listed(journal.root, journal.max_age_s), key=lambda kept: (not kept.is_sent, kept.changed))
        stay = [kept for kept in found if not (self._is_old(kept, now) and self._drop(kept, "age"))]
        journal.share(len({journal.owner, *(owner_of(kept.path) for kept in stay if not kept.is_sent and now - kept.changed < WRITES_S)}))
        self._shrink(stay, sum(kept.size for kept in stay) - journal.cap_bytes + journal.reserve)
        self._not_before = time.monotonic() + RESTS * (time.monotonic() - began)

    def _shrink(self, stay: list[Kept], excess: int) -> None:
        own, others = self._journal.paths(), 0
        for kept in stay:
            if excess > 0 and self._drop(kept, "cap"):
                excess -= kept.size
            elif kept.path not in own:
                others += kept.size
        self._journal.others_bytes = others

    def _stamped(self) -> float | None:
        with suppress(OSError):
            return os.stat(self._journal.root / STAMP).st_mtime
        return None

    def _stamp(self) -> None:
        with suppress(OSError):
            os.close(os.open(self._journal.root / STAMP, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.utime(self._journal.root / STAMP)

    def _is_old(self, kept: Kept, now: float) -> bool:
        return now - kept.changed > (min(SENT_STAYS_S, self._journal.max_age_s) if kept.is_sent else self._journal.max_age_s)

    def _drop(self, kept: Kept, reason: str) -> bool:
        """Remove one segment; False if it is being written or sent, and therefore locked."""
        if self._journal.drop_own(kept.path, reason):
            return True
        fd = locked(kept.path) if os.access(kept.path.parent, os.W_OK) else None
        if fd is None:
            return False
        try:
            if not kept.is_sent:
                self._journal.tally.count(kept.signal, reason, lines_after(fd, max(acknowledged(kept.path), repeated_bytes(fd))))
                self._journal.dropped_some()
            os.unlink(kept.path)
        except OSError:
            return False
        finally:
            os.close(fd)
        return True


class Clock:
    """The wall clock, limited by the time that has really passed: setting the clock forward makes nothing old."""

    def __init__(self) -> None:
        self._wall, self._began = time.time(), since_boot()

    def now(self) -> float:
        """Seconds since the epoch."""
        return min(time.time(), self._wall + since_boot() - self._began)


def since_boot() -> float:
    """Seconds, including those in which the machine slept, if the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def acknowledged(path: Path) -> int:
    return Offsets.read(path.with_name(f"{owner_of(path)}{OFFSETS}")).sent.get(path.name, 0)


def listed(root: Path, max_age_s: float) -> Iterator[Kept]:
    """The segments of all destinations; other files are ignored. Leftovers of dead processes are deleted on the way."""
    for folder in scanned(root):
        if folder.is_dir(follow_symlinks=False):
            for entry in scanned(Path(folder.path)):
                with suppress(OSError):
                    yield from examined(entry, max_age_s)


def scanned(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def examined(entry: os.DirEntry[str], max_age_s: float) -> Iterator[Kept]:
    parts = SEGMENT.fullmatch(entry.name)
    if parts is not None:
        status = entry.stat(follow_symlinks=False)
        yield Kept(Path(entry.path), parts["signal"], bool(parts["sent"]), status.st_size, status.st_mtime)
        return
    for pattern, stays_s in ((OFFSETS_FILE, max_age_s), (UNFINISHED_FILE, LEFTOVER_S)):
        if pattern.fullmatch(entry.name) and time.time() - entry.stat(follow_symlinks=False).st_mtime > stays_s:
            os.unlink(entry.path)
