"""What decorators capture of a call: the arguments before it, the result after it, in the form of the conventions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from typing import Any

import orjson

from otel_agents import semconv as names
from otel_agents.redaction.by_shape import Redact
from otel_agents.telemetry.calls import Call
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.events import emit
from otel_agents.telemetry.introspection import exact
from otel_agents.telemetry.metrics import measure_score
from otel_agents.telemetry.operations import Operation
from otel_agents.telemetry.values import LIMIT, as_json, plain

SIGNATURE_SIZE = 2048
SCALARS = frozenset({str, int, float, bool, type(None)})
NUMBERS = frozenset({int, float})
COLLECTIONS = frozenset({list, tuple, dict, set, frozenset})


class Subject:
    """A decorated function: its name, description (the docstring's first paragraph) and parameters."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function = function
        self.name = name
        self.description = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ").strip()

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the positional parameters; none for a builtin without a signature."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):
            return ()
        return tuple(one.name for one in signature.parameters.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD))

    def arguments(self, call: Call) -> dict[str, Any]:
        """The arguments of a call by name, without the instance of a method."""
        positional = zip(self.parameters, call.args, strict=False)
        rest = call.args[len(self.parameters) :]
        named = {name: value for name, value in positional if name not in ("self", "cls")}
        return {**named, **({"args": list(rest)} if rest else {}), **call.kwargs}


Before = Callable[[Operation, Subject, Call], None]
After = Callable[[Operation, Subject, Any], None]


def _captures() -> bool:
    return engine.policy is not None and engine.policy.captures


def _limit_and_redaction() -> tuple[int, Redact | None]:
    """The maximum length of a value, and what redacts its texts before truncation."""
    policy = engine.policy
    return (policy.limit, policy.redact) if policy is not None else (LIMIT, None)


def _read(value: Any) -> Any:
    return plain(value, *_limit_and_redaction())


def _is_sequence(value: Any) -> bool:
    return type(value) is list or type(value) is tuple


def _message(role: str, value: Any) -> list[dict[str, Any]]:
    """A value as one message in the conventions' form: a text as it is, anything else as JSON."""
    read = _read(value)
    text = read if type(read) is str else as_json(read, _limit_and_redaction()[0])
    return [{"role": role, "parts": [{"type": "text", "content": text}]}]


def _single_or_all(arguments: Mapping[str, Any]) -> Any:
    """The value of a single argument, else all arguments."""
    return next(iter(arguments.values())) if len(arguments) == 1 else arguments


def before_messages(operation: Operation, subject: Subject, call: Call) -> None:
    if _captures() and (arguments := subject.arguments(call)):
        operation.capture({names.INPUT_MESSAGES: _message("user", _single_or_all(arguments))})


def after_messages(operation: Operation, subject: Subject, result: Any) -> None:
    if _captures() and result is not None and names.OUTPUT_MESSAGES not in operation.captured:
        operation.capture({names.OUTPUT_MESSAGES: _message("assistant", result)})


def before_values(operation: Operation, subject: Subject, call: Call) -> None:
    if _captures() and (arguments := subject.arguments(call)):
        operation.capture({names.OA_INPUT: arguments})


def after_values(operation: Operation, subject: Subject, result: Any) -> None:
    if _captures() and result is not None:
        operation.capture({names.OA_OUTPUT: result})


def before_tool(operation: Operation, subject: Subject, call: Call) -> None:
    captures = _captures()
    if captures or operation.agent is not None:
        arguments = subject.arguments(call)
        operation.signature = hash((subject.name, _signature(arguments)))
        if captures:
            operation.capture({names.TOOL_CALL_ARGUMENTS: arguments})


def _signature(arguments: Mapping[str, Any]) -> Hashable:
    """Equal for calls with equal arguments."""
    values = arguments.values()
    return tuple(arguments.items()) if all(map(_is_small, values)) else as_json(arguments, SIGNATURE_SIZE)


