"""The files of one destination: their names, how a segment comes into being locked, and how its identity is known again."""

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
BESIDE = re.compile(rf"{OWNER}\.offsets\.json")
BROKEN_OFF = re.compile(rf"(?:{SEGMENT.pattern}|{BESIDE.pattern}\.\d+)\.tmp")  # its process died before it had its name
CHUNK = 2**20
DESCRIPTORS = 2**20  # more than a process may have, and less than any address
CREATE = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def new_owner() -> str:
    """A name no other process has had on this machine: pid, start, a random part."""
    return f"{os.getpid()}-{time.time_ns():x}-{os.urandom(4).hex()}"


@dataclass(eq=False, slots=True)
class Segment:
    """One file of this process: where it is, which descriptor keeps it locked, how far it is sent."""

    signal: str
    path: Path
    fd: int
    device: int
    inode: int
    offset: int = 0  # what the endpoint has acknowledged
    size: int = 0  # known once it is rotated
    rotated_at: float | None = None  # monotonic seconds; None while it is written to
    torn: bool = False  # a short write left a fragment at its end; the item stands whole in the next segment
    in_hand: bool = False  # the shipper is sending from it
    began: float = field(default_factory=time.monotonic)


def create(signal: str, path: Path, mode: int = 0o600, head: bytes = b"") -> Segment:
    """A new segment under its final name, where nobody could meet it unlocked. head: what it begins with, of which nothing is to be sent."""
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
    """Write all of it, or say that the disk is full."""
    if content and os.write(fd, content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_same(segment: Segment) -> bool:
    """Whether the descriptor still is our file: a program may have closed it, and reused its number."""
    try:
        status = os.fstat(segment.fd)
    except OSError:
        return False
    return status.st_ino == segment.inode and status.st_dev == segment.device


def release(segment: Segment) -> None:
    """Give the lock up by closing, never by unlocking: another process may share the open file."""
    if is_same(segment):
        os.close(segment.fd)


def locked(path: Path) -> int | None:
    """A read-only descriptor that holds the file's lock; None while somebody lives in it, or when the name is another file by now."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe of that name would hold us up for ever
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
    """How many whole lines stand behind the offset."""
    lines = 0
    with suppress(OSError):
        while chunk := os.pread(fd, CHUNK, offset):
            lines += chunk.count(b"\n")
            offset += len(chunk)
    return lines


def is_held_up(thread: int) -> bool:
    """Whether the thread (by its native id) is inside a call on a descriptor, not on its way to the interpreter; True where the system does not tell."""
    try:
        call = Path(f"/proc/self/task/{thread}/syscall").read_bytes().split()  # its number and what it was given; for a lock that is an address
    except OSError:
        return True
    return len(call) > 1 and int(call[1], 16) < DESCRIPTORS
