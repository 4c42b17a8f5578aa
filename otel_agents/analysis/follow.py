"""Follows a journal as it grows: new lines, new files, rotated and renamed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path

from otel_agents.analysis.folder import Folder, Segment, opened
from otel_agents.analysis.items import Decoder, Item, Span

FOLLOWED = ("traces", "logs")
LAST_BYTES = 2**17
RECENT = 16  # segments to search for the latest items


@dataclass(slots=True)
class Follower:
    """Each `poll` reads on from where the last one stopped; the first returns what is new since the object was created."""

    folder: Folder
    positions: dict[str, int] = field(default_factory=dict)
    decoders: dict[str, Decoder] = field(default_factory=lambda: {signal: Decoder(signal) for signal in FOLLOWED})

    def __post_init__(self) -> None:
        self.positions = {segment.key: whole_lines(segment) for segment in self.folder.segments(*FOLLOWED)}

    def poll(self) -> list[Item]:
        """The new items, in order of time."""
        segments = self.folder.segments(*FOLLOWED)
        self.positions = {segment.key: self.positions.get(segment.key, 0) for segment in segments}
        return sorted((item for segment in segments for item in self.read_on(segment)), key=moment)

    def read_on(self, segment: Segment) -> Iterator[Item]:
        start = self.positions[segment.key]
        if segment.size <= start:
            return
        new = read(segment.path, start, segment.size - start)
        whole = new[: new.rfind(b"\n") + 1]
        self.positions[segment.key] = start + len(whole)
        for line in whole.splitlines():
            if not line.startswith(b" "):  # such a line repeats one of an earlier segment
                yield from self.decoders[segment.signal].items(line, str(segment.path))

    def before(self, count: int, since: int = 0) -> list[Item]:
        """Items that existed before, in order of time: all since `since` (nanoseconds since the epoch), or the last `count`."""
        if since:
            return sorted((item for item in self.existing(since) if moment(item) >= since), key=moment)
        return sorted(nlargest(count, self.existing(), key=moment), key=moment) if count > 0 else []

    def existing(self, since: int = 0) -> Iterator[Item]:
        """The items before the current positions; without `since`, only those near the end of the newest segments."""
        segments = self.folder.segments(*FOLLOWED, since=since)
        for segment in segments if since else segments[:RECENT]:
            end = self.positions.get(segment.key, 0)
            start = 0 if since else max(0, end - LAST_BYTES)
            for line in read(segment.path, start, end - start).split(b"\n")[1 if start else 0 : -1]:
                yield from self.decoders[segment.signal].items(line, str(segment.path))


def moment(item: Item) -> int:
    """When the item was complete: a span's end, a record's time."""
    return (item.end or item.start) if isinstance(item, Span) else item.time


def whole_lines(segment: Segment) -> int:
    """The offset at which the last whole line ends; what follows is still being written."""
    start = max(0, segment.size - LAST_BYTES)
    end = read(segment.path, start, segment.size - start).rfind(b"\n") + 1
    return start + end if end or start == 0 else segment.size


def read(path: Path, start: int, size: int) -> bytes:
    """A part of the file; empty if the file is gone."""
    try:
        with opened(path) as file:
            file.seek(start)
            return file.read(size)
    except OSError:
        return b""