def _is_small(value: Any) -> bool:
    return exact(value) in SCALARS and (type(value) is not str or len(value) <= SIGNATURE_SIZE)


def after_tool(operation: Operation, subject: Subject, result: Any) -> None:
    if _captures() and result is not None:
        operation.capture({names.TOOL_CALL_RESULT: _object(result)})


def _object(value: Any) -> dict[str, Any]:
    """A tool's result as an object, as the conventions require: JSON text of an object is parsed, anything else is under `result`, as in MCP."""
    kind = exact(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]  # exactly a dict
    if kind in COLLECTIONS or (kind is str and not value.startswith("{")):
        return {"result": value}
    read = _read(value)
    loaded = parsed(read) if type(read) is str and read.startswith("{") else read
    return loaded if type(loaded) is dict else {"result": value if kind is str else read}


def parsed(text: str) -> Any:
    """The value of a JSON text; None if it is not valid."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def before_query(query: str) -> Before:
    def before(operation: Operation, subject: Subject, call: Call) -> None:
        if _captures() and (text := next((value for value in subject.arguments(call).values() if type(value) is str), None)):
            operation.capture({query: text})

    return before


def after_documents(operation: Operation, subject: Subject, result: Any) -> None:
    if _captures() and _is_sequence(result):
        operation.capture({names.RETRIEVAL_DOCUMENTS: [item if type(item) is dict else {"content": item} for item in _read(result)]})


def after_memory(operation: Operation, subject: Subject, result: Any) -> None:
    found = _count(result)
    if operation.kind.operation == "search_memory":
        operation.fields.setdefault(names.MEMORY_RECORD_COUNT, found)
        if _captures() and _is_sequence(result):
            operation.capture({names.MEMORY_RECORDS: [item if type(item) is dict and "content" in item else {"content": item} for item in _read(result)]})


def _count(result: Any) -> int:
    """The number of records that a search found: the length of a collection, else 1 or 0."""
    kind = exact(result)
    return len(result) if kind in COLLECTIONS else 0 if result is None or (kind is str and not result) else 1


def after_vectors(operation: Operation, subject: Subject, result: Any) -> None:
    vector = result[0] if type(result) is list and result and type(result[0]) is list else result
    if type(vector) is list and vector and exact(vector[0]) in NUMBERS:
        operation.fields.setdefault(names.EMBEDDINGS_DIMENSION_COUNT, len(vector))


def after_evaluation(operation: Operation, subject: Subject, result: Any) -> None:
    """Write an evaluator's result as the conventions' event: a number is the score, a boolean score and label, a text the label; a dict may have each."""
    verdict = result if type(result) is dict else _verdict(result)
    found = {
        names.EVALUATION_NAME: operation.fields.get(names.OA_EVALUATOR_NAME, subject.name),
        names.EVALUATION_SCORE_VALUE: _score(verdict.get("score")),
        names.EVALUATION_SCORE_LABEL: verdict.get("label") if type(verdict.get("label")) is str else None,
    }
    attributes = {name: value for name, value in found.items() if value is not None}
    evaluated = operation.parent.context if operation.parent is not None else operation.context
    if engine.instruments is not None:
        measure_score(engine.instruments, attributes, evaluated)
    if operation.span.is_recording() and len(attributes) > 1:
        explanation = verdict.get("explanation")
        content = _allowed({names.EVALUATION_EXPLANATION: explanation}) if type(explanation) is str else {}
        emit(names.EVENT_EVALUATION_RESULT, {**attributes, **content}, evaluated)


def _allowed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content as far as the policy allows."""
    return engine.policy.content(content) if engine.policy is not None and engine.policy.captures else {}


def _verdict(result: Any) -> dict[str, Any]:
    if type(result) is bool:
        return {"score": float(result), "label": "pass" if result else "fail"}
    return {"score": result} if exact(result) in NUMBERS else {"label": result}


def _score(value: Any) -> float | None:
    return float(value) if type(value) is float or (type(value) is int and value.bit_length() < 1024) else None
