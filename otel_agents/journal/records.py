"""Where log records and events go: to any provider's loggers through the API, or, where only our journal is behind a provider of ours, straight into it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_agents.journal import values
from otel_agents.journal.encode import Lines, Tail, add_context, log_head
from otel_agents.journal.sizes import dumped
from otel_agents.journal.spans import MAX_ATTRIBUTES
from otel_agents.otlp import signals
from otel_agents.sdk.internals import SPAN, get_logger, held

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from otel_agents.journal.processors import Append
    from otel_agents.sdk.internals import ApiLoggerProvider, Logger, LoggerProvider, SeverityNumber


HEAD = signals.HEAD["logs"]


class Records:
    """Log records of a provider's loggers, through the API; `own` is the scope of our events: name, version, schema URL."""

    def __init__(self, provider: ApiLoggerProvider, own: tuple[str, str, str]) -> None:
        self._provider, self._own = provider, own

    def emit(
        self,
        scope: str | None,
        context: Context,
        attributes: Mapping[str, Any],
        severity: SeverityNumber,
        severity_text: str,
        timestamp: int,
        observed_timestamp: int,
        body: str | None = None,
        event_name: str | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one record in this context."""
        self._logger(scope).emit(
            timestamp=timestamp,
            observed_timestamp=observed_timestamp,
            context=context,
            severity_number=severity,
            severity_text=severity_text,
            body=body,
            attributes={**attributes, **beside} if beside else attributes,
            event_name=event_name,
        )

    def _logger(self, scope: str | None) -> Logger:
        return self._provider.get_logger(*self._own) if scope is None else get_logger(scope, logger_provider=self._provider)


class LeanRecords(Records):
    """Log records of a provider of ours. As soon as it has another processor than ours, they go through the SDK's logger."""

    def __init__(self, provider: LoggerProvider, own: tuple[str, str, str], lines: Lines, append: Append) -> None:
        super().__init__(provider, own)
        self._sdk, self._lines, self._append = provider, lines, append
        self._processors = held("logs", provider)
        self._ours = self._processors()
        self._fragments = lines.fragments
        self._tail = lru_cache(maxsize=1024)(self._tail_of)

    def _tail_of(self, scope: str | None) -> Tail:
        return Tail(self._lines, "logs", InstrumentationScope(*self._own) if scope is None else InstrumentationScope(scope, ""))

    def emit(
        self,
        scope: str | None,
        context: Context,
        attributes: Mapping[str, Any],
        severity: SeverityNumber,
        severity_text: str,
        timestamp: int,
        observed_timestamp: int,
        body: str | None = None,
        event_name: str | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        """Write its line; where somebody else processes it, too, leave that to the SDK."""
        if len(attributes) + len(beside or ()) > MAX_ATTRIBUTES or self._processors() is not self._ours:
            return super().emit(scope, context, attributes, severity, severity_text, timestamp, observed_timestamp, body, event_name, beside)
        span: Any = context.get(SPAN)
        ids = None if span is None else span.get_span_context()
        given = ((timestamp, observed_timestamp), severity, severity_text, body, attributes, event_name, ids, beside)
        item = self._fragments.log(*given) or self._from_data(*given)
        self._append("logs", b"".join((HEAD, item, self._tail(scope).of(self._sdk.resource))))

    def _from_data(
        self,
        times: tuple[int, int],
        severity: SeverityNumber,
        severity_text: str,
        body: str | None,
        attributes: Mapping[str, Any],
        event_name: str | None,
        ids: SpanContext | None,
        beside: Mapping[str, Any] | None,
    ) -> bytes:
        redact = self._lines.redact
        line = log_head(*times, severity, severity_text, body, redact)
        if attributes or beside:
            line["attributes"] = values.attributes({**attributes, **(beside or {})}, redact)
        flags, trace_id, span_id = (ids.trace_flags, ids.trace_id, ids.span_id) if ids is not None else (None, None, None)
        add_context(line, event_name, flags, trace_id, span_id, redact)
        return dumped(line)
