"""What comes into a journal while one looks on: new lines, new files, rotated and renamed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path

from otel_agents.analysis.folder import Folder, Segment, opened
from otel_agents.analysis.items import Decoder, Item, Span

SIGNALS = ("traces", "logs")
LAST_BYTES = 2**17
RECENT = 16  # segments that are looked into for the last items


@dataclass(slots=True)
class Follower:
    """Reads on where it stopped; the first `poll` gives what came since it was made."""

    folder: Folder
    positions: dict[str, int] = field(default_factory=dict)
    decoders: dict[str, Decoder] = field(default_factory=lambda: {signal: Decoder(signal) for signal in SIGNALS})

    def __post_init__(self) -> None:
        self.positions = {segment.key: whole_lines(segment) for segment in self.folder.segments(*SIGNALS)}

    def poll(self) -> list[Item]:
        """What has come since the last time, in order of time."""
        segments = self.folder.segments(*SIGNALS)
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
            if not line.startswith(b" "):  # else it only repeats what an earlier segment has told
                yield from self.decoders[segment.signal].items(line, str(segment.path))

    def before(self, count: int, since: int = 0) -> list[Item]:
        """What was there already, in order of time: all since a moment (nanoseconds since the epoch), or the last `count` items."""
        if since:
            return sorted((item for item in self.there(since) if moment(item) >= since), key=moment)
        return sorted(nlargest(count, self.there(), key=moment), key=moment) if count > 0 else []

    def there(self, since: int = 0) -> Iterator[Item]:
        """The items in front of the positions; without a moment to begin at, those near the end of the newest segments."""
        segments = self.folder.segments(*SIGNALS, since=since)
        for segment in segments if since else segments[:RECENT]:
            end = self.positions.get(segment.key, 0)
            start = 0 if since else max(0, end - LAST_BYTES)
            for line in read(segment.path, start, end - start).split(b"\n")[1 if start else 0 : -1]:
                yield from self.decoders[segment.signal].items(line, str(segment.path))


def moment(item: Item) -> int:
    """When it was complete: a span's end, a record's time."""
    return (item.end or item.start) if isinstance(item, Span) else item.time


def whole_lines(segment: Segment) -> int:
    """Where its last whole line ends: what stands behind it is still being written."""
    start = max(0, segment.size - LAST_BYTES)
    end = read(segment.path, start, segment.size - start).rfind(b"\n") + 1
    return start + end if end or start == 0 else segment.size


def read(path: Path, start: int, size: int) -> bytes:
    """That part of the file; nothing when it is gone."""
    try:
        with opened(path) as file:
            file.seek(start)
            return file.read(size)
    except OSError:
        return b""
