"""The write-ahead file: one write() of one whole line to this process's own segment, on the thread that ended the item.

No lock is held during the write. Replacing the file behind a descriptor (rotation, a folder that was removed, a descriptor closed by the program) happens under
one small lock and through dup2, so that a writer on another thread writes to the old or the new file, never to one that is not ours. A rotated segment stays
locked until our own shipper has sent it; a segment that is not locked belongs to a dead process.
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

from otel_agents.journal.files import Segment, create, is_blocked, is_same, lines_after, locked, new_owner, release
from otel_agents.journal.runs import RUN, Runs
from otel_agents.journal.tally import Dropped, Tally, Warnings
from otel_agents.otlp.segment_names import as_sent, segment_name
from otel_agents.otlp.signals import SIGNALS

MIB = 2**20
STALLED_AFTER = 0.2  # seconds that a write may take before further callers defer theirs
PARTING_S = 0.05  # how long an ending process waits for writes of its other threads
DEFERRED_AT_ONCE = 64  # deferred lines that one caller writes after its own
MAX_DEFERRED_BYTES = 8 * MIB
SHARES = 16  # a segment has at most a sixteenth of the cap
GROWING = 4  # all writers together add at most a quarter of the cap before they look at the folder again
FIRST_SHARE, FIRST_BYTES = 256, 2**15  # the first segment is small: a new process does not know yet how many others there are

REASONS = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
}
UNWRITABLE = "otel-agents: the journal in %s can't be written (%s); items are dropped and counted until it can. Free the disk or set OTEL_AGENTS_JOURNAL_DIR."
STALLED = "otel-agents: the disk under %s does not respond; up to %d bytes are held in memory, further items are dropped and counted."


class Reentered(Exception):
    """A signal handler ended an item while its own thread was replacing a segment."""


class Journal:
    """The segments of this process for one destination; a caller's thread only ever calls `append`.

    rotate_bytes, cap_bytes: maximum size of a segment, and of the whole journal folder. max_age_s: how long an unsent item is kept.
    `dropped(signal, reason, count)` is called for items that could not be kept.
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
        self.enforce: Callable[[], None] = lambda: None  # set by caps.py: looks at the whole folder, drops what is too much
        self.dropped_some: Callable[[], None] = lambda: None  # set by ship.py: saves the counts, so that they outlive the process
        self._begin()

    def _begin(self) -> None:
        """Initialise everything that belongs to this process, not to its parent."""
        self.owner = new_owner()
        self.tally, self.warnings = Tally(self._dropped), Warnings()
        self.others_bytes = 0  # of all other segments in the journal folder, as last counted (caps.py)
        self.writers = 1  # processes that write to the folder, as last counted
        self.limit = min(self.rotate_bytes, max(self.cap_bytes // FIRST_SHARE, FIRST_BYTES))
        self.rotations = 0
        self._numbers: dict[str, int] = {}
        self._runs = Runs()
        self._lock = threading.RLock()  # reentrant: a signal handler may end a span while this thread holds it
        self._rotating = False
        self._current: dict[str, Segment] = {}
        self._rotated: list[Segment] = []
        self._writing: dict[object, tuple[float, int]] = {}  # start (monotonic seconds) and native thread id of each write under way
        self._deferred: deque[tuple[str, bytes]] = deque()
        self._deferred_bytes = 0

    # ---------------------------------------------------------------------------------------- on the caller's thread

    def append(self, signal: str, line: bytes) -> None:
        """Write one whole line (with its newline). A line that can't be written is counted; nothing is raised."""
        if signal == "logs" and RUN in line:
            with self._runs.noted(line):
                self._put(signal, line)
        else:
            self._put(signal, line)
        if self._deferred:
            self.write_deferred(DEFERRED_AT_ONCE)

    def _put(self, signal: str, line: bytes) -> None:
        writing = self._writing
        if writing and self._is_stalled():
            self._defer(signal, line)
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
            self._defer(signal, line)
        except OSError as error:
            self._lose(signal, error)
        finally:
            writing.pop(token, None)

    def _write_whole(self, segment: Segment, line: bytes) -> None:
        """The second attempt, in a new segment; on a full disk a third would fail too."""
        written = os.write(segment.fd, line)
        if written != len(line):
            segment.torn = written > 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _condition(self, segment: Segment) -> str:
        """ "good", or why it can't be written to: "foreign" (not our file any more), "spoilt" (deleted, or ends with a fragment), "full"."""
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
        """Set the size of a segment: a share of what all writers together may add to the folder."""
        self.writers = writers
        self.limit = min(self.rotate_bytes, self.cap_bytes // (GROWING * len(SIGNALS) * writers))

    @property
    def reserve(self) -> int:
        """Bytes to keep free for segments being written."""
        return len(SIGNALS) * self.writers * self.limit

    def _is_stalled(self) -> bool:
        """Whether the disk blocks a writer; a thread that merely waits for the interpreter on a busy machine does not count."""
        late = time.monotonic() - STALLED_AFTER
        return any(began < late and is_blocked(thread) for began, thread in list(self._writing.values()))

    def _defer(self, signal: str, line: bytes) -> None:
        """Keep the line in memory while the disk hangs, up to a limit; later callers and the shipper's thread write it."""
        if self._deferred_bytes + len(line) <= MAX_DEFERRED_BYTES:
            self._deferred_bytes += len(line)  # a race may miscount it by a line, until the lines are written
            self._deferred.append((signal, line))
            return
        self.tally.count(signal, "stalled", 1)
        self.warnings.once("stalled", STALLED, self.folder, MAX_DEFERRED_BYTES)

    def _lose(self, signal: str, error: OSError) -> None:
        reason = REASONS.get(error.errno or 0, "disk_error")
        self.tally.count(signal, reason, 1)
        self.warnings.once(reason, UNWRITABLE, self.folder, error.strerror)

    # ---------------------------------------------------------------------------------------- replacing a segment, under the lock

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
            self._reclaim(segment)
            return new
        if condition == "good":  # another thread has replaced it already
            return segment
        try:
            return self._rotate(segment, self._create(signal))
        except OSError:
            if condition == "full":  # larger than intended, but safe
                return segment
            raise

    def _create(self, signal: str) -> Segment:
        number = self._numbers.get(signal, 0) + 1
        path = self.folder / segment_name(signal, self.owner, number)
        head = self._runs.repeated(number) if signal == "logs" else b""
        try:
            new = create(signal, path, self._file_mode, head)
        except FileNotFoundError:
            self.root.mkdir(mode=self._folder_mode, parents=True, exist_ok=True)
            self.folder.mkdir(mode=self._folder_mode, exist_ok=True)
            new = create(signal, path, self._file_mode, head)
        self._numbers[signal] = number  # without gaps: a segment that has no successor is the last one
        return new

    def _rotate(self, old: Segment, new: Segment) -> Segment:
        """Put the new file behind the same descriptor; a duplicate keeps the old one locked until it is sent."""
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

    def _reclaim(self, segment: Segment | None) -> None:
        """The program closed our descriptor, and so released the lock: take it again, unless an adopter was faster."""
        if segment is not None and self._relocked(segment):
            self._retain(segment)

    def _relocked(self, segment: Segment) -> bool:
        fd = locked(segment.path)
        if fd is not None:
            segment.fd = fd
        return fd is not None

    def _keep_under_cap(self) -> None:
        """Drop our own oldest segments at once, without the shipper, which may be blocked in a request."""
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
        self.dropped_some()  # before it is deleted: a process that dies in between has counted too many, never too few
        with suppress(OSError):
            os.unlink(segment.path)
        self._forget(segment)

    def _forget(self, segment: Segment) -> None:
        if segment in self._rotated:
            self._rotated.remove(segment)
        release(segment)

    # ---------------------------------------------------------------------------------------- for the shipper and the caps

    def segments(self, signal: str) -> list[Segment]:
        """This process's segments of the signal, oldest first."""
        with self._lock:
            current = self._current.get(signal)
            return [one for one in self._rotated if one.signal == signal] + ([current] if current is not None else [])

    def paths(self) -> set[Path]:
        """The paths of the segments that this process holds."""
        with self._lock:
            return {segment.path for segment in (*self._rotated, *self._current.values())}

    def is_complete(self, segment: Segment) -> bool:
        """Whether nothing can be added to it: it is rotated, and all writes that began before have ended."""
        rotated_at = segment.rotated_at
        return rotated_at is not None and all(began > rotated_at for began, _ in list(self._writing.values()))

    def take(self, segment: Segment) -> bool:
        """Protect the segment from our own caps while it is being sent; False if it is no longer ours."""
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
        """It is sent: rename it, so that it stays readable, and release its lock."""
        with self._lock, suppress(OSError):
            if segment.offset:
                os.rename(segment.path, as_sent(segment.path))
            else:
                os.unlink(segment.path)
        with self._lock:
            self._forget(segment)

    def let_go(self, segment: Segment) -> None:
        """Close a complete segment as it is; from now on only the caps delete it."""
        with self._lock:
            self._forget(segment)

    def drop_own(self, path: Path, reason: str) -> bool:
        """Drop a rotated segment of this process for the caps; False if it is not one, or is being sent."""
        with self._lock:
            for segment in self._rotated:
                if segment.path == path and not segment.in_hand:
                    self._drop(segment, reason)
                    return True
        return False

    def write_deferred(self, limit: int = 2**31) -> None:
        """Write the lines that were deferred while the disk hung."""
        for _ in range(min(limit, len(self._deferred))):
            if self._is_stalled():
                return
            with suppress(IndexError):  # another thread is writing them too
                signal, line = self._deferred.popleft()
                self._deferred_bytes = max(0, self._deferred_bytes - len(line))
                self._put(signal, line)

    # ---------------------------------------------------------------------------------------- forks and exits

    def seal(self) -> None:
        """Close the current segments to writers; the next item starts a new one."""
        with self._lock:
            current, self._current = list(self._current.values()), {}
            for segment in current:
                if is_same(segment):
                    self._retain(segment)
                else:
                    self._reclaim(segment)

    def close(self) -> None:
        """Release every lock: the next process that ships sends what is unsent. A later item starts a new segment.

        A segment that another thread is still writing to is closed once the write ends, or by the end of the process.
        """
        self.write_deferred()
        self.seal()
        until = time.monotonic() + PARTING_S
        while (busy := [segment for segment in self._rotated if not self.is_complete(segment)]) and time.monotonic() < until:
            time.sleep(PARTING_S / 100)
        with self._lock:
            for segment in [segment for segment in self._rotated if segment not in busy]:
                self._forget(segment)

    def before_fork(self) -> None:
        """Keep a fork from happening in the middle of a rotation, whose descriptors the child would not know (for `os.register_at_fork`)."""
        self._lock.acquire(timeout=1.0)

    def after_fork_in_parent(self) -> None:
        with suppress(RuntimeError):  # the disk hung, and the lock was not acquired in time
            self._lock.release()

    def after_fork_in_child(self) -> None:
        """Close inherited descriptors without unlocking, and start afresh."""
        inherited = [*self._current.values(), *self._rotated]
        self._begin()
        for segment in inherited:
            release(segment)
