"""Events: log records with a name and attributes, no body, written in the context of the operation they tell of (semconv/README.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.trace import format_span_id

from otel_agents import semconv as names
from otel_agents.telemetry.context import NOTHING
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import Steps, guard
from otel_agents.telemetry.outcomes import error_type

if TYPE_CHECKING:
    from otel_agents.telemetry.context import Context
    from otel_agents.telemetry.seams import EndedOperation


def emit(
    name: str, attributes: Mapping[str, Any], context: Context, severity: SeverityNumber = SeverityNumber.INFO, beside: Mapping[str, Any] | None = None
) -> None:
    """Write one event, if there are events at all. beside: further attributes, where the others are those that its span will have."""
    if engine.records is not None:
        now = time_ns()
        engine.records.emit(None, context, attributes, severity, severity._name_, now, now, None, name, beside)


def of_start(operation: EndedOperation) -> None:
    """A run that begins is told of at once, so that one that never ends is known."""
    if operation.kind.is_agent:
        with guard("event"):
            emit(names.EVENT_OA_RUN_STARTED, {**_run(operation), **_parent(operation)}, operation.context)


def _parent(operation: EndedOperation) -> dict[str, str]:
    """The span above, so that a run that never ends is found in its place."""
    above = operation.parent.span.get_span_context() if operation.parent is not None else None
    return {names.OA_PARENT_ID: format_span_id(above.span_id)} if above is not None and above.is_valid else {}


def _of_end(operation: EndedOperation) -> None:
    """What this kind of operation tells at its end."""
    kind = operation.kind
    if kind.is_agent:
        emit(kind.event, {**_run(operation), names.OA_OUTCOME: operation.outcome}, operation.context, kind.severity)
    elif kind.event:
        emit(kind.event, operation.fields, operation.context, kind.severity, _beside(operation))


def _beside(operation: EndedOperation) -> Mapping[str, Any]:
    """What an event tells that its span does not: the agent that does it, and content."""
    agent = operation.agent_name() if names.AGENT_NAME not in operation.fields else None
    content = operation.captured if engine.policy is not None and engine.policy.events else NOTHING
    return {names.AGENT_NAME: agent, **content} if agent is not None else content


def _of_failure(operation: EndedOperation) -> None:
    """The exception, where a client operation failed."""
    if operation.error is not None and operation.kind.is_client:
        told = {name: value for name, value in exception_attributes(operation.error).items() if value}
        emit(names.EVENT_CLIENT_OPERATION_EXCEPTION, told, operation.context, SeverityNumber.WARN)


AT_END: Steps = (("event", _of_end), ("event", _of_failure))


def _run(operation: EndedOperation) -> dict[str, Any]:
    return {**operation.session, **{name: operation.fields[name] for name in (names.AGENT_NAME, names.ERROR_TYPE, names.OA_COST) if name in operation.fields}}


def exception_attributes(error: BaseException) -> dict[str, Any]:
    """An exception's type, its message and, where it was raised, its stack: redacted, and without running code of its own."""
    policy = engine.policy
    if policy is None:
        return {names.EXCEPTION_TYPE: error_type(error)}
    return policy.exception(error)
