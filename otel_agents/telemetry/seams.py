"""What the engine asks of a pipeline: one place starts spans, one ends them, one writes log records (journal/spans.py and journal/records.py have them)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind

    from otel_agents.sdk.internals import SeverityNumber


class Spans(Protocol):
    """Where the engine's spans begin and end."""

    def start(self, name: str, context: Context, kind: SpanKind, attributes: Mapping[str, Any], start_time: int) -> Span:
        """Start a span below the context's; the attributes are for the sampler, too. start_time: nanoseconds since the epoch."""

    def end(self, span: Span, initial_attributes: Mapping[str, Any], attributes: Mapping[str, Any], name: str | None, error: str | None, end_time: int) -> None:
        """End it, at a time in nanoseconds since the epoch.

        initial_attributes: those it was started with; attributes: all that it has now; name: its new name, if it was renamed; error: the message of the
        exception that made it fail, if any.
        """


class Records(Protocol):
    """Where log records and events go."""

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
        """Write one record in this context.

        scope: the logger's name, None for our own; times: nanoseconds since the epoch; beside: further attributes, where the others are, unless they change
        by then, those that its span will end with.
        """
