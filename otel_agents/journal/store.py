"""The journals of one process with their shippers and background thread; processors write through `append`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from otel_agents.journal.keeper import Keeper
from otel_agents.journal.segments import Journal
from otel_agents.journal.ship import Shipper
from otel_agents.otlp.signals import SIGNALS

if TYPE_CHECKING:
    from otel_agents.config.settings import Settings
    from otel_agents.journal.runs import Count
    from otel_agents.journal.tally import Dropped

LAST_SENDING_S = 2.3
Guard = Callable[[str], AbstractContextManager[Any]]
Exports = Callable[[str], bool]  # whether the program's own provider exports to this URL


class Store:
    """The journal of the destination and, when needed, a local one; each with its shipper, served by one thread.

    collect: writes a point for every metric; called every `metric_interval`. dropped, suppress, count: see `Journal` and `Shipper`.
    """

    def __init__(
        self,
        settings: Settings,
        guard: Guard,
        *,
        collect: Callable[[], None],
        dropped: Dropped,
        suppress: Callable[[], AbstractContextManager[Any]],
        count: Count,
    ) -> None:
        self._settings, self._guard, self._dropped = settings, guard, dropped
        self.endpoints = {signal: settings.endpoint(signal) if settings.ship else None for signal in SIGNALS if settings.exports(signal)}
        self.journal = self._journal(settings.destination)
        self.shipper = Shipper(self.journal, self.endpoints, suppress=suppress, count=count)
        self._kept = [(self.journal, self.shipper)]
        self._exported: dict[str, Callable[[], bool]] = {}
        self._keeper = Keeper(self.ship, collect, ship_every=settings.ship_interval, collect_every=settings.metric_interval)

    def _journal(self, destination: str) -> Journal:
        settings = self._settings
        return Journal(
            settings.journal_dir,
            destination,
            rotate_bytes=settings.journal_rotate_bytes,
            cap_bytes=settings.journal_max_bytes,
            max_age_s=settings.journal_max_age,
            fsync=settings.journal_fsync,
            group_readable=settings.journal_group_readable,
            dropped=self._dropped,
        )

    @cached_property
    def local(self) -> Journal:
        """The journal for what the program's own providers export to our endpoint: kept for reading, never sent by us."""
        journal = self._journal("local")
        self._kept.append((journal, Shipper(journal, dict.fromkeys(SIGNALS))))
        return journal

    # ---------------------------------------------------------------------------------------- writing

    def append(self, signal: str, line: bytes) -> None:
        """Write one whole line (with its newline) to the journal of the signal's destination."""
        if self._keeper.thread is None:
            self._keeper.ensure()
        is_exported = self._exported.get(signal)
        (self.journal if is_exported is None or not is_exported() else self.local).append(signal, line)

    def provided(self, signal: str, exports: Exports | None) -> None:
        """Set which provider records the signal: ours (None), or the program's, which may itself export to our endpoint."""
        self._exported.pop(signal, None)
        endpoint = self.endpoints.get(signal)
        if exports is not None and endpoint is not None and not self._settings.join_export:
            self._exported[signal] = partial(exports, endpoint.url)

    # ---------------------------------------------------------------------------------------- sending

    def ship(self) -> None:
        """One round of every shipper."""
        for _, shipper in self._kept:
            with self._guard("ship"):
                shipper.run_once()

    def send_last(self) -> bool:
        """Send what is left before an exit. Returns whether items were lost meanwhile, so that the counter has to be written again."""
        known = self.journal.tally.all()
        with self._guard("last sending"):
            self.shipper.flush(LAST_SENDING_S)
        return self.journal.tally.all() != known

    # ---------------------------------------------------------------------------------------- forks and exits

    def stop(self, patience_s: float) -> None:
        """Stop the thread for good. patience_s: how long to wait for a request under way."""
        self._keeper.stop(patience_s)

    def close(self, patience_s: float) -> None:
        """Close connections and release locks. A later item starts a new segment, which the next program sends."""
        for _, shipper in self._kept:
            shipper.close(patience_s)

    def before_fork(self) -> None:
        """Stop the thread, and keep the fork from happening in the middle of a rotation."""
        self._keeper.pause(0.5)
        for journal, _ in self._kept:
            journal.before_fork()

    def after_fork_in_parent(self) -> None:
        """Release what `before_fork` took; the thread starts with the next item."""
        for journal, _ in self._kept:
            journal.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Start afresh, with segments, locks and a thread of the child's own."""
        for journal, shipper in self._kept:
            journal.after_fork_in_child()
            shipper.after_fork_in_child()
        self._keeper.after_fork_in_child()
