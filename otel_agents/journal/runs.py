"""Runs in progress: told again at the head of each new segment of logs, and closed by whoever finds that their process has died.

A line that begins with a blank repeats what an earlier segment has told. It is there for those who read the files, and is not sent again. The blanks of the
first such line are the segment's number: a Collector knows a file by its first 1,000 bytes, and would take two segments that begin alike for one.
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

RUN = b'"eventName":"otel_agents.run.'  # outside of a string, where every quote is escaped, only a record's own name looks like this
STARTED = f'"eventName":"{names.EVENT_OA_RUN_STARTED}"'.encode()
SPAN_ID = re.compile(rb'"spanId":"([0-9a-f]{16})"')
AGAIN = re.compile(rb"(?: [^\n]*\n)*")
BINARY = str.maketrans("01", " \t")
MOST_BYTES = 2**18  # of what is told again; a program with more open runs than that has its oldest told by their segments alone


class Runs:
    """The lines of the runs that have begun in this process and not ended, by the ids of their spans."""

    def __init__(self) -> None:
        self._open: dict[bytes, bytes] = {}
        self._under_way: dict[int, bytes] = {}

    @contextmanager
    def noted(self, line: bytes) -> Iterator[None]:
        """Write a run's line within: what it says counts before it is written, so that no other thread's new segment tells of it wrongly."""
        thread = threading.get_ident()
        self._under_way[thread] = line
        self.note(line)
        try:
            yield
        finally:
            self._under_way.pop(thread, None)

    def note(self, line: bytes) -> None:
        """Take a line into account, if it is a run's."""
        ids = SPAN_ID.findall(line) if RUN in line else []
        if ids and STARTED in line:
            self._open[ids[-1]] = line
        elif ids:
            self._open.pop(ids[-1], None)

    def open(self) -> list[bytes]:
        """The lines of those that have not ended."""
        return list(self._open.values())

    def again(self, number: int) -> bytes:
        """The head of the new segment of logs of this number: what is open, but for the line that this thread is about to write there."""
        told, size, own = list[bytes](), 0, self._under_way.get(threading.get_ident())
        for line in reversed(self.open()):
            size += len(line)
            if size <= MOST_BYTES and line is not own:
                told.append(b" " + line)
        return b"".join([blanks(number), *reversed(told)]) if told else b""


def blanks(number: int) -> bytes:
    """The number in binary, written with blanks and tabs, which mean nothing in JSON."""
    return f" {number:b}".translate(BINARY).encode()


def told_again(fd: int) -> int:
    """How many bytes at the start of a segment only repeat what an earlier one has told."""
    found = AGAIN.match(os.pread(fd, CHUNK, 0)) if os.pread(fd, 1, 0) == b" " else None
    return found.end() if found is not None else 0


def is_last(path: Path) -> bool:
    """Whether the process began no later segment of this signal: then it says which runs were open at the end."""
    parts = SEGMENT.fullmatch(path.name)
    if parts is None:
        return False
    later = path.with_name(segment_name(parts["signal"], parts["owner"], int(parts["number"]) + 1))
    return not (later.exists() or as_sent(later).exists())


# ------------------------------------------------------------------------------------------------ whose process died


class Died(NamedTuple):
    """A run that was open when its process died: the record that began it, and the end of its line, which says whose it was."""

    record: Json
    tail: bytes

    @property
    def attributes(self) -> dict[str, str]:
        """Those that are text."""
        return {one["key"]: one["value"].get("stringValue", "") for one in self.record.get("attributes", ())}

    @property
    def sampled(self) -> tuple[int, int] | None:
        """The ids of its trace and span, if they are kept."""
        return (int(self.record["traceId"], 16), int(self.record["spanId"], 16)) if self.record.get("flags", 0) & 1 else None


Count = Callable[[list[Died], int], Iterable[bytes]]  # died runs that were found then (nanoseconds since the epoch) → OTLP/JSON metrics


def died(fd: int) -> list[Died]:
    """The runs that were open when the process died whose last segment of logs this is."""
    runs = Runs()
    with open(fd, "rb", closefd=False) as file:
        file.seek(0)
        for line in file:
            runs.note(line.lstrip())
    return [run for line in runs.open() for run in begun(line)]


def begun(line: bytes) -> Iterator[Died]:
    at = line.rfind(TAIL_START)
    with suppress(ValueError, KeyError):  # torn, or of another version
        record = orjson.loads(line[len(HEAD["logs"]) : at])
        int(record["timeUnixNano"]), int(record["traceId"], 16)
        yield Died(record, line[at:].rstrip() + b"\n")


def closed(path: Path, runs: list[Died], found_at: int, count: Count) -> Iterator[tuple[str, bytes]]:
    """The lines, each behind its signal, that close these runs: a `run.ended` with the outcome `died` for each, and as many in the counter of runs.

    path: the last segment of logs of their process. The same `found_at` gives the same lines, so that nothing counts twice if it has to be done again.
    """
    steps = LastSteps(path)
    for run in runs:
        yield "logs", HEAD["logs"] + orjson.dumps(ended(run.record, steps, found_at)) + run.tail
    for tail in dict.fromkeys(run.tail for run in runs):
        for metric in count([run for run in runs if run.tail == tail], found_at):
            yield "metrics", HEAD["metrics"] + metric + of_instance(tail, owner_of(path))


def ended(run: Json, steps: LastSteps, found_at: int) -> Json:
    """The record that closes a run, made of the one that began it; its time is the last sign of life in its trace."""
    step, at = steps.of(run["traceId"])
    told = {names.OA_OUTCOME: "died", **({names.OA_LAST_STEP: step} if step else {})}
    return {
        **run,
        "timeUnixNano": max(run["timeUnixNano"], at, key=int),
        "observedTimeUnixNano": str(found_at),
        "attributes": [*run.get("attributes", ()), *({"key": name, "value": {"stringValue": value}} for name, value in told.items())],
        "eventName": names.EVENT_OA_RUN_ENDED,
    }


def of_instance(tail: bytes, owner: str) -> bytes:
    """The end of a metric's line, whose instance is the process alone: a log's may have the one that the program's own provider gives to all its processes."""
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
    """The last span that ended in a trace, from the segments of one process, the newest first."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    @cached_property
    def _traces(self) -> list[Path]:
        owner = SEGMENT.fullmatch(self._logs.name)
        found = [(int(one["number"]), path) for path in self._logs.parent.iterdir() if (one := SEGMENT.fullmatch(path.name)) and of(one, owner)]
        return [path for _, path in sorted(found, reverse=True)]

    def of(self, trace: str) -> tuple[str, str]:
        """Its name and end (nanoseconds since the epoch); nothing and "0" where none had ended."""
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
