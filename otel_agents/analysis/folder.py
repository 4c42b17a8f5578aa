"""The files of a journal folder and the items in them, newest first; torn or foreign lines are counted, never an error."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from otel_agents.analysis.items import Decoder, Item, Log, Point, Span
from otel_agents.otlp.segment_names import SEGMENT, as_sent, stem
from otel_agents.otlp.signals import SIGNALS


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of a journal: its process, size (bytes) and time of the last write (nanoseconds since the epoch)."""

    path: Path
    signal: str
    destination: str
    owner: str
    is_sent: bool
    size: int
    modified: int

    @property
    def key(self) -> str:
        """An identifier that stays the same when the segment is sent and renamed."""
        return f"{self.destination}/{stem(self.path)}"


class Folder:
    """A journal folder to read from; `skipped` counts lines that are torn or not OTLP, `unreadable` holds errors of the system by path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unreadable: dict[Path, str] = {}
        self._decoders = {signal: Decoder(signal) for signal in SIGNALS}

    @property
    def skipped(self) -> int:
        return sum(decoder.skipped for decoder in self._decoders.values())

    def segments(self, *signals: str, since: int = 0) -> list[Segment]:
        """The segments of these signals (default: all) that were written to at or after `since`, newest first."""
        wanted = signals or SIGNALS
        found = {one.key: one for folder in self.destinations() for one in self._within(folder) if one.signal in wanted and one.modified >= since}
        return sorted(found.values(), key=lambda one: (one.modified, one.path.name), reverse=True)

    def destinations(self) -> list[Path]:
        """The folder itself and the folders in it: the path may be a single destination's folder."""
        return [self.path, *(Path(entry.path) for entry in self._entries(self.path) if entry.is_dir())]

    def _within(self, folder: Path) -> Iterator[Segment]:
        for entry in self._entries(folder):
            if (named := SEGMENT.fullmatch(entry.name)) and (segment := segment_of(entry, folder.name, named)):
                yield segment

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except FileNotFoundError:
            return []
        except OSError as error:
            self.unreadable[folder] = error.strerror or str(error)
            return []

    def items(self, segment: Segment, *needles: bytes) -> Iterator[Item]:
        """The items of the segment; with needles, only from lines that contain one of them."""
        decoder = self._decoders[segment.signal]
        for line in self.lines(segment):
            if not needles or any(needle in line for needle in needles):
                yield from decoder.items(line, str(segment.path))

    def lines(self, segment: Segment) -> Iterator[bytes]:
        try:
            with opened(segment.path) as file:
                yield from file
        except FileNotFoundError:
            return
        except OSError as error:
            self.unreadable[segment.path] = error.strerror or str(error)

    def spans(self, segment: Segment, *needles: bytes) -> Iterator[Span]:
        return (item for item in self.items(segment, *needles) if isinstance(item, Span))

    def logs(self, *needles: bytes, since: int = 0) -> Iterator[Log]:
        found = chain.from_iterable(self.items(segment, *needles) for segment in self.segments("logs", since=since))
        return (item for item in found if isinstance(item, Log))

    def points(self, segment: Segment, *metrics: str) -> Iterator[Point]:
        """The points of these metrics (default: all)."""
        needles = [f'"name":"{metric}"'.encode() for metric in metrics]
        return (item for item in self.items(segment, *needles) if isinstance(item, Point) and (not metrics or item.metric in metrics))


def segment_of(entry: os.DirEntry[str], destination: str, named: re.Match[str]) -> Segment | None:
    """The file as a segment; None if it disappeared while the folder was read."""
    with suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):  # a pipe of that name would block us for ever
            return None
        return Segment(Path(entry.path), named["signal"], destination, named["owner"], bool(named["sent"]), status.st_size, status.st_mtime_ns)
    return None


def opened(path: Path) -> BinaryIO:
    with suppress(FileNotFoundError):
        return path.open("rb")
    return as_sent(path).open("rb")  # sent since it was listed
