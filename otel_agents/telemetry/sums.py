"""Counters, added up here and handed to the SDK's counters when metrics are collected: an addition costs a tenth of the SDK's.

The SDK's counters still get it all, so views apply, and the last addition by itself, in the context of the span it came from, so that exemplars are true.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext

from otel_agents.telemetry.context import SPAN, Context

Add = Callable[..., None]
NOWHERE = Context({SPAN: INVALID_SPAN})  # an empty one would mean the current one


class Labels(dict[str, Any]):
    """Labels that were made once for all values that carry them, and are never changed: what carries them is added up by their identity."""

    __slots__ = ()


class Sum:
    """What was added since the last collection; the last addition apart."""

    __slots__ = ("_add", "_before", "_labels", "_last", "_span")

    def __init__(self, add: Add, labels: Labels) -> None:
        self._add, self._labels = add, labels
        self._before: float = 0  # not 0.0: tokens are whole and stay whole
        self._last: float = 0
        self._span: SpanContext | None = None

    def take(self, value: float, context: Context | None) -> None:
        self._before, self._last = self._before + self._last, value
        span: Any = context.get(SPAN) if context is not None else None
        self._span = span.get_span_context() if span is not None else None

    def give(self) -> None:
        if self._before:
            self._add(self._before, self._labels, NOWHERE)
        self._add(self._last, self._labels, NOWHERE if self._span is None else Context({SPAN: NonRecordingSpan(self._span)}))


class Sums:
    """The sums of one meter's counters, by counter and labels."""

    __slots__ = ("_lock", "_sums")

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may end an operation while this thread holds it
        self._sums: dict[tuple[Add, int], Sum] = {}

    def adding(self, add: Add) -> Add:
        """The counter's `add`, put off until the next collection where the labels are known ones."""

        def put_off(value: float, labels: Any, context: Context | None = None) -> None:
            if type(labels) is not Labels:
                return add(value, labels, context)
            key = (add, id(labels))  # the sum holds the labels, so that the id stays theirs
            with self._lock:
                known = self._sums.get(key) or self._sums.setdefault(key, Sum(add, labels))
                known.take(value, context)

        return put_off

    def give(self) -> None:
        """Hand everything over; called by the collection itself."""
        with self._lock:
            ready, self._sums = list(self._sums.values()), {}
        for one in ready:
            one.give()
