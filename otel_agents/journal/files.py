"""The files of one destination: how a segment is created locked, recognised, read and released."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from otel_agents.otlp.segment_names import OWNER, SEGMENT

OFFSETS = ".offsets.json"
UNFINISHED = ".tmp"
OFFSETS_FILE = re.compile(rf"{OWNER}\.offsets\.json")
UNFINISHED_FILE = re.compile(rf"(?:{SEGMENT.pattern}|{OFFSETS_FILE.pattern}\.\d+)\.tmp")  # its process died before it was renamed
CHUNK = 2**20
MAX_DESCRIPTOR = 2**20  # more than a process may have, and lower than any address
CREATE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def new_owner() -> str:
    """A name that no other process on this machine has had: pid, start time, a random part."""
    return f"{os.getpid()}-{time.time_ns():x}-{os.urandom(4).hex()}"


@dataclass(eq=False, slots=True)
class Segment:
    """One file of this process: its path, the descriptor that keeps it locked, how far it has been sent."""

    signal: str
    path: Path
    fd: int
    device: int
    inode: int
    offset: int = 0  # bytes that the endpoint has acknowledged
    size: int = 0  # bytes; known once it is rotated
    rotated_at: float | None = None  # monotonic seconds; None while it is being written
    torn: bool = False  # a short write left a fragment at its end; the whole item is in the next segment
    in_hand: bool = False  # the shipper is sending from it
    began: float = field(default_factory=time.monotonic)


def create(signal: str, path: Path, mode: int = 0o600, head: bytes = b"") -> Segment:
    """Create a segment; it appears under its final name already locked. head: the bytes it starts with, which are not sent."""
    unfinished = path.with_name(path.name + UNFINISHED)
    fd = os.open(unfinished, CREATE, mode)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_whole(fd, head)
        status = os.fstat(fd)
        os.rename(unfinished, path)
    except OSError:
        os.close(fd)
        with suppress(OSError):
            os.unlink(unfinished)
        raise
    return Segment(signal, path, fd, status.st_dev, status.st_ino, offset=len(head))


def write_whole(fd: int, content: bytes) -> None:
    """Write all of it, or raise OSError: the disk is full."""
    if content and os.write(fd, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_same(segment: Segment) -> bool:
    """Whether the descriptor is still our file: a program may have closed it, and its number may be in use again."""
    try:
        status = os.fstat(segment.fd)
    except OSError:
        return False
    return status.st_ino == segment.inode and status.st_dev == segment.device


def release(segment: Segment) -> None:
    """Release the lock by closing, never by unlocking: another process may share the open file."""
    if is_same(segment):
        os.close(segment.fd)


def locked(path: Path) -> int | None:
    """A read-only descriptor that holds the file's lock; None if its process is alive, or if the name is another file by now."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe of that name would block us for ever
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mine, named = os.fstat(fd), os.stat(path)
    except OSError:
        os.close(fd)
        return None
    if stat.S_ISREG(mine.st_mode) and (mine.st_dev, mine.st_ino) == (named.st_dev, named.st_ino):
        return fd
    os.close(fd)
    return None


def lines_after(fd: int, offset: int) -> int:
    """How many whole lines follow the offset."""
    lines = 0
    with suppress(OSError):
        while chunk := os.pread(fd, CHUNK, offset):
            lines += chunk.count(b"\n")
            offset += len(chunk)
    return lines


def is_blocked(thread: int) -> bool:
    """Whether the thread (by its native id) is blocked in a system call on a descriptor, not waiting for the interpreter; True if the system can't tell."""
    try:
        call = Path(f"/proc/self/task/{thread}/syscall").read_bytes().split()  # its number and arguments; of a wait for a lock, the first is an address
    except OSError:
        return True
    return len(call) > 1 and int(call[1], 16) < MAX_DESCRIPTOR


def is_locked(path: Path) -> bool:
    """Whether a process is writing to the file; probed with a shared lock, which does not disturb other readers."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
