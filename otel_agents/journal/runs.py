"""Runs in progress: repeated at the head of each new segment of logs, and closed by the process that finds their own process dead.

A line that starts with a blank repeats a line of an earlier segment. It is for those who read the files, and is not sent again. The blanks of the first such
line encode the segment's number: a Collector identifies a file by its first 1,000 bytes, and would take two segments with the same start for one.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import orjson

from otel_agents import semconv as names
from otel_agents.journal.files import CHUNK
from otel_agents.journal.values import Json
from otel_agents.otlp.segment_names import SEGMENT, as_sent, owner_of, segment_name
from otel_agents.otlp.signals import HEAD, NESTING, TAIL_START

RUN = b'"eventName":"otel_agents.run.'  # matches only a record's own event name: inside a string, its quotes would be escaped
STARTED = f'"eventName":"{names.EVENT_OA_RUN_STARTED}"'.encode()
SPAN_ID = re.compile(rb'"spanId":"([0-9a-f]{16})"')
REPEATED = re.compile(rb"(?: [^\n]*\n)*")
BINARY = str.maketrans("01", " \t")
MAX_REPEATED_BYTES = 2**18  # repeated per segment; of a program with more open runs, the oldest are only in their own segments


class Runs:
    """The lines of the runs that have started in this process and not ended, by span id."""

    def __init__(self) -> None:
        self._open: dict[bytes, bytes] = {}
        self._under_way: dict[int, bytes] = {}

    @contextmanager
    def noted(self, line: bytes) -> Iterator[None]:
        """Wraps the write of a run's line: it takes effect before it is written, so that a new segment of another thread repeats the right runs."""
        thread = threading.get_ident()
        self._under_way[thread] = line
        self.note(line)
        try:
            yield
        finally:
            self._under_way.pop(thread, None)

    def note(self, line: bytes) -> None:
        """Record that a run started or ended, if the line says so."""
        ids = SPAN_ID.findall(line) if RUN in line else []
        if ids and STARTED in line:
            self._open[ids[-1]] = line
        elif ids:
            self._open.pop(ids[-1], None)

    def open(self) -> list[bytes]:
        """The lines of the runs that have not ended."""
        return list(self._open.values())

    def repeated(self, number: int) -> bytes:
        """The head of the segment of logs with this number: the open runs, except the line that this thread is about to write."""
        lines, size, own = list[bytes](), 0, self._under_way.get(threading.get_ident())
        for line in reversed(self.open()):
            size += len(line)
            if size <= MAX_REPEATED_BYTES and line is not own:
                lines.append(b" " + line)
        return b"".join([blanks(number), *reversed(lines)]) if lines else b""


def blanks(number: int) -> bytes:
    """The number in binary, written with blanks and tabs, which JSON ignores."""
    return f" {number:b}".translate(BINARY).encode()


def repeated_bytes(fd: int) -> int:
    """How many bytes at the start of a segment repeat an earlier one."""
    found = REPEATED.match(os.pread(fd, CHUNK, 0)) if os.pread(fd, 1, 0) == b" " else None
    return found.end() if found is not None else 0


def is_last(path: Path) -> bool:
    """Whether the process started no later segment of this signal: only the last one says which runs were open at the end."""
    parts = SEGMENT.fullmatch(path.name)
    if parts is None:
        return False
    later = path.with_name(segment_name(parts["signal"], parts["owner"], int(parts["number"]) + 1))
    return not (later.exists() or as_sent(later).exists())


# ------------------------------------------------------------------------------------------------ runs of dead processes


