"""Reads lines from the journal, joins them into requests, sends them, and saves the offsets of what was acknowledged.

All of it runs on the one thread that calls `run_once`; only `flush` may be called from another, at the process's end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

from otel_agents.config import import_lock
from otel_agents.journal.adopt import Adopter, held
from otel_agents.journal.batches import Line, alike, batches, lines_of, whole_lines
from otel_agents.journal.caps import Caps
from otel_agents.journal.files import OFFSETS, Segment, lines_after, release
from otel_agents.journal.runs import Count
from otel_agents.journal.tally import Offsets

if TYPE_CHECKING:
    from otel_agents.config.settings import Endpoint
    from otel_agents.journal.delivery import SignalSender
    from otel_agents.journal.segments import Journal

FLUSH_S = 2.5  # the longest that an exit waits
CONNECT_S = 0.25  # an exit sends only if a connection is established within this time
MOMENT = 0.05  # how long an exit waits for a request under way that will probably fail, as the last one did


class Shipper:
    """Sends a journal to the endpoints of its signals (None: local, kept and never sent).

    suppress: a context in which our own requests are not traced. count: turns died runs into metrics.
    """

    def __init__(
        self,
        journal: Journal,
        endpoints: Mapping[str, Endpoint | None],
        *,
        suppress: Callable[[], AbstractContextManager[Any]] = nullcontext,
        count: Count = lambda runs, found_at: (),
    ) -> None:
        self._journal, self._endpoints, self._suppress, self._count = journal, dict(endpoints), suppress, count
        self._begin()

    def _begin(self) -> None:
        journal = self._journal
        self._lock = threading.Lock()
        self._known: dict[str, SignalSender] | None = None
        self._reading: Segment | None = None
        self._offsets = Offsets(journal.folder / f"{journal.owner}{OFFSETS}")
        self._adopter = Adopter(journal.folder, journal.owner, journal.append, self._count)
        self._caps = Caps(journal)
        journal.dropped_some = self._save
        self._behind_since: dict[str, float] = {}

    @property
    def _senders(self) -> dict[str, SignalSender]:
        """The senders by signal, created when first needed: HTTP and TLS take longer to import than all the rest of us."""
        if self._known is None and not any(self._endpoints.values()):
            self._known = {}
        if self._known is None:
            with import_lock.imports:
                from otel_agents.journal.delivery import SignalSender
            journal, endpoints = self._journal, self._endpoints
            self._known = {signal: SignalSender(signal, one, journal.tally, journal.warnings) for signal, one in endpoints.items() if one is not None}
        return self._known

    # ---------------------------------------------------------------------------------------- a round

    def run_once(self) -> None:
        """One round: send what is new, adopt for a moment, keep the folder within bounds."""
        with self._lock, self._suppress():
            self._journal.write_deferred()
            for signal in self._endpoints:
                self._ship_own(signal)
            self._adopter.run(self._ready_signals(), self._ship_dead)
            if self._caps.is_due():
                self._caps.enforce()
            self._save()

    def _ready_signals(self) -> set[str]:
        return {signal for signal, sender in self._senders.items() if sender.is_due() and not sender.is_failing()}

    def _ship_own(self, signal: str) -> bool:
        """Send what this process has written; True if nothing is left to send."""
        sender = self._senders.get(signal)
        if sender is None:
            self._keep_local(signal)
            return True
        if not sender.is_due():
            return False
        finished = all(self._ship_segment(segment, sender) for segment in self._journal.segments(signal))
        self._note_lag(signal, finished)
        return finished

    def _keep_local(self, signal: str) -> None:
        """Release complete segments: what is sent nowhere need not stay locked."""
        for segment in self._journal.segments(signal):
            if self._journal.is_complete(segment):
                self._journal.let_go(segment)

    def _ship_segment(self, segment: Segment, sender: SignalSender) -> bool:
        if not self._journal.take(segment):
            return True
        try:
            complete = self._journal.is_complete(segment)  # asked before the size is read: nothing can be added afterwards
            with self._opened(segment) as fd:
                end = os.fstat(fd).st_size
                finished = self._ship_alike(sender, segment, fd, end)
                finished = finished and self._ship(sender, lines_of(segment, fd, end, is_complete=complete), self._remember)
            if finished and complete:
                self._retire(segment)
            return finished
        except FileNotFoundError:  # the folder was removed; the journal notices at its next write
            return True
        finally:
            self._journal.put_back(segment)

    @contextmanager
    def _opened(self, segment: Segment) -> Iterator[int]:
        """A descriptor to read from: the segment's own once it is rotated, which outlives its name; before that, a new one."""
        if segment.rotated_at is not None:
            yield segment.fd
            return
        self._reading = held(segment.signal, segment.path, os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC))
        try:
            yield self._reading.fd
        finally:
            release(self._reading)
            self._reading = None

    def _ship_alike(self, sender: SignalSender, segment: Segment, fd: int, end: int) -> bool:
        """Send chunks whose lines share head and tail in one step each, which costs the program least. False if the endpoint does not accept it now."""
        while segment.offset < end and (chunk := whole_lines(fd, segment.offset, end)) and (lines := alike(segment.signal, chunk)) is not None:
            done = sender.deliver(lines)
            segment.offset += len(chunk) if done == len(lines) else sum(len(line) + 1 for line in lines[:done])
            self._remember(segment)
            if done < len(lines):
                return False
        return True

    def _ship(self, sender: SignalSender, lines: Iterator[Line], remember: Callable[[Segment], None]) -> bool:
        for batch in batches(lines):
            whole = [line for line in batch if line.raw is not None]
            done = sender.deliver([line.raw for line in whole if line.raw is not None]) if whole else 0
            finished = done == len(whole)
            self._acknowledge(batch if finished else upto(batch, whole[done]), remember)
            if not finished:
                return False
        return True

    def _acknowledge(self, batch: list[Line], remember: Callable[[Segment], None]) -> None:
        """Move the offsets past the lines, and count the fragments among them."""
        for line in batch:
            line.segment.offset = line.end
            if line.raw is None:
                self._journal.tally.count(line.segment.signal, "torn", 1)
        for segment in {id(line.segment): line.segment for line in batch}.values():
            remember(segment)

    def _remember(self, segment: Segment) -> None:
        self._offsets.sent[segment.path.name] = segment.offset
        self._save()

    def _retire(self, segment: Segment) -> None:
        self._journal.retire(segment)
        self._offsets.sent.pop(segment.path.name, None)

    def _save(self) -> None:
        self._offsets.dropped = self._journal.tally.all()
        self._offsets.save()

    # ---------------------------------------------------------------------------------------- dead processes

    def _ship_dead(self, signal: str, segments: list[Segment]) -> bool:
        sender = self._senders[signal]
        lines = chain.from_iterable(lines_of(segment, segment.fd, segment.size, is_complete=True) for segment in segments)
        if not self._ship(sender, lines, self._adopter.remember):
            return False
        for segment in segments:
            self._adopter.finish(segment)
        return True

    # ---------------------------------------------------------------------------------------- forks and exits

    def flush(self, timeout_s: float = FLUSH_S) -> bool:
        """Send what is left before an exit, if the endpoint is known to work or answers at once; True if nothing is left. timeout_s: capped at 2.5 s."""
        deadline = time.monotonic() + min(timeout_s, FLUSH_S)
        patience = MOMENT if any(sender.is_failing() for sender in self._senders.values()) else FLUSH_S  # for a request under way
        if not self._lock.acquire(timeout=max(0.0, min(patience, timeout_s))):
            return False
        try:
            with self._suppress():
                return self._flush(deadline)
        finally:
            self._lock.release()

    def _flush(self, deadline: float) -> bool:
        self._journal.write_deferred()
        reachable = self._reachable(deadline)
        for sender in reachable.values():
            sender.deadline = deadline
        try:
            sent = self._send_own(reachable)
            self._adopter.run(set(reachable), self._ship_dead, seconds=deadline - time.monotonic())
            if self._adopter.has_written:
                sent = self._send_own(reachable)
        finally:
            for sender in reachable.values():
                sender.deadline = None
        self._save()
        return sent and len(reachable) == len(self._senders)

    def _send_own(self, reachable: dict[str, SignalSender]) -> bool:
        sent = [self._ship_own(signal) for signal in self._endpoints if signal in reachable or signal not in self._senders]
        return all(sent)

    def _reachable(self, deadline: float) -> dict[str, SignalSender]:
        """The senders worth trying: the last request succeeded, or a connection is established within 250 ms (for all of them together)."""
        if not self._senders:
            return {}
        from otel_agents.journal.wire import connects

        until = min(deadline, time.monotonic() + CONNECT_S)
        answers: dict[tuple[str, int], bool] = {}
        for sender in self._senders.values():
            address = sender.client.address()
            if address not in answers and sender.last_success is None and not sender.is_failing():
                answers[address] = connects(address, until - time.monotonic())
        return {
            signal: sender
            for signal, sender in self._senders.items()
            if not sender.is_failing() and (sender.last_success is not None or answers[sender.client.address()])
        }

    def close(self, patience_s: float = MOMENT) -> None:
        """Close connections and release locks; segments that are sent are renamed, the rest waits. patience_s: how long to wait for a request under way."""
        alone = self._lock.acquire(timeout=patience_s)  # a request that hangs must not keep the process from ending
        try:
            self._adopter.close()
            self._journal.write_deferred()
            self._journal.seal()
            for segment in chain.from_iterable(self._journal.segments(signal) for signal, endpoint in self._endpoints.items() if endpoint is not None):
                if self._journal.is_complete(segment) and not lines_after(segment.fd, segment.offset):
                    self._retire(segment)
            self._save()
            self._journal.close()
            self.disconnect()
        finally:
            if alone:
                self._lock.release()

    def disconnect(self) -> None:
        """Close the connections; the next round opens new ones."""
        for sender in (self._known or {}).values():
            sender.close()

    def after_fork_in_child(self) -> None:
        """Forget the parent's connections, offsets and locks; called after the journal's own."""
        for sender in (self._known or {}).values():
            sender.forget()
        self._adopter.forget()
        if self._reading is not None:
            release(self._reading)
        self._begin()

    # ---------------------------------------------------------------------------------------- status

    def _note_lag(self, signal: str, finished: bool) -> None:
        if finished:
            self._behind_since.pop(signal, None)
        else:
            self._behind_since.setdefault(signal, time.monotonic())

    def lag_seconds(self) -> float:
        """Seconds since everything of this process had last been sent; 0 if it is now."""
        began = list(self._behind_since.values())
        return time.monotonic() - min(began) if began else 0.0


def upto(batch: list[Line], first_left: Line) -> list[Line]:
    return batch[: batch.index(first_left)]
