"""Measurements for the instruments of a provider that others read too: its views apply, its readers see ours.

Counters are added up here and handed over when metrics are collected: an addition costs a tenth of the SDK's. They still get it all, and the last addition
by itself, in the context of the span it came from, so that exemplars are true. Histograms get every value at once.
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
NOWHERE = Context({SPAN: INVALID_SPAN})  # an empty one would mean the current one


class Sum:
    """What was added to a counter since the last collection; the last addition apart."""

    __slots__ = ("_add", "_before", "_labels", "_last", "_lock", "_sampled", "_told")

    def __init__(self, add: Add, labels: Labels, lock: threading.RLock) -> None:
        self._add, self._labels, self._lock = add, labels, lock
        self._begin()

    def _begin(self) -> None:
        self._before: float = 0  # not 0.0: tokens are whole and stay whole
        self._last: float = 0
        self._sampled: SpanContext | None = None
        self._told = False

    def take(self, value: float, origin: Origin | None) -> None:
        with self._lock:
            self._before, self._last = self._before + self._last, value
            self._sampled, self._told = origin.sampled if origin is not None else None, True

    def give(self) -> None:
        """Hand it over, if there is any."""
        with self._lock:
            before, last, sampled, told = self._before, self._last, self._sampled, self._told
            self._begin()
        if before:
            self._add(before, self._labels, NOWHERE)
        if told:
            self._add(last, self._labels, within(sampled))


class Value:
    """One that a histogram gets at once."""

    __slots__ = ("_labels", "_record")

    def __init__(self, record: Add, labels: Labels) -> None:
        self._record, self._labels = record, labels

    def take(self, value: float, origin: Origin | None) -> None:
        self._record(value, self._labels, within(origin.sampled) if origin is not None else None)


def within(sampled: SpanContext | None) -> Context:
    """The context of a span that is kept; of none, where there is none."""
    return NOWHERE if sampled is None else Context({SPAN: NonRecordingSpan(sampled)})


class MeterBackend:
    """The instruments of a meter, made when first used."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._lock = threading.RLock()  # a signal handler may end an operation while this thread holds it
        self._made: dict[str, Any] = {}
        self._sums: dict[tuple[str, frozenset[tuple[str, Any]]], Sum] = {}

    def series(self, name: str, row: Instrument, labels: Labels) -> Series:
        """Where values of this metric with these labels go, the same for the same."""
        instrument = self._made.get(name) or self._made.setdefault(name, self._make(name, row))
        if row.buckets:
            return Value(instrument.record, labels)
        with self._lock:
            return self._sums.setdefault((name, frozenset(labels.items())), Sum(instrument.add, labels, self._lock))

    def _make(self, name: str, row: Instrument) -> Any:
        buckets = {"explicit_bucket_boundaries_advisory": list(row.buckets)} if row.buckets else {}
        return getattr(self._meter, row.make)(name, unit=row.unit, description=row.description, **buckets)

    def observe(self, name: str, row: Instrument, ask: Callable[[], float]) -> None:
        """A gauge that is asked for its value at each collection, whoever collects; the sums are handed over with it."""
        from opentelemetry.metrics import Observation

        def observed(_: Any) -> list[Observation]:
            self.give()
            return [Observation(ask())]

        self._meter.create_observable_gauge(name, [observed], row.unit, row.description)

    def give(self) -> None:
        """Hand everything over; called by the collection itself."""
        with self._lock:
            ready = list(self._sums.values())
        for one in ready:
            one.give()