class Died(NamedTuple):
    """A run that was open when its process died: the record of its start, and the tail of that line (scope and resource)."""

    record: Json
    tail: bytes

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes; those that are not strings are empty."""
        return {one["key"]: one["value"].get("stringValue", "") for one in self.record.get("attributes", ())}

    @property
    def sampled(self) -> tuple[int, int] | None:
        """The ids of its trace and span, if it was sampled."""
        return (int(self.record["traceId"], 16), int(self.record["spanId"], 16)) if self.record.get("flags", 0) & 1 else None


Count = Callable[[list[Died], int], Iterable[bytes]]  # died runs, and when they were found (nanoseconds since the epoch) → OTLP/JSON metrics


def died(fd: int) -> list[Died]:
    """The runs that were open when the process died; fd: its last segment of logs."""
    runs = Runs()
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        for line in file:
            runs.note(line.lstrip())
    return [run for line in runs.open() for run in started(line)]


def started(line: bytes) -> Iterator[Died]:
    at = line.rfind(TAIL_START)
    with suppress(ValueError, KeyError):  # torn, or of another version
        record = orjson.loads(line[len(HEAD["logs"]) : at])
        int(record["timeUnixNano"]), int(record["traceId"], 16)
        yield Died(record, line[at:].rstrip() + b"\n")


def closed(path: Path, runs: list[Died], found_at: int, count: Count) -> Iterator[tuple[str, bytes]]:
    """The lines that close these runs, each with its signal: a `run.ended` with the outcome `died` for each, and points for the counter of runs.

    path: the last segment of logs of their process. The same `found_at` gives the same lines, so that nothing counts twice if it is repeated.
    """
    steps = LastSteps(path)
    for run in runs:
        yield "logs", HEAD["logs"] + orjson.dumps(ended(run.record, steps, found_at)) + run.tail
    for tail in dict.fromkeys(run.tail for run in runs):
        for metric in count([run for run in runs if run.tail == tail], found_at):
            yield "metrics", HEAD["metrics"] + metric + of_instance(tail, owner_of(path))


def ended(run: Json, steps: LastSteps, found_at: int) -> Json:
    """The record that closes a run, from the record of its start; its time is the end of the last span in its trace."""
    step, at = steps.of(run["traceId"])
    added = {names.OA_OUTCOME: "died", **({names.OA_LAST_STEP: step} if step else {})}
    return {
        **run,
        "timeUnixNano": max(run["timeUnixNano"], at, key=int),
        "observedTimeUnixNano": str(found_at),
        "attributes": [*run.get("attributes", ()), *({"key": name, "value": {"stringValue": value}} for name, value in added.items())],
        "eventName": names.EVENT_OA_RUN_ENDED,
    }


def of_instance(tail: bytes, owner: str) -> bytes:
    """The tail of a metric's line, with the instance id of this process alone: in a log's tail it may be one that all processes of the program share."""
    line = orjson.loads(HEAD["metrics"] + tail)
    resource = line[NESTING["metrics"].resources][0]["resource"]
    others = [one for one in resource.get("attributes", ()) if one["key"] != names.SERVICE_INSTANCE_ID]
    given = "".join(one["value"].get("stringValue", "") for one in resource.get("attributes", ()) if one["key"] == names.SERVICE_INSTANCE_ID)
    if given.endswith(owner):
        return tail
    instance = {"key": names.SERVICE_INSTANCE_ID, "value": {"stringValue": f"{given}-{owner}" if given else owner}}
    resource["attributes"] = [*others, instance]
    whole = orjson.dumps(line)
    return whole[whole.rfind(TAIL_START) :] + b"\n"


class LastSteps:
    """Finds the last span that ended in a trace, in the segments of one process, newest first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    @cached_property
    def _traces(self) -> list[Path]:
        owner = SEGMENT.fullmatch(self._logs.name)
        found = [(int(one["number"]), path) for path in self._logs.parent.iterdir() if (one := SEGMENT.fullmatch(path.name)) and of(one, owner)]
        return [path for _, path in sorted(found, reverse=True)]

    def of(self, trace: str) -> tuple[str, str]:
        """Its name and end (nanoseconds since the epoch); "" and "0" if none had ended."""
        for path in self._traces:
            with suppress(OSError, ValueError, LookupError):
                content = path.read_bytes()
                at = content.rindex(b'"traceId":"%s"' % trace.encode())
                line = content[content.rfind(b"\n", 0, at) + 1 : content.index(b"\n", at)]
                _, _, (span, *_) = next(NESTING["traces"].walk(orjson.loads(line)))
                return span["name"], span["endTimeUnixNano"]
        return "", "0"


def of(traces: re.Match[str], logs: re.Match[str] | None) -> bool:
    return logs is not None and traces["signal"] == "traces" and traces["owner"] == logs["owner"]
