"""The write-ahead file: one write() of one whole line to this process's own segment, on the thread that ended the item.

No lock is held over the write. What replaces the file behind a descriptor (rotation, a folder that went away, a foreign close) happens under one small lock
and through dup2, so that a writer on another thread hits the old or the new file, never a stranger's. A rotated segment stays locked until our own shipper has
sent it; whoever finds a segment unlocked knows that its process is gone.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from otel_agents.journal.files import Segment, create, is_held_up, is_same, lines_after, locked, new_owner, release
from otel_agents.journal.runs import RUN, Runs
from otel_agents.journal.tally import Dropped, Said, Tally
from otel_agents.otlp.segment_names import as_sent, segment_name
from otel_agents.otlp.signals import SIGNALS

MIB = 2**20
STALLED_AFTER = 0.2  # seconds that a write may take before further callers stop to join it
PARTING_S = 0.05  # what a process that ends gives to its threads' writes that are under way
ASIDE_AT_ONCE = 64  # lines that one caller writes for those who were put aside
ASIDE_BYTES = 8 * MIB
SHARES = 16  # a segment is at most this part of the cap
GROWING = 4  # what all writers may still add before they look at the folder again is at most this part of the cap
FIRST_SHARE, FIRST_BYTES = 256, 2**15  # the first segment is small: a process that starts does not know yet how many others there are

REASONS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
}
UNWRITABLE = (
    "otel-agents: the journal in %s can't be written (%s); items that end meanwhile are dropped and counted. Free the disk or set OTEL_AGENTS_JOURNAL_DIR."
)
STALLED = "otel-agents: the disk under %s does not answer; items beyond %d bytes in memory are dropped and counted."


class Reentered(Exception):
    """A signal handler ended an item while its thread was replacing a segment."""


class Journal:
    """The segments of this process for one destination; `append` is all that a caller's thread ever does.

    rotate_bytes, cap_bytes: size of a segment, and of the whole journal folder. max_age_s: how long an unsent item is kept.
    `dropped(signal, reason, count)` hears of each item that could not be kept.
    """

    def __init__(
        self,
        folder: Path,
        destination: str,
        *,
        rotate_bytes: int = 32 * MIB,
        cap_bytes: int = 512 * MIB,
        max_age_s: float = 7 * 86400.0,
        fsync: bool = False,
        group_readable: bool = False,
        dropped: Dropped = lambda signal, reason, count: None,
    ) -> None:
        self.root, self.folder, self.destination = Path(folder), Path(folder) / destination, destination
        self._folder_mode, self._file_mode = (0o750, 0o640) if group_readable else (0o700, 0o600)
        self.cap_bytes, self.max_age_s, self._fsync, self._dropped = cap_bytes, max_age_s, fsync, dropped
        self.rotate_bytes = max(1, min(rotate_bytes, cap_bytes // SHARES))
        self.enforce: Callable[[], None] = lambda: None  # looks at the whole folder, sets the two below and drops what is too much
        self.dropped_some: Callable[[], None] = lambda: None  # told when a segment was dropped, so that its count outlives the process
        self._begin()

    def _begin(self) -> None:
        """Everything that belongs to this process, not to its parent."""
        self.owner = new_owner()
        self.tally, self.said = Tally(self._dropped), Said()
        self.others_bytes = 0  # of everybody else in the journal folder, as last counted (caps.py)
        self.writers = 1  # processes that write to it, as last counted
        self.limit = min(self.rotate_bytes, max(self.cap_bytes // FIRST_SHARE, FIRST_BYTES))
        self.rotations = 0
        self._numbers: dict[str, int] = {}
        self._runs = Runs()
        self._lock = threading.RLock()  # a signal handler may end a span while this thread holds it
        self._rotating = False
        self._current: dict[str, Segment] = {}
        self._rotated: list[Segment] = []
        self._writing: dict[object, tuple[float, int]] = {}  # since when, and the thread
        self._aside: deque[tuple[str, bytes]] = deque()
        self._aside_bytes = 0

    # what a caller's thread does

    def append(self, signal: str, line: bytes) -> None:
        """Write one whole line (with its newline); what can't be written is counted, never raised."""
        if signal == "logs" and RUN in line:
            with self._runs.noted(line):
                self._put(signal, line)
        else:
            self._put(signal, line)
        if self._aside:
            self.write_aside(ASIDE_AT_ONCE)

    def _put(self, signal: str, line: bytes) -> None:
        writing = self._writing
        if writing and self._is_stalled():
            self._put_aside(signal, line)
            return
        token = object()
        writing[token] = time.monotonic(), threading.get_native_id()
        try:
            segment = self._current.get(signal)
            if segment is None or self._condition(segment) != "good":
                segment = self._renewed(signal)
            if os.write(segment.fd, line) != len(line):
                segment = self._after_torn(signal, segment)
                self._write_whole(segment, line)
            if self._fsync:
                os.fsync(segment.fd)
        except Reentered:
            self._put_aside(signal, line)
        except OSError as error:
            self._lose(signal, error)
        finally:
            writing.pop(token, None)

    def _write_whole(self, segment: Segment, line: bytes) -> None:
        """The second try, in a new segment: on a full disk nothing comes of a third."""
        written = os.write(segment.fd, line)
        if written != len(line):
            segment.torn = written > 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _condition(self, segment: Segment) -> str:
        """Whether it may be written to: still ours, still in its folder, not full and without a fragment at its end."""
        try:
            status = os.fstat(segment.fd)
        except OSError:
            return "foreign"
        if status.st_ino != segment.inode or status.st_dev != segment.device:
            return "foreign"
        if segment.torn or not status.st_nlink:
            return "spoilt"
        return "good" if status.st_size < self.limit else "full"

    def share(self, writers: int) -> None:
        """Bytes that a segment may have: a share of what all who write to the folder may add together."""
        self.writers = writers
        self.limit = min(self.rotate_bytes, self.cap_bytes // (GROWING * len(SIGNALS) * writers))

    @property
    def reserve(self) -> int:
        """Bytes to be kept free for what is being written."""
        return len(SIGNALS) * self.writers * self.limit

    def _is_stalled(self) -> bool:
        """Whether the disk holds up a writer; one that only waits for its turn on a busy machine says nothing of it."""
        late = time.monotonic() - STALLED_AFTER
        return any(began < late and is_held_up(thread) for began, thread in list(self._writing.values()))

    def _put_aside(self, signal: str, line: bytes) -> None:
        """Keep the line in memory while the disk hangs, up to a bound; the shipper's thread writes it later."""
        if self._aside_bytes + len(line) <= ASIDE_BYTES:
            self._aside_bytes += len(line)  # threads may miscount it by a line, and it is set right when the lines are written
            self._aside.append((signal, line))
            return
        self.tally.count(signal, "stalled", 1)
        self.said.once("stalled", STALLED, self.folder, ASIDE_BYTES)

    def _lose(self, signal: str, error: OSError) -> None:
        reason = REASONS.get(error.errno or 0, "disk_error")
        self.tally.count(signal, reason, 1)
        self.said.once(reason, UNWRITABLE, self.folder, error.strerror)

    # replacing a segment, under the lock

    def _after_torn(self, signal: str, segment: Segment) -> Segment:
        segment.torn = True
        return self._renewed(signal)

    def _renewed(self, signal: str) -> Segment:
        with self._lock:
            if self._rotating:
                raise Reentered
            self._rotating = True
            try:
                return self._renew(signal, self._current.get(signal))
            finally:
                self._rotating = False

    def _renew(self, signal: str, segment: Segment | None) -> Segment:
        condition = self._condition(segment) if segment is not None else "none"
        if segment is None or condition == "foreign":
            new = self._create(signal)
            self._current[signal] = new
            self._set_aside_foreign(segment)
            return new
        if condition == "good":  # another thread was here first
            return segment
        try:
            return self._rotate(segment, self._create(signal))
        except OSError:
            if condition == "full":  # larger than wished for, but safe
                return segment
            raise

    def _create(self, signal: str) -> Segment:
        number = self._numbers.get(signal, 0) + 1
        path = self.folder / segment_name(signal, self.owner, number)
        head = self._runs.again(number) if signal == "logs" else b""
        try:
            new = create(signal, path, self._file_mode, head)
        except FileNotFoundError:
            self.root.mkdir(mode=self._folder_mode, parents=True, exist_ok=True)
            self.folder.mkdir(mode=self._folder_mode, exist_ok=True)
            new = create(signal, path, self._file_mode, head)
        self._numbers[signal] = number  # without a gap: a segment that has no successor is the last one
        return new

    def _rotate(self, old: Segment, new: Segment) -> Segment:
        """Put the new file behind the same descriptor; a copy of the old one keeps its lock until it is sent."""
        number, kept = old.fd, os.dup(old.fd)
        os.dup2(new.fd, number, inheritable=False)
        os.close(new.fd)
        new.fd, old.fd = number, kept
        self._current[new.signal] = new
        self._retain(old)
        self.enforce()
        self._keep_under_cap()
        return new

    def _retain(self, segment: Segment) -> None:
        segment.size = os.fstat(segment.fd).st_size
        segment.rotated_at = time.monotonic()  # last: a writer that saw the old segment has an earlier stamp
        self._rotated.append(segment)
        self.rotations += 1

    def _set_aside_foreign(self, segment: Segment | None) -> None:
        """The program closed our descriptor, and the lock with it: take the lock again, unless somebody was faster."""
        if segment is not None and self._relocked(segment):
            self._retain(segment)

    def _relocked(self, segment: Segment) -> bool:
        fd = locked(segment.path)
        if fd is not None:
            segment.fd = fd
        return fd is not None

    def _keep_under_cap(self) -> None:
        """At once, because the shipper may hang in a request: our own oldest give way first."""
        room = self.cap_bytes - self.others_bytes - self.reserve
        idle = [segment for segment in self._rotated if not segment.in_hand]
        excess = sum(segment.size for segment in self._rotated) - room
        for segment in idle:
            if excess <= 0:
                return
            excess -= segment.size
            self._drop(segment, "cap")

    def _drop(self, segment: Segment, reason: str) -> None:
        self.tally.count(segment.signal, reason, lines_after(segment.fd, segment.offset))
        self.dropped_some()  # before it is gone: a process that ends in between has counted too many, never too few
        with suppress(OSError):
            os.unlink(segment.path)
        self._forget(segment)

    def _forget(self, segment: Segment) -> None:
        if segment in self._rotated:
            self._rotated.remove(segment)
        release(segment)

    # what the shipper asks for

    def segments(self, signal: str) -> list[Segment]:
        """This process's segments of the signal, the oldest first."""
        with self._lock:
            current = self._current.get(signal)
            return [one for one in self._rotated if one.signal == signal] + ([current] if current is not None else [])

    def paths(self) -> set[Path]:
        """Where this process's segments are that it still holds."""
        with self._lock:
            return {segment.path for segment in (*self._rotated, *self._current.values())}

    def is_complete(self, segment: Segment) -> bool:
        """Whether nothing can come behind what is in it: it is rotated, and every write that began before has ended."""
        rotated_at = segment.rotated_at
        return rotated_at is not None and all(began > rotated_at for began, _ in list(self._writing.values()))

    def take(self, segment: Segment) -> bool:
        """Hold the segment against our own caps while it is being sent; False when it is no longer ours."""
        with self._lock:
            if segment.rotated_at is not None and not self._is_still_ours(segment):
                return False
            segment.in_hand = True
            return True

    def _is_still_ours(self, segment: Segment) -> bool:
        if segment not in self._rotated:
            return False
        if is_same(segment) or self._relocked(segment):
            return True
        self._rotated.remove(segment)  # an adopter was faster
        return False

    def put_back(self, segment: Segment) -> None:
        segment.in_hand = False

    def retire(self, segment: Segment) -> None:
        """It is sent: keep it readable under its other name, and let its lock go."""
        with self._lock, suppress(OSError):
            if segment.offset:
                os.rename(segment.path, as_sent(segment.path))
            else:
                os.unlink(segment.path)
        with self._lock:
            self._forget(segment)

    def let_go(self, segment: Segment) -> None:
        """Close a complete segment as it is; it belongs to the caps from now on."""
        with self._lock:
            self._forget(segment)

    def drop_own(self, path: Path, reason: str) -> bool:
        """Drop a rotated segment of this process for the caps; False when it is not one, or is being sent."""
        with self._lock:
            for segment in self._rotated:
                if segment.path == path and not segment.in_hand:
                    self._drop(segment, reason)
                    return True
        return False

    def write_aside(self, most: int = 2**31) -> None:
        """Write what was put aside while the disk hung."""
        for _ in range(min(most, len(self._aside))):
            if self._is_stalled():
                return
            with suppress(IndexError):  # another thread is at it too
                signal, line = self._aside.popleft()
                self._aside_bytes = max(0, self._aside_bytes - len(line))
                self._put(signal, line)

    # the ends of a process

    def seal(self) -> None:
        """Let no more be written to the current segments; the next item begins a new one."""
        with self._lock:
            current, self._current = list(self._current.values()), {}
            for segment in current:
                if is_same(segment):
                    self._retain(segment)
                else:
                    self._set_aside_foreign(segment)

    def close(self) -> None:
        """Let every lock go: what is unsent belongs to whoever ships next. A later item begins a new segment.

        A segment that another thread is writing to is closed after it; at the end of the process, if that takes long.
        """
        self.write_aside()
        self.seal()
        until = time.monotonic() + PARTING_S
        while (held := [segment for segment in self._rotated if not self.is_complete(segment)]) and time.monotonic() < until:
            time.sleep(PARTING_S / 100)
        with self._lock:
            for segment in [segment for segment in self._rotated if segment not in held]:
                self._forget(segment)

    def before_fork(self) -> None:
        """Keep a fork out of the middle of a rotation, whose descriptors the child would not know (for `os.register_at_fork`)."""
        self._lock.acquire(timeout=1.0)

    def after_fork_in_parent(self) -> None:
        with suppress(RuntimeError):  # a disk that hangs: the lock was not to be had in time
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Close what was inherited, unlock nothing, and be a new process."""
        inherited = [*self._current.values(), *self._rotated]
        self._begin()
        for segment in inherited:
            release(segment)
