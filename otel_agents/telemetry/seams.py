"""Protocols between the engine and what surrounds it: the pipeline that it writes to, the operations that events and metrics read, streamed responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanKind

    from otel_agents.redaction.by_shape import Redact
    from otel_agents.sdk.internals import SeverityNumber
    from otel_agents.telemetry.series import Labels, Origin, Part


class Spans(Protocol):
    """Starts and ends the engine's spans (journal/spans.py)."""

    def start(self, name: str, context: Context, kind: SpanKind, attributes: Mapping[str, Any], start_time: int) -> Span:
        """Start a child of the context's span; the sampler sees the attributes. start_time: nanoseconds since the epoch."""

    def end(self, span: Span, initial_attributes: Mapping[str, Any], attributes: Mapping[str, Any], name: str | None, error: str | None, end_time: int) -> None:
        """End a span. end_time: nanoseconds since the epoch.

        initial_attributes: those it was started with; attributes: all that it has now; name: its new name if it was renamed; error: the message of the
        exception that made it fail, if any.
        """


class Records(Protocol):
    """Writes log records and events (journal/records.py)."""

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

        scope: the logger's name, None for our own; times: nanoseconds since the epoch; beside: further attributes, given apart from those that the span is
        going to end with unless they change before that.
        """


class Metrics(Protocol):
    """Records measurements (metrics.py)."""

    old_names: bool

    def record(self, name: str, value: float, labels: Labels, origin: Origin | None = None) -> None:
        """Add to a counter or record in a histogram; the origin is the span that an exemplar refers to."""

    def record_part(self, name: str, value: float, whole: Labels, part: Part, origin: Origin | None = None) -> None:
        """Record with only some of these labels and with additional ones."""

    def observe(self, name: str, ask: Callable[[], float]) -> None:
        """Register a gauge whose value is asked for at each collection."""

    def labels(self, keys: tuple[str, ...], attributes: Mapping[str, Any], also: tuple[tuple[str, str], ...] = ()) -> Labels:
        """The attributes under these keys and additional ones, as labels."""


class ContentPolicy(Protocol):
    """Decides what of content is kept, and makes values safe to write (content.py)."""

    @property
    def captures(self) -> bool: ...
    @property
    def spans(self) -> bool: ...
    @property
    def events(self) -> bool: ...
    @property
    def limit(self) -> int: ...
    @property
    def redact(self) -> Redact: ...

    def attribute(self, value: Any, name: str = "") -> Any:
        """A value that the program set under this name as an attribute's value."""

    def read(self, value: Any, name: str = "") -> Any:
        """The value as plain data with its structure kept."""

    def message(self, error: BaseException) -> str:
        """An exception's message."""

    def exception(self, error: BaseException) -> dict[str, Any]:
        """An exception's type, message and stack trace as attributes."""

    def content(self, captured: Mapping[str, Any]) -> dict[str, Any]:
        """Content in the form that the mode allows."""


class EndedKind(Protocol):
    """What events ask of an operation's kind (kinds.py)."""

    @property
    def event(self) -> str: ...
    @property
    def severity(self) -> SeverityNumber: ...
    @property
    def is_agent(self) -> bool: ...
    @property
    def is_client(self) -> bool: ...


class EndedOperation(Protocol):
    """What events, metrics and kinds ask of an operation that ends (operations.py)."""

    fields: dict[str, Any]
    session: Mapping[str, Any]
    captured: dict[str, Any]
    inferences: list[Mapping[str, Any]]
    tools: list[int | None]
    signature: int | None
    loops: bool
    outcome: str
    error: BaseException | None
    span: Span
    context: Context

    @property
    def kind(self) -> EndedKind: ...
    @property
    def parent(self) -> EndedOperation | None: ...
    @property
    def agent(self) -> EndedOperation | None: ...

    def agent_name(self) -> str | None:
        """The name of the agent that performs it."""

    def labelled(self) -> Mapping[str, Any]:
        """Its attributes, with the agent's name among them."""

    def chunk_seconds(self) -> list[float]:
        """Seconds to the first chunk of a streamed response, then between chunks."""


class Chunks(Protocol):
    """Accumulates the chunks of a streamed response into what an unstreamed one would have been."""

    def add(self, chunk: Any) -> None:
        """Accumulate one chunk."""

    def response(self) -> Any:
        """The response so far, as `Extractor.response` and `Extractor.output` take it."""
