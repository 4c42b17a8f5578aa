"""Events: log records with a name and attributes but no body, written in the context of their operation (semconv/README.md §3)."""

from __future__ import annotations

from collections.abc import Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import format_span_id

from otel_agents import semconv as names
from otel_agents.sdk.internals import SeverityNumber
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
    """Write one event if logs are exported. beside: further attributes, given apart from those that the span is going to have."""
    if engine.records is not None:
        now = time_ns()
        engine.records.emit(None, context, attributes, severity, severity._name_, now, now, None, name, beside)


def run_started(operation: EndedOperation) -> None:
    """Write at once that an agent's run has started, so that a run that never ends is known."""
    if operation.kind.is_agent:
        with guard("event"):
            emit(names.EVENT_OA_RUN_STARTED, {**_run(operation), **_parent(operation)}, operation.context)


def _parent(operation: EndedOperation) -> dict[str, str]:
    """The id of the parent span, which places a run that never ends in its trace."""
    above = operation.parent.span.get_span_context() if operation.parent is not None else None
    return {names.OA_PARENT_ID: format_span_id(above.span_id)} if above is not None and above.is_valid else {}


def _ended(operation: EndedOperation) -> None:
    """Write the event of this kind of operation, if it has one."""
    kind = operation.kind
    if kind.is_agent:
        emit(kind.event, {**_run(operation), names.OA_OUTCOME: operation.outcome}, operation.context, kind.severity)
    elif kind.event:
        emit(kind.event, operation.fields, operation.context, kind.severity, _beside(operation))


def _beside(operation: EndedOperation) -> Mapping[str, Any]:
    """Attributes that the event has and the span has not: the agent that performs the operation, and content."""
    agent = operation.agent_name() if names.AGENT_NAME not in operation.fields else None
    content = operation.captured if engine.policy is not None and engine.policy.events else NOTHING
    return {names.AGENT_NAME: agent, **content} if agent is not None else content


def _failed(operation: EndedOperation) -> None:
    """Write the exception of a client operation that failed."""
    if operation.error is not None and operation.kind.is_client:
        attributes = {name: value for name, value in exception_attributes(operation.error).items() if value}
        emit(names.EVENT_CLIENT_OPERATION_EXCEPTION, attributes, operation.context, SeverityNumber.WARN)


AT_END: Steps = (("event", _ended), ("event", _failed))


def _run(operation: EndedOperation) -> dict[str, Any]:
    return {**operation.session, **{name: operation.fields[name] for name in (names.AGENT_NAME, names.ERROR_TYPE, names.OA_COST) if name in operation.fields}}


def exception_attributes(error: BaseException) -> dict[str, Any]:
    """An exception's type, message and, if it was raised, stack trace: redacted, and without running code of the program."""
    policy = engine.policy
    if policy is None:
        return {names.EXCEPTION_TYPE: error_type(error)}
    return policy.exception(error)
