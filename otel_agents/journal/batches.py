"""Reads whole lines from segments, from an offset on, and joins lines into one OTLP/JSON request."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from otel_agents.journal.files import Segment
from otel_agents.otlp.signals import HEAD, INNER, OUTER, TAIL_START

REQUEST_BYTES = 2**19  # small enough to be joined and compressed without the program noticing
REQUEST_ITEMS = 2000
PIECE_BYTES = 2**16  # joined in one step, during which no other thread runs
REST_S = 0.0001
MAX_LINE = 2**23  # longer than any line we write


@dataclass(slots=True)
class Line:
    """One whole line of a segment and the offset of its end; `raw` is None if the line is only a fragment."""

    segment: Segment
    end: int
    raw: bytes | None


def lines_of(segment: Segment, fd: int, end: int, *, is_complete: bool) -> Iterator[Line]:
    """The whole lines between the acknowledged offset and `end`; of a complete segment also what follows the last newline."""
    offset = segment.offset
    while offset < end and (chunk := whole_lines(fd, offset, end)):
        for raw in chunk.split(b"\n")[:-1]:
            offset += len(raw) + 1
            yield Line(segment, offset, readable(segment.signal, raw))
    if is_complete and not segment.torn and offset < end:
        raw = os.pread(fd, min(MAX_LINE, end - offset), offset)
        yield Line(segment, end, raw if is_whole(segment.signal, raw) else None)


def whole_lines(fd: int, offset: int, end: int) -> bytes:
    """A chunk that ends with a newline; empty if there is none yet."""
    wanted = REQUEST_BYTES
    while True:
        chunk = os.pread(fd, min(wanted, end - offset), offset)
        newline = chunk.rfind(b"\n")
        if newline >= 0:
            return chunk[: newline + 1]
        if len(chunk) < wanted or wanted >= MAX_LINE:
            return b""
        wanted *= 2


class Alike(Sequence[bytes]):
    """The lines of a chunk that share head and tail: `body` is the joined request; iterate to get the lines."""

    __slots__ = ("_chunk", "_count", "body")

    def __init__(self, chunk: bytes, count: int, body: bytes) -> None:
        self._chunk, self._count, self.body = chunk, count, body

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunk.split(b"\n")[:-1])

    def __getitem__(self, which: Any) -> Any:
        return [*self][which]


def alike(signal: str, chunk: bytes) -> Alike | None:
    """The whole lines of a chunk as one request; None if they differ in head or tail. Quotes in strings are escaped, so no item contains a seam.

    The chunk is joined in pieces, with a rest between them in which the program's threads can run.
    """
    head, count = HEAD[signal], chunk.count(b"\n")
    first = chunk[: chunk.find(b"\n") + 1]
    tail = first[cut:] if (cut := first.rfind(TAIL_START)) > 0 else b""
    if not tail or count > REQUEST_ITEMS:
        return None
    items = []
    for piece in pieces(chunk):
        joined = items_of(piece, head, tail)
        if joined is None:
            return None
        items.append(joined)
        time.sleep(REST_S)
    return Alike(chunk, count, head + b",".join(items) + tail[:-1])


def pieces(chunk: bytes) -> Iterator[bytes]:
    """Split a chunk into pieces of whole lines."""
    start = 0
    while start < len(chunk):
        end = chunk.find(b"\n", min(start + PIECE_BYTES, len(chunk) - 1)) + 1
        yield chunk[start:end]
        start = end


def items_of(piece: bytes, head: bytes, tail: bytes) -> bytes | None:
    """The items of lines with this head and tail; None if a line has another."""
    seam, count = tail + head, piece.count(b"\n")
    if not (piece.startswith(head) and piece.endswith(tail) and piece.count(seam) + 1 == piece.count(head) == count):
        return None
    return piece[len(head) : -len(tail)].replace(seam, b",")


def readable(signal: str, raw: bytes) -> bytes | None:
    """The line, without a fragment of an earlier line in front of it; None if it is itself a fragment."""
    head = HEAD[signal]
    start = raw.rfind(head)  # inside a string, its quotes would be escaped
    if start >= 0 and raw.endswith(b"]}") and raw.find(TAIL_START, start) > 0:
        return raw[start:]
    return raw if is_whole(signal, raw) else None


def is_whole(signal: str, raw: bytes) -> bool:
    """Whether it parses, as a line without its newline does, or one that another version of otel-agents wrote."""
    if not (raw.startswith(OUTER[signal]) and raw.endswith(b"]}")):
        return False
    try:
        return isinstance(orjson.loads(raw), dict)
    except ValueError:
        return False


def batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Group lines into batches no larger than a request may be, in bytes and items."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        length = len(line.raw or b"")
        if batch and (size + length > REQUEST_BYTES or len(batch) >= REQUEST_ITEMS):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += length
    if batch:
        yield batch


def grouped(signal: str, lines: Sequence[bytes]) -> dict[bytes, list[bytes]]:
    """Items by tail; lines of another shape are kept whole under an empty tail."""
    start, head = len(HEAD[signal]), HEAD[signal]
    groups: dict[bytes, list[bytes]] = {}
    for line in lines:
        cut = line.rfind(TAIL_START) if line.startswith(head) else -1
        tail, item = (line[cut:], line[start:cut]) if cut > 0 else (b"", line)
        groups.setdefault(tail, []).append(item)
    return groups


def joined(signal: str, lines: Sequence[bytes]) -> bytes:
    """One request with all the lines, each tail only once."""
    if isinstance(lines, Alike):
        return lines.body
    outer, inner = OUTER[signal], INNER[signal]
    foreign = slice(len(outer), -2)
    elements = [
        b",".join(item[foreign] for item in items) if not tail else inner + b",".join(items) + tail[:-2] for tail, items in grouped(signal, lines).items()
    ]
    return outer + b",".join(elements) + b"]}"
