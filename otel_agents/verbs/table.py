"""The table of decorators: the kind of operation, the options, and what is captured of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from otel_agents import semconv as names
from otel_agents.telemetry.kinds import KINDS, Kind
from otel_agents.verbs.capture import (
    After,
    Before,
    Subject,
    after_documents,
    after_evaluation,
    after_memory,
    after_messages,
    after_tool,
    after_values,
    after_vectors,
    before_messages,
    before_query,
    before_tool,
    before_values,
)
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
AGENT = {"description": names.AGENT_DESCRIPTION, "model": names.REQUEST_MODEL, "data_source": names.DATA_SOURCE_ID}
TOOL = {"description": names.TOOL_DESCRIPTION, "type": names.TOOL_TYPE, "call_id": names.TOOL_CALL_ID}
FUNCTION = {names.TOOL_TYPE: "function"}
STORE = {"store": names.MEMORY_STORE_ID, "provider": names.PROVIDER_NAME, "record": names.MEMORY_RECORD_ID}
RETRIEVAL = {**MODEL, "top_k": names.RETRIEVAL_TOP_K}


@dataclass(frozen=True, slots=True)
class Row:
    """One decorator. options: its keywords and the attributes that they set; choices: the values of the option `selects` and the kinds that they select."""

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
    finish: Callable[[Any, Subject], Any] = lambda wrapped, subject: wrapped

    def parse(self, name: str | None, options: Mapping[str, Any]) -> tuple[Kind, str | None, dict[str, Any]]:
        """The kind, name and attributes for a name and options; a ValueError or TypeError names the wrong option and the valid ones."""
        given = dict(options)
        kind = self.kind
        if self.choices is not None:
            takes_choice_first = self.verb == "memory"
            chosen = given.pop(self.selects, name if takes_choice_first and name in self.choices else next(iter(self.choices)))
            name = None if takes_choice_first and chosen == name else name
            kind = self._choice(chosen)
        name = given.pop("name", name)
        return KINDS[kind], name, {self._option(key): value for key, value in given.items() if value is not None}

    def _choice(self, chosen: Any) -> str:
        assert self.choices is not None  # called only if there are choices
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
            raise TypeError(f"oa.{self.verb}() has no option {wrong('option', key)}{hint}; it has {known}; set others with oa.current().attributes({{…}})")
        return self.options[key]

    def named(self, fields: Mapping[str, Any], name: str | None, description: str = "") -> dict[str, Any]:
        """The attributes, with name and description under the attributes of this kind."""
        named = {self.name: name} if self.name and name else {}
        described = {self.description: description} if self.description and description else {}
        return {**named, **(self.defaults or {}), **described, **fields}


def with_definition(wrapped: Any, subject: Subject) -> Any:
    """Set the tool's attribute `definition`, the JSON description for a model, if it can have attributes."""
    if hasattr(wrapped, "__dict__"):
        wrapped.definition = definition(subject.function, subject.name)
    return wrapped


ROWS = (
    Row("agent", "An agent's run.", "invoke_agent", names.AGENT_NAME, before_messages, after_messages, AGENT, names.AGENT_DESCRIPTION),
    Row("workflow", "A workflow, crew or graph.", "invoke_workflow", names.WORKFLOW_NAME, before_messages, after_messages, {}),
    Row("step", "A step of the program's own.", "step", names.OA_STEP_NAME, before_values, after_values, {}),
    Row("tool", "A tool call.", "execute_tool", names.TOOL_NAME, before_tool, after_tool, TOOL, names.TOOL_DESCRIPTION, FUNCTION, finish=with_definition),
    Row("llm", "A model call.", "chat", "", before_messages, after_messages, MODEL, selects="operation", choices=INFERENCES),
    Row("embedding", "Text is embedded.", "embeddings", "", before_values, after_vectors, MODEL),
    Row("retriever", "Documents are retrieved.", "retrieval", names.DATA_SOURCE_ID, before_query(names.RETRIEVAL_QUERY_TEXT), after_documents, RETRIEVAL),
    Row(
        "memory",
        "Memory is searched, written or deleted.",
        "search_memory",
        "",
        before_query(names.MEMORY_QUERY_TEXT),
        after_memory,
        STORE,
        selects="action",
        choices=MEMORY_ACTIONS,
    ),
    Row("plan", "A plan is made.", "plan", "", before_values, after_values, {"agent": names.AGENT_NAME}),
    Row("evaluator", "An answer is evaluated.", "evaluate", names.OA_EVALUATOR_NAME, before_values, after_evaluation, {"version": names.OA_EVALUATOR_VERSION}),
    Row("guardrail", "An input or output is checked.", "guardrail", names.OA_GUARDRAIL_NAME, before_values, after_values, {}),
)
