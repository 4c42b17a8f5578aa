"""What each decorator knows: its options, and how arguments and results of the program's own functions are read. Tables and pure readings; no span."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import orjson

from otel_agents import semconv as names
from otel_agents.redaction.by_shape import Redact
from otel_agents.telemetry.calls import Call
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.events import emit
from otel_agents.telemetry.introspection import exact
from otel_agents.telemetry.kinds import KINDS, Kind
from otel_agents.telemetry.metrics import measure_score
from otel_agents.telemetry.operations import Operation
from otel_agents.telemetry.values import LIMIT, as_json, plain
from otel_agents.verbs.tool_schema import definition

MODEL = {"model": names.REQUEST_MODEL, "provider": names.PROVIDER_NAME}
MEMORY_ACTIONS = {
    "search": "search_memory",
    "create": "create_memory",
    "write": "upsert_memory",
    "upsert": "upsert_memory",
    "update": "update_memory",
    "delete": "delete_memory",
    "create_store": "create_memory_store",
    "delete_store": "delete_memory_store",
}
INFERENCES = {"chat": "chat", "generate_content": "generate_content", "text_completion": "text_completion"}
SIGNATURE_SIZE = 2048
SCALARS = frozenset({str, int, float, bool, type(None)})
NUMBERS = frozenset({int, float})
COLLECTIONS = frozenset({list, tuple, dict, set, frozenset})


class Subject:
    """A decorated function: its name, what its docstring says, how its arguments are called."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self.function = function
        self.name = name
        self.description = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ").strip()

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the positional parameters; of a builtin without signature none."""
        try:
            signature = inspect.signature(self.function)
        except (TypeError, ValueError):
            return ()
        return tuple(one.name for one in signature.parameters.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD))

    def arguments(self, call: Call) -> dict[str, Any]:
        """The arguments of a call by name; the instance of a method left out."""
        positional = zip(self.parameters, call.args, strict=False)
        rest = call.args[len(self.parameters) :]
        named = {name: value for name, value in positional if name not in ("self", "cls")}
        return {**named, **({"args": list(rest)} if rest else {}), **call.kwargs}


Before = Callable[[Operation, Subject, Call], None]
After = Callable[[Operation, Subject, Any], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One decorator. options: its keywords and the attributes they set; choices: the values of `selects`, which picks the kind of operation."""

    verb: str
    doc: str
    kind: str
    name: str
    before: Before
    after: After
    options: Mapping[str, str]
    description: str = ""
    defaults: Mapping[str, str] | None = None
    selects: str = ""
    choices: Mapping[str, str] | None = None
    dress: Callable[[Any, Subject], Any] = lambda wrapped, subject: wrapped

    def understand(self, name: str | None, options: Mapping[str, Any]) -> tuple[Kind, str | None, dict[str, Any]]:
        """The kind, name and attributes that a name and options mean; a ValueError or TypeError says which of them is wrong and what is right."""
        given = dict(options)
        kind = self.kind
        if self.choices is not None:
            first = self.verb == "memory"
            chosen = given.pop(self.selects, name if first and name in self.choices else next(iter(self.choices)))
            name = None if first and chosen == name else name
            kind = self._choice(chosen)
        name = given.pop("name", name)
        return KINDS[kind], name, {self._option(key): value for key, value in given.items() if value is not None}

    def _choice(self, chosen: Any) -> str:
        assert self.choices is not None  # asked only where there are choices
        if chosen not in self.choices:
            from otel_agents.redaction.messages import wrong

            raise ValueError(f"oa.{self.verb}({self.selects}={wrong(self.selects, chosen)}): it is one of {', '.join(self.choices)}")
        return self.choices[chosen]

    def _option(self, key: str) -> str:
        if key not in self.options:
            from otel_agents.redaction.messages import wrong

            near = get_close_matches(key, self.options, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(("name", *self.options))
            raise TypeError(f"oa.{self.verb}() has no option {wrong('option', key)}{hint}; it has {known}; more by oa.current().attributes({{…}})")
        return self.options[key]

    def named(self, fields: Mapping[str, Any], name: str | None, description: str = "") -> dict[str, Any]:
        """The attributes with the name and description under what this kind calls them."""
        known = {self.name: name} if self.name and name else {}
        told = {self.description: description} if self.description and description else {}
        return {**known, **(self.defaults or {}), **told, **fields}


# ------------------------------------------------------------------------------------------------ readings


def _captures() -> bool:
    return engine.policy is not None and engine.policy.captures


def _bounds() -> tuple[int, Redact | None]:
    """How long a value may be, and how its texts are redacted: before they are cut."""
    policy = engine.policy
    return (policy.limit, policy.redact) if policy is not None else (LIMIT, None)


def _read(value: Any) -> Any:
    return plain(value, *_bounds())


def _is_sequence(value: Any) -> bool:
    return type(value) is list or type(value) is tuple


def _message(role: str, value: Any) -> list[dict[str, Any]]:
    """A value as one message of the conventions' shape; a text as it is, anything else as JSON."""
    read = _read(value)
    text = read if type(read) is str else as_json(read, _bounds()[0])
    return [{"role": role, "parts": [{"type": "text", "content": text}]}]


def _said(arguments: Mapping[str, Any]) -> Any:
    """The one argument, where there is one; else all."""
    return next(iter(arguments.values())) if len(arguments) == 1 else arguments


def before_messages(operation: Operation, subject: Subject, call: Call) -> None:
    if _captures() and (arguments := subject.arguments(call)):
        operation.capture({names.INPUT_MESSAGES: _message("user", _said(arguments))})


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
    """What tells one call's arguments from another's."""
    values = arguments.values()
    return tuple(arguments.items()) if all(map(_is_small, values)) else as_json(arguments, SIGNATURE_SIZE)


def _is_small(value: Any) -> bool:
    return exact(value) in SCALARS and (type(value) is not str or len(value) <= SIGNATURE_SIZE)


def after_tool(operation: Operation, subject: Subject, result: Any) -> None:
    if _captures() and result is not None:
        operation.capture({names.TOOL_CALL_RESULT: _object(result)})


def _object(value: Any) -> dict[str, Any]:
    """A tool's result as the object that the conventions want: JSON text of one is read, anything else stands under `result`, as in MCP."""
    kind = exact(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]  # exactly a dict
    if kind in COLLECTIONS or (kind is str and not value.startswith("{")):
        return {"result": value}
    read = _read(value)
    told = parsed(read) if type(read) is str and read.startswith("{") else read
    return told if type(told) is dict else {"result": value if kind is str else read}


def parsed(text: str) -> Any:
    """The value of a JSON text; None of one that is none."""
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
    """How many records a search found: the length of a collection, else one or none."""
    kind = exact(result)
    return len(result) if kind in COLLECTIONS else 0 if result is None or (kind is str and not result) else 1


def after_vectors(operation: Operation, subject: Subject, result: Any) -> None:
    vector = result[0] if type(result) is list and result and type(result[0]) is list else result
    if type(vector) is list and vector and exact(vector[0]) in NUMBERS:
        operation.fields.setdefault(names.EMBEDDINGS_DIMENSION_COUNT, len(vector))


def after_plan(operation: Operation, subject: Subject, result: Any) -> None:
    after_values(operation, subject, result)


def after_evaluation(operation: Operation, subject: Subject, result: Any) -> None:
    """The result of an evaluator as the conventions' event: a number is its score, a boolean its label, a text its label; a dict may say each."""
    said = result if type(result) is dict else _verdict(result)
    told = {
        names.EVALUATION_NAME: operation.fields.get(names.OA_EVALUATOR_NAME, subject.name),
        names.EVALUATION_SCORE_VALUE: _score(said.get("score")),
        names.EVALUATION_SCORE_LABEL: said.get("label") if type(said.get("label")) is str else None,
    }
    verdict = {name: value for name, value in told.items() if value is not None}
    judged = operation.parent.context if operation.parent is not None else operation.context
    if engine.instruments is not None:
        measure_score(engine.instruments, verdict, judged)
    if operation.span.is_recording() and len(verdict) > 1:
        explanation = said.get("explanation")
        emit(names.EVENT_EVALUATION_RESULT, {**verdict, **_shown({names.EVALUATION_EXPLANATION: explanation} if type(explanation) is str else {})}, judged)


def _shown(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content as far as the policy shows it."""
    return engine.policy.content(content) if engine.policy is not None and engine.policy.captures else {}


def _verdict(result: Any) -> dict[str, Any]:
    if type(result) is bool:
        return {"score": float(result), "label": "pass" if result else "fail"}
    return {"score": result} if exact(result) in NUMBERS else {"label": result}


def _score(value: Any) -> float | None:
    return float(value) if type(value) is float or (type(value) is int and value.bit_length() < 1024) else None


def with_definition(wrapped: Any, subject: Subject) -> Any:
    """The tool with `definition`, the JSON description that a model is given, on it (where it can carry attributes)."""
    if hasattr(wrapped, "__dict__"):
        wrapped.definition = definition(subject.function, subject.name)
    return wrapped


# ------------------------------------------------------------------------------------------------ the table

AGENT = {"description": names.AGENT_DESCRIPTION, "model": names.REQUEST_MODEL, "data_source": names.DATA_SOURCE_ID}
TOOL = {"description": names.TOOL_DESCRIPTION, "type": names.TOOL_TYPE, "call_id": names.TOOL_CALL_ID}
FUNCTION = {names.TOOL_TYPE: "function"}
STORE = {"store": names.MEMORY_STORE_ID, "provider": names.PROVIDER_NAME, "record": names.MEMORY_RECORD_ID}
RETRIEVAL = {**MODEL, "top_k": names.RETRIEVAL_TOP_K}

ROWS = (
    Row("agent", "An agent's run.", "invoke_agent", names.AGENT_NAME, before_messages, after_messages, AGENT, names.AGENT_DESCRIPTION),
    Row("workflow", "A workflow, crew or graph.", "invoke_workflow", names.WORKFLOW_NAME, before_messages, after_messages, {}),
    Row("step", "A step of the program's own.", "step", names.OA_STEP_NAME, before_values, after_values, {}),
    Row("tool", "A tool's call.", "execute_tool", names.TOOL_NAME, before_tool, after_tool, TOOL, names.TOOL_DESCRIPTION, FUNCTION, dress=with_definition),
    Row("llm", "A model's call.", "chat", "", before_messages, after_messages, MODEL, selects="operation", choices=INFERENCES),
    Row("embedding", "Text is embedded.", "embeddings", "", before_values, after_vectors, MODEL),
    Row("retriever", "Documents are retrieved.", "retrieval", names.DATA_SOURCE_ID, before_query(names.RETRIEVAL_QUERY_TEXT), after_documents, RETRIEVAL),
    Row(
        "memory",
        "Memory is searched, written or dropped.",
        "search_memory",
        "",
        before_query(names.MEMORY_QUERY_TEXT),
        after_memory,
        STORE,
        selects="action",
        choices=MEMORY_ACTIONS,
    ),
    Row("plan", "A plan is made.", "plan", "", before_values, after_plan, {"agent": names.AGENT_NAME}),
    Row("evaluator", "An answer is judged.", "evaluate", names.OA_EVALUATOR_NAME, before_values, after_evaluation, {"version": names.OA_EVALUATOR_VERSION}),
    Row("guardrail", "An input or output is checked.", "guardrail", names.OA_GUARDRAIL_NAME, before_values, after_values, {}),
)
