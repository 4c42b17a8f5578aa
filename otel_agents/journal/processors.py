"""Where the SDK's providers meet the journal: an ended span, an emitted log record, a collection of metrics → lines, at once, on the caller's thread."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry.context import Context, get_current
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from otel_agents.journal.encode import Lines
from otel_agents.sdk.internals import LogRecordProcessor, ReadWriteLogRecord, ReceivingReader

Append = Callable[[str, bytes], None]
Guard = Callable[[str], AbstractContextManager[Any]]
HIDDEN = ("otel_agents", "opentelemetry")  # loggers whose records would tell of ourselves


def nowhere(signal: str, line: bytes) -> None:
    """Append nothing."""


class JournalSpans(SpanProcessor):
    """Writes each sampled span as it ends; gives those of others the session's attributes as they start.

    born: nanoseconds since the epoch at which this process began: a span that a fork inherited is ended, and written, by the parent.
    """

    def __init__(self, lines: Lines, append: Append, guard: Guard, session: Callable[[Context], Mapping[str, Any]], own_scope: str, born: int = 0) -> None:
        self._append, self._guard, self._session, self._own_scope = append, guard, session, own_scope
        self.begin(born, lines)

    def begin(self, born: int, lines: Lines) -> None:
        """Be the processor of this process from now on."""
        self.born, self._lines = born, lines
        self._early: set[int] = set()  # spans of this process that say that they began before it: the program said when, or the clock was set back

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if (span.start_time or 0) < self.born:
            self._early.add(span.get_span_context().span_id)
        scope = span.instrumentation_scope
        if scope is None or scope.name != self._own_scope:
            with self._guard("session"):
                self._give(span, self._session(get_current() if parent_context is None else parent_context))

    def _give(self, span: Span, attributes: Mapping[str, Any]) -> None:
        if attributes:
            span.set_attributes(dict(attributes))

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is not None and context.trace_flags.sampled and self._is_ours(span, context.span_id):
            with self._guard("write span"):
                self._append("traces", self._lines.span(span))

    def _is_ours(self, span: ReadableSpan, span_id: int) -> bool:
        """Whether it began in this process."""
        if (span.start_time or 0) >= self.born:
            return True
        ours = span_id in self._early
        self._early.discard(span_id)
        return ours

    def retire(self) -> None:
        """Write nothing any more; for a provider that we can't leave."""
        self._append = nowhere

    def shutdown(self) -> None:
        """Nothing waits here."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class JournalLogs(LogRecordProcessor):
    """Writes each log record as it is emitted."""

    def __init__(self, lines: Lines, append: Append, guard: Guard) -> None:
        self._lines, self._append, self._guard = lines, append, guard

    def begin(self, lines: Lines) -> None:
        """Be the processor of this process from now on."""
        self._lines = lines

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        scope = log_record.instrumentation_scope
        if scope is not None and scope.name in HIDDEN and not log_record.log_record.event_name:
            return
        with self._guard("write log"):
            self._append("logs", self._lines.log(log_record))

    def retire(self) -> None:
        """Write nothing any more; for a provider that we can't leave."""
        self._append = nowhere

    def shutdown(self) -> None:
        """Nothing waits here."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


class JournalMetrics(ReceivingReader):
    """Writes what its provider has aggregated when it is asked to collect; counts begin with the process, whose instance id is its own.

    instance: `service.instance.id` for the points of this process; began: nanoseconds since the epoch at which its counts began.
    """

    def __init__(self, lines: Lines, append: Append, guard: Guard, instance: str, began: int, **preferences: Any) -> None:
        super().__init__(**preferences)
        self._lines, self._append, self._guard = lines, append, guard
        self._instance = Resource({"service.instance.id": instance})
        self.began = began
        self._resources: dict[int, tuple[Resource, Resource]] = {}

    def receive(self, data: MetricsData) -> None:
        """Write what one collection has brought."""
        with self._guard("write metrics"):
            own = [dataclasses.replace(part, resource=self._own(part.resource)) for part in data.resource_metrics]
            for line in self._lines.metrics(dataclasses.replace(data, resource_metrics=own), self.began):
                self._append("metrics", line)

    def _own(self, resource: Resource) -> Resource:
        """The resource with this process's instance id; one object for one, because tails are kept by identity."""
        known = self._resources.get(id(resource))
        if known is None:
            known = self._resources[id(resource)] = (resource, resource.merge(self._instance))
        return known[1]

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing waits here; the last collection is asked for by the keeper."""
