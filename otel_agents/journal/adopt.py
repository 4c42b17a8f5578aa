"""Adopts the segments of dead processes: one elected process of a destination sends what they left, in short passes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from otel_agents.journal.files import OFFSETS, Segment, locked, release
from otel_agents.journal.runs import Count, closed, died, is_last, repeated_bytes
from otel_agents.journal.tally import Offsets
from otel_agents.otlp.segment_names import SEGMENT, as_sent, owner_of

ELECTION = "adopter.lock"
TOGETHER = 64  # dead segments sent at once; most hold only a few lines
PASS_S = 0.2  # duration of one pass
SCAN_EVERY_S = 15.0


class Scan(Protocol):
    """What os.scandir returns."""

    def __next__(self) -> os.DirEntry[str]: ...
    def __iter__(self) -> Iterator[os.DirEntry[str]]: ...
    def close(self) -> None: ...


Ship = Callable[[str, list[Segment]], bool]


class Adopter:
    """Sends what unlocked segments of this destination still hold; `ship(signal, segments)` returns whether all of it was sent.

    append(signal, line): writes to our own segments. count: turns died runs into metrics.
    """

    def __init__(self, folder: Path, own: str, append: Callable[[str, bytes], None], count: Count) -> None:
        self._folder, self._own, self._append, self._count = folder, own, append, count
        self._election: Segment | None = None
        self._in_hand: list[Segment] = []
        self._entries: Scan | None = None
        self._next_scan = 0.0
        self._offsets: dict[str, Offsets] = {}
        self.has_written = False  # records that close runs, in this pass

    def run(self, signals: set[str], ship: Ship, seconds: float = PASS_S) -> bool:
        """One pass over the folder, resumed at the next call; False if something could not be sent."""
        until = time.monotonic() + seconds
        self.has_written = False
        if not signals or not self._has_begun():
            return True
        while time.monotonic() < until:
            found = self._next_dead(signals, until)
            if not found:
                break
            sent = [self._send(signal, found, ship) for signal in sorted({segment.signal for segment in found})]
            if not all(sent):
                self._finish_scan()
                return False
        return True

    def _has_begun(self) -> bool:
        """Whether a scan is under way, or starts now because it is due and we are elected."""
        if self._entries is not None:
            return True
        if time.monotonic() < self._next_scan or not self._is_elected():
            return False
        with suppress(OSError):
            self._entries = os.scandir(self._folder)
        return self._entries is not None

    def _is_elected(self) -> bool:
        """Take the folder's lock for the duration of a scan; its holder does all the work."""
        self._next_scan = time.monotonic() + SCAN_EVERY_S
        path = self._folder / ELECTION
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            return False
        fd = locked(path)
        if fd is None:
            return False
        self._election = held("", path, fd)
        return True

    def _next_dead(self, signals: set[str], until: float) -> list[Segment]:
        found: list[Segment] = []
        while len(found) < TOGETHER and time.monotonic() < until:
            entry = next(self._entries, None) if self._entries is not None else None
            if entry is None:
                self._finish_scan()
                break
            dead = self._dead(entry.name, signals)
            if dead is not None:
                found.append(dead)
        return found

    def _dead(self, name: str, signals: set[str]) -> Segment | None:
        """The segment of that name, locked by us, if its process is dead and its signal can be sent."""
        parts = SEGMENT.fullmatch(name)
        if parts is None or parts["sent"] or parts["owner"] == self._own or parts["signal"] not in signals:
            return None
        path = self._folder / name
        fd = locked(path)
        if fd is None:
            return None
        dead = held(parts["signal"], path, fd)
        self._in_hand.append(dead)
        dead.offset = min(max(self._left_by(parts["owner"]).sent.get(name, 0), repeated_bytes(fd)), dead.size)
        return dead

    def _left_by(self, owner: str) -> Offsets:
        if owner not in self._offsets:
            self._offsets[owner] = Offsets.read(self._folder / f"{owner}{OFFSETS}")
        return self._offsets[owner]

    def _send(self, signal: str, found: list[Segment], ship: Ship) -> bool:
        segments = [segment for segment in found if segment.signal == signal]
        try:
            return ship(signal, segments)
        finally:
            for segment in segments:
                release(segment)
                self._in_hand.remove(segment)

    def remember(self, segment: Segment) -> None:
        """Save how far a dead segment was sent, for the next adopter."""
        offsets = self._left_by(owner_of(segment.path))
        offsets.sent[segment.path.name] = segment.offset
        offsets.save()

    def finish(self, segment: Segment) -> None:
        """It is sent: rename it, so that it stays readable, or delete it if empty. Runs that its process left open are closed here."""
        if segment.signal == "logs" and is_last(segment.path) and (runs := died(segment.fd)):
            for signal, line in closed(segment.path, runs, self._found_at(segment), self._count):
                self._append(signal, line)
                self.has_written = True
        with suppress(OSError):
            if segment.size:
                os.rename(segment.path, as_sent(segment.path))
            else:
                os.unlink(segment.path)
        offsets = self._left_by(owner_of(segment.path))
        if offsets.sent.pop(segment.path.name, None) is not None:
            offsets.save()

    def _found_at(self, segment: Segment) -> int:
        """When its process was first found dead; an adopter that died meanwhile has saved it."""
        offsets = self._left_by(owner_of(segment.path))
        if offsets.found_at is None:
            offsets.found_at = time.time_ns()
            offsets.save()
        return offsets.found_at

    def _finish_scan(self) -> None:
        """Release the folder, so that another process can be elected."""
        if self._entries is not None:
            self._entries.close()
        self._entries = None
        self._offsets.clear()
        if self._election is not None:
            release(self._election)
        self._election = None

    def close(self) -> None:
        self._finish_scan()

    def forget(self) -> None:
        """In a forked child: close the copies of the parent's descriptors, which would hold its locks as long as the child lives."""
        self._finish_scan()
        for segment in self._in_hand:
            release(segment)
        self._in_hand.clear()


def held(signal: str, path: Path, fd: int) -> Segment:
    """A file whose lock we hold, as a complete segment."""
    status = os.fstat(fd)
    return Segment(signal, path, fd, status.st_dev, status.st_ino, size=status.st_size, rotated_at=0.0)
