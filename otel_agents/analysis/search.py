"""Finds traces in a journal: the newest, those of a session or an agent, one by its id. Files that can't contain a part of them are not read."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from otel_agents.analysis.folder import Folder, Segment
from otel_agents.analysis.items import Log, Span
from otel_agents.analysis.traces import IsAlive, Summary, Trace, build, summary

RUN_EVENTS = b'"eventName":"otel_agents.run.'
MANY = 64  # from this many ids on, parsing a line is faster than searching it for each


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter: `since` in nanoseconds since the epoch, one conversation, one agent, only traces with errors."""

    since: int = 0
    session: str | None = None
    agent: str | None = None
    with_errors: bool = False

    def accepts(self, found: Summary) -> bool:
        return all(
            (
                found.end >= self.since or found.outcome == "running",
                self.session is None or found.conversation_id == self.session,
                self.agent is None or self.agent in found.agents,
                not self.with_errors or found.errors > 0 or found.outcome in ("error", "died"),
            )
        )


@dataclass(frozen=True, slots=True)
class Found:
    """One trace and its summary."""

    trace: Trace
    summary: Summary


@dataclass(slots=True)
class Search:
    """One search of a folder; `is_alive` tells whether a segment's process is running."""

    folder: Folder
    is_alive: IsAlive = lambda segment: False
    spans: defaultdict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    runs: defaultdict[str, list[Log]] = field(default_factory=lambda: defaultdict(list))
    built: dict[str, tuple[int, Found]] = field(default_factory=dict)

    def newest(self, wanted: Wanted, limit: int | None = None) -> list[Found]:
        """The matching traces, newest first."""
        with uncollected():
            return self.found(wanted, limit)

    def found(self, wanted: Wanted, limit: int | None) -> list[Found]:
        for run in self.folder.logs(RUN_EVENTS):
            self.runs[run.trace_id].append(run)
        unread = self.read_newest(wanted, limit)
        found = self.accepted(wanted)[:limit]
        if self.complete({one.summary.trace_id for one in found}, unread, earliest(found)):
            found = self.accepted(wanted)[:limit]
        return found

    def read_newest(self, wanted: Wanted, limit: int | None) -> list[Segment]:
        """Read segments, newest first, until enough whole traces match; returns the segments left unread."""
        segments = self.folder.segments("traces")
        enough = limit
        for position, segment in enumerate(segments):
            if segment.modified < wanted.since:
                return segments[position:]
            if enough is not None and len(self.spans) >= enough:
                if len(self.accepted(wanted, after=segment.modified)) >= (limit or 0):
                    return segments[position:]
                enough = 2 * len(self.spans)  # check again when there are twice as many: building trees is expensive too
            self.read(segment)
        return []

    def read(self, segment: Segment, trace_ids: set[str] | None = None) -> None:
        needles = [trace_id.encode() for trace_id in trace_ids or ()]
        for span in self.folder.spans(segment, *(needles if len(needles) < MANY else ())):
            if trace_ids is None or span.trace_id in trace_ids:
                self.spans[span.trace_id].append(span)

    def accepted(self, wanted: Wanted, after: int = 0) -> list[Found]:
        """The matching traces among those read, newest first; only traces that started after `after`."""
        found = (self.known(trace_id) for trace_id in dict.fromkeys((*self.spans, *self.runs)))
        matching = [one for one in found if one is not None and one.summary.start > after and wanted.accepts(one.summary)]
        return sorted(matching, key=lambda one: one.summary.start, reverse=True)

    def known(self, trace_id: str) -> Found | None:
        """The trace and its summary, rebuilt only if more of it was read."""
        count, found = self.built.get(trace_id, (0, None))
        parts = len(self.spans.get(trace_id, ())) + len(self.runs.get(trace_id, ()))
        if count != parts and (trace := self.trace(trace_id)) is not None:
            found = Found(trace, summary(trace))
            self.built[trace_id] = parts, found
        return found

    def trace(self, trace_id: str) -> Trace | None:
        return build(self.spans.get(trace_id, ()), self.runs.get(trace_id, ()), self.is_alive)

    def complete(self, trace_ids: set[str], unread: Iterable[Segment], start: int) -> bool:
        """Read these traces' spans in older segments: those written since the earliest trace started, or all if a parent is missing."""
        has_gaps = any(not node.was_recorded for trace_id in trace_ids if (found := self.known(trace_id)) for node in found.trace.nodes())
        older = [segment for segment in unread if has_gaps or segment.modified >= start] if trace_ids else []
        for segment in older:
            self.read(segment, trace_ids)
        return bool(older)

    def by_prefix(self, prefix: str) -> list[str]:
        """The ids of the traces that start with the prefix; their spans and runs are read."""
        needle = f'"traceId":"{prefix}'.encode()
        for segment in self.folder.segments("traces"):
            for span in self.folder.spans(segment, needle):
                if span.trace_id.startswith(prefix):
                    self.spans[span.trace_id].append(span)
        for log in self.folder.logs(needle):
            if log.trace_id.startswith(prefix) and log.event.startswith("otel_agents.run."):
                self.runs[log.trace_id].append(log)
        return list(dict.fromkeys((*self.spans, *self.runs)))


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector: millions of small objects are created and kept here, and it would scan them again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def earliest(found: Iterable[Found]) -> int:
    return min((one.summary.start for one in found), default=0)


def logs_of(folder: Folder, trace_id: str) -> list[Log]:
    """The log records of a trace, in order of time."""
    records = folder.logs(f'"traceId":"{trace_id}"'.encode())
    return sorted((log for log in records if log.trace_id == trace_id), key=lambda log: log.time)
