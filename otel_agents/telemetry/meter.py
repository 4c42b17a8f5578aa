"""Records in the instruments of a provider that others read too: its views apply, and its readers see our metrics.

Counters are summed up here, which costs a tenth of the SDK's `add`, and passed on when metrics are collected: all but the last addition as one sum, the
last one by itself in the context of its span, so that exemplars are right. Histograms get every value at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext

from otel_agents.telemetry.context import SPAN, Context
from otel_agents.telemetry.series import Labels, Origin, Series

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from otel_agents.telemetry.instruments import Instrument

Add = Callable[..., None]
NO_SPAN = Context({SPAN: INVALID_SPAN})  # an empty context would mean the current one


class PendingSum:
    """What has been added to a counter since the last collection, the last addition apart."""

    __slots__ = ("_add", "_before", "_is_set", "_labels", "_last", "_lock", "_sampled")

    def __init__(self, add: Add, labels: Labels, lock: threading.RLock) -> None:
        self._add, self._labels, self._lock = add, labels, lock
        self._begin()

    def _begin(self) -> None:
        self._before: float = 0  # not 0.0: counts of tokens stay integers
        self._last: float = 0
        self._sampled: SpanContext | None = None
        self._is_set = False

    def take(self, value: float, origin: Origin | None) -> None:
        with self._lock:
            self._before, self._last = self._before + self._last, value
            self._sampled, self._is_set = origin.sampled if origin is not None else None, True

    def flush(self) -> None:
        """Pass it on, if there is any."""
        with self._lock:
            before, last, sampled, is_set = self._before, self._last, self._sampled, self._is_set
            self._begin()
        if before:
            self._add(before, self._labels, NO_SPAN)
        if is_set:
            self._add(last, self._labels, context_of(sampled))


class Recorded:
    """A histogram with these labels, which gets every value at once."""

    __slots__ = ("_labels", "_record")

    def __init__(self, record: Add, labels: Labels) -> None:
        self._record, self._labels = record, labels

    def take(self, value: float, origin: Origin | None) -> None:
        self._record(value, self._labels, context_of(origin.sampled) if origin is not None else None)


def context_of(sampled: SpanContext | None) -> Context:
    """A context with this span, or without any."""
    return NO_SPAN if sampled is None else Context({SPAN: NonRecordingSpan(sampled)})


class MeterBackend:
    """The instruments of a meter, created when first used."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._lock = threading.RLock()  # a signal handler may end an operation while this thread holds it
        self._made: dict[str, Any] = {}
        self._sums: dict[tuple[str, frozenset[tuple[str, Any]]], PendingSum] = {}

    def series(self, name: str, row: Instrument, labels: Labels) -> Series:
        """The series of this metric and these labels; always the same one."""
        instrument = self._made.get(name) or self._made.setdefault(name, self._make(name, row))
        if row.buckets:
            return Recorded(instrument.record, labels)
        with self._lock:
            return self._sums.setdefault((name, frozenset(labels.items())), PendingSum(instrument.add, labels, self._lock))

    def _make(self, name: str, row: Instrument) -> Any:
        buckets = {"explicit_bucket_boundaries_advisory": list(row.buckets)} if row.buckets else {}
        return getattr(self._meter, row.make)(name, unit=row.unit, description=row.description, **buckets)

    def observe(self, name: str, row: Instrument, ask: Callable[[], float]) -> None:
        """Register a gauge whose value is asked for at each collection; its callback also passes the sums on."""
        from opentelemetry.metrics import Observation

        def observed(_: Any) -> list[Observation]:
            self.flush()
            return [Observation(ask())]

        self._meter.create_observable_gauge(name, [observed], row.unit, row.description)

    def flush(self) -> None:
        """Pass all sums on; called during a collection."""
        with self._lock:
            ready = list(self._sums.values())
        for one in ready:
            one.flush()
