"""What comes into a journal while one looks on: new lines, new files, rotated and renamed ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path

from otel_agents.analysis.folder import Folder, Segment, opened
from otel_agents.analysis.items import Decoder, Item, Log, Span

SIGNALS = ("traces", "logs")
LAST_BYTES = 2**17


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
            yield from self.decoders[segment.signal].items(line, str(segment.path))

    def last(self, count: int) -> list[Item]:
        """The last items that are there already, in order of time."""
        recent = self.folder.segments(*SIGNALS)[: max(count, 8)] if count > 0 else []
        found = (item for segment in recent for line in last_lines(segment) for item in self.decoders[segment.signal].items(line, str(segment.path)))
        return sorted(nlargest(count, found, key=moment), key=moment)


def moment(item: Item) -> int:
    """When it was complete: a span's end, a record's time."""
    return (item.end or item.start) if isinstance(item, Span) else item.time


def trace_id_of(item: Item) -> str:
    return item.trace_id if isinstance(item, Span | Log) else ""


def whole_lines(segment: Segment) -> int:
    """Where its last whole line ends: what stands behind it is still being written."""
    start = max(0, segment.size - LAST_BYTES)
    end = read(segment.path, start, segment.size - start).rfind(b"\n") + 1
    return start + end if end or start == 0 else segment.size


def last_lines(segment: Segment) -> list[bytes]:
    start = max(0, segment.size - LAST_BYTES)
    lines = read(segment.path, start, segment.size - start).split(b"\n")
    return lines[1 if start else 0 : -1]


def read(path: Path, start: int, size: int) -> bytes:
    """That part of the file; nothing when it is gone."""
    try:
        with opened(path) as file:
            file.seek(start)
            return file.read(size)
    except OSError:
        return b""
