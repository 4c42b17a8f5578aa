"""Captures log records of the standard library: adds trace ids to each, and exports a copy as an OpenTelemetry log record.

By one patch of `Logger.callHandlers`, not by a handler on the root logger, which would disable `basicConfig` and the handler of last resort. The program's
handlers run first: a message that they have formatted is not formatted again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import time_ns
from typing import Any

from opentelemetry.trace import format_span_id, format_trace_id

from otel_agents import semconv as names
from otel_agents.sdk.internals import SeverityNumber
from otel_agents.telemetry.context import OPERATION, SPAN, SUPPRESSED, Context, get_current, session_of
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.events import exception_attributes
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.introspection import LONGEST_NAME, MAX_ENTRIES, exact, head, own_items
from otel_agents.telemetry.operations import Operation
from otel_agents.telemetry.values import LIMIT, plain

NOT_CAPTURED = ("otel_agents", "opentelemetry")
STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "otelTraceID", "otelSpanID", "otelTraceSampled"}
SEVERITY_TEXTS = {"WARNING": "WARN", "CRITICAL": "FATAL"}
SEVERITIES = ((50, SeverityNumber.FATAL), (40, SeverityNumber.ERROR), (30, SeverityNumber.WARN), (20, SeverityNumber.INFO), (10, SeverityNumber.DEBUG))
MAX_EXTRA = 100  # fields of `extra`; beyond 128 attributes the SDK drops them with a warning on the program's standard error
NUMBERS = frozenset({int, float, bool, type(None)})
ARGUMENTS = (tuple, dict)

_original: list[Callable[[logging.Logger, logging.LogRecord], None]] = []


def observe() -> None:
    """Capture every record that a logger passes to its handlers from now on."""
    if _original:
        return
    original = logging.Logger.callHandlers
    _original.append(original)

    def callHandlers(self: logging.Logger, record: logging.LogRecord) -> None:
        if not engine.on or _is_not_captured(self.name):
            return original(self, record)
        context = get_current()
        _mark(record, context)
        try:
            return original(self, record)
        finally:
            _export(record, context)

    logging.Logger.callHandlers = callHandlers  # type: ignore[method-assign]  # undone by release()


def release() -> None:
    """Stop capturing."""
    if _original:
        logging.Logger.callHandlers = _original.pop()  # type: ignore[assignment,method-assign]  # the original


def _is_not_captured(name: str) -> bool:
    return name.partition(".")[0] in NOT_CAPTURED


def _mark(record: logging.LogRecord, context: Context) -> None:
    """Set the current span's ids under the names of the official logging instrumentation; none outside of spans."""
    span: Any = context.get(SPAN)
    if span is None:
        return
    with guard("mark a log record"):
        ids = span.get_span_context()
        record.otelTraceID, record.otelSpanID, record.otelTraceSampled = format_trace_id(ids.trace_id), format_span_id(ids.span_id), ids.trace_flags.sampled


def _export(record: logging.LogRecord, context: Context) -> None:
    if engine.spans is None and not context.get(SUPPRESSED):
        engine.prepare()  # sets the log level of the settings
    if record.levelno < engine.log_level or context.get(SUPPRESSED):
        return
    with guard("log record"):
        if engine.policy is not None and engine.records is not None:
            level, text = severity(record.levelno), SEVERITY_TEXTS.get(record.levelname, record.levelname)
            text_of_body, created = str(engine.policy.attribute(body(record))), int(record.created * 1e9)
            engine.records.emit(record.name, context, attributes(record, context), level, text, created, time_ns(), text_of_body)


def severity(level: int) -> SeverityNumber:
    """The number for a level of the standard library; custom levels count as the next lower one."""
    return next((number for least, number in SEVERITIES if level >= least), SeverityNumber.TRACE)


def body(record: logging.LogRecord) -> str:
    """The message as a handler has formatted it, else formatted without running the arguments' own code."""
    known = vars(record).get("message")
    if type(known) is str:
        return known
    message, arguments = record.msg, record.args
    template = message if type(message) is str else str(plain(message))  # an integer may exceed the limit of digits of `str`
    if type(arguments) not in ARGUMENTS or not arguments or len(template) > LIMIT:
        return template
    try:
        return str(template % _safe(arguments))
    except (TypeError, ValueError, LookupError, ArithmeticError):
        return template


def _safe(arguments: Any) -> Any:
    if type(arguments) is dict:
        return {key: _readable(value) for key, value in own_items(arguments)}
    return tuple(_readable(value) for value in head(arguments, MAX_ENTRIES))


def _readable(value: Any) -> Any:
    """The value as plain data of limited size, redacted before truncation."""
    if type(value) is str and len(value) <= LIMIT:
        return value
    return value if exact(value) in NUMBERS or engine.policy is None else engine.policy.read(value)


def attributes(record: logging.LogRecord, context: Context) -> dict[str, Any]:
    """The record's `extra`, code location and exception, and the agent and session that it belongs to."""
    policy, running = engine.policy, context.get(OPERATION)
    assert policy is not None  # _export has checked
    extra = [(name, value) for name, value in vars(record).items() if type(name) is str and 0 < len(name) <= LONGEST_NAME and name not in STANDARD_FIELDS]
    given = {policy.redact(name): policy.attribute(value, name) for name, value in extra[:MAX_EXTRA]}
    agent = running.agent_name() if isinstance(running, Operation) else None
    return {
        **{name: value for name, value in given.items() if value is not None},
        "code.file.path": record.pathname,
        "code.function.name": record.funcName or "",
        "code.line.number": record.lineno,
        **({names.AGENT_NAME: agent} if agent else {}),
        **session_of(context),
        **_exception(record),
    }


def _exception(record: logging.LogRecord) -> dict[str, Any]:
    error = record.exc_info[1] if type(record.exc_info) is tuple else None
    return exception_attributes(error) if error is not None else {}
