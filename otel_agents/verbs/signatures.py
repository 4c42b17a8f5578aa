"""The decorators as type checkers, editors and the API reference see them: each option with its type and meaning.

Programs never import this module: `otel_agents` names these functions under TYPE_CHECKING, and loads the objects of decorators.py instead. A test holds the
options here equal to those of the table that decorators.py is built from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partialmethod
from types import TracebackType
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, overload

from otel_agents.telemetry.operations import Operation

Descriptor: TypeAlias = "staticmethod[..., Any] | classmethod[Any, ..., Any] | property | cached_property[Any] | partialmethod[Any]"
Inference = Literal["chat", "generate_content", "text_completion"]
MemoryAction = Literal["search", "create", "write", "upsert", "update", "delete", "create_store", "delete_store"]
F = TypeVar("F", bound="Callable[..., Any] | Descriptor")
C = TypeVar("C", bound="type | Descriptor")
P = ParamSpec("P")
Q = ParamSpec("Q")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
S = TypeVar("S")


class Block(Protocol):
    """A verb as a block, `with` or `async with`: gives the running operation; an exception that leaves the block is its error."""

    def __enter__(self) -> Operation: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...
    async def __aenter__(self) -> Operation: ...
    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None: ...


class Scope(Block, Protocol):
    """A verb with its options: decorates a function or a class, or is entered as a block."""

    def __call__(self, subject: F, /) -> F: ...


class Tool(Protocol[P, R_co]):
    """A decorated tool: the same function, with `definition`, the description that a model is given."""

    __name__: str
    definition: dict[str, Any]
    """`{"type": "function", "name": …, "description": …, "parameters": <JSON schema>}`: one entry of a request's `tools`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __get__(self, instance: None, owner: type, /) -> Tool[P, R_co]: ...
    @overload
    def __get__(self: Tool[Concatenate[S, Q], R], instance: S, owner: type | None = None, /) -> Tool[Q, R]: ...


class ToolScope(Block, Protocol):
    """`oa.tool` with its options: decorates a function or a class, or is entered as a block."""

    @overload
    def __call__(self, subject: C, /) -> C: ...  # type: ignore[overload-overlap]  # a class is callable, too, and stays a class
    @overload
    def __call__(self, function: Callable[P, R], /) -> Tool[P, R]: ...


# ------------------------------------------------------------------------------------------------ agents and their steps


@overload
def agent(function: F, /) -> F: ...
@overload
def agent(name: str | None = None, *, description: str | None = None, model: str | None = None, data_source: str | None = None) -> Scope: ...
def agent(name: Any = None, *, description: str | None = None, model: str | None = None, data_source: str | None = None) -> Any:
    """One run of an agent: a span `invoke_agent <name>`, and the counts, durations, tokens and cost of the run as metrics.

    Model and tool calls inside it are its children and are added up for it. With content recorded, the arguments are its input messages and the result its
    output message. Convention: GenAI spans, "Invoke agent (internal)".

    Args:
        name (str): `gen_ai.agent.name`, of low cardinality; the function's or class's name if it is not given.
        description: `gen_ai.agent.description`; the first paragraph of the docstring if it is not given.
        model: `gen_ai.request.model`, where the agent is bound to one.
        data_source: `gen_ai.data_source.id`, what its knowledge is retrieved from.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


@overload
def workflow(function: F, /) -> F: ...
@overload
def workflow(name: str | None = None) -> Scope: ...
def workflow(name: Any = None) -> Any:
    """One run of a workflow, crew or graph of several agents: a span `invoke_workflow <name>`, and its duration as a metric.

    Convention: GenAI spans, "Invoke workflow". Not for a single agent's run: that is `agent`.

    Args:
        name (str): `gen_ai.workflow.name`, of low cardinality; the function's name if it is not given.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


@overload
def step(function: F, /) -> F: ...
@overload
def step(name: str | None = None) -> Scope: ...
def step(name: Any = None) -> Any:
    """A step of your own, for whatever no other verb says: a span `step <name>`, and its duration as a metric.

    The conventions have no steps; the attributes are otel-agents' own (`otel_agents.operation.name`, `otel_agents.step.name`).

    Args:
        name (str): `otel_agents.step.name`, of low cardinality; the function's name if it is not given.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


@overload
def tool(subject: C, /) -> C: ...  # type: ignore[overload-overlap]  # a class is callable, too, and stays a class
@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(name: str | None = None, *, description: str | None = None, type: str | None = None, call_id: str | None = None) -> ToolScope: ...
def tool(name: Any = None, *, description: str | None = None, type: str | None = None, call_id: str | None = None) -> Any:
    """A call of a tool: a span `execute_tool <name>`, its duration as a metric, and a count where an agent calls it in circles.

    A decorated function has `definition`, the JSON description of the tool for a model, from its type hints and its docstring. With content recorded, arguments
    and result are on the span or its event as JSON objects. Convention: GenAI spans, "Execute tool".

    Args:
        name (str): `gen_ai.tool.name`; the function's name if it is not given.
        description: `gen_ai.tool.description`; the first paragraph of the docstring if it is not given.
        type: `gen_ai.tool.type`: "function" (the default), "extension" or "datastore".
        call_id: `gen_ai.tool.call.id`, the id under which the model asked for the call. For one that is known during the call only, use
            `oa.current().attributes({"gen_ai.tool.call.id": …})`.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


@overload
def plan(function: F, /) -> F: ...
@overload
def plan(name: str | None = None, *, agent: str | None = None) -> Scope: ...
def plan(name: Any = None, *, agent: str | None = None) -> Any:
    """The making of a plan: a span `plan <agent>`; the model call that makes it is a child. Convention: GenAI spans, "Plan".

    Args:
        name (str): not recorded: the conventions name a plan after its agent.
        agent: `gen_ai.agent.name`; the agent that is running if it is not given.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


# ------------------------------------------------------------------------------------------------ models, data, memory


@overload
def llm(function: F, /) -> F: ...
@overload
def llm(name: str | None = None, *, operation: Inference = "chat", model: str | None = None, provider: str | None = None) -> Scope: ...
def llm(name: Any = None, *, operation: Inference = "chat", model: str | None = None, provider: str | None = None) -> Any:
    """A call of a model by code of your own: a span `<operation> <model>`, and duration, tokens and cost as metrics.

    Say during the call what only it knows: `oa.current().usage(…)`, `.model(…)`, `.response(…)`. A model call that an instrumentor sees inside completes this
    one and is not counted again. Convention: GenAI spans, "Inference".

    Args:
        name (str): not recorded: the conventions name a model call after its operation and model.
        operation: `gen_ai.operation.name`.
        model: `gen_ai.request.model`.
        provider: `gen_ai.provider.name`, such as "openai" or "aws.bedrock"; "custom" if it is not given.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
        ValueError: an operation that is not one of the three.
    """


@overload
def embedding(function: F, /) -> F: ...
@overload
def embedding(name: str | None = None, *, model: str | None = None, provider: str | None = None) -> Scope: ...
def embedding(name: Any = None, *, model: str | None = None, provider: str | None = None) -> Any:
    """The embedding of texts: a span `embeddings <model>`, and its duration as a metric. Convention: GenAI spans, "Embeddings".

    A result that is a vector, or a list of vectors, gives their dimension (`gen_ai.embeddings.dimension.count`). Tokens: `oa.current().usage(input_tokens=…)`.

    Args:
        name (str): not recorded: the conventions name it after its model.
        model: `gen_ai.request.model`.
        provider: `gen_ai.provider.name`; "custom" if it is not given.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


@overload
def retriever(function: F, /) -> F: ...
@overload
def retriever(name: str | None = None, *, model: str | None = None, provider: str | None = None, top_k: int | None = None) -> Scope: ...
def retriever(name: Any = None, *, model: str | None = None, provider: str | None = None, top_k: int | None = None) -> Any:
    """A search for documents: a span `retrieval <name>`, and its duration as a metric. Convention: GenAI spans, "Retrieval".

    With content recorded, the first text among the arguments is the query, and a list as result the documents.

    Args:
        name (str): `gen_ai.data_source.id`, what is searched; the function's name if it is not given.
        model: `gen_ai.request.model`, of the embeddings.
        provider: `gen_ai.provider.name`, of the data source.
        top_k: `gen_ai.retrieval.top_k`, how many documents are asked for.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


@overload
def memory(function: F, /) -> F: ...
@overload
def memory(
    action: MemoryAction = "search", *, name: str | None = None, store: str | None = None, provider: str | None = None, record: str | None = None
) -> Scope: ...
def memory(action: Any = "search", *, name: str | None = None, store: str | None = None, provider: str | None = None, record: str | None = None) -> Any:
    """An agent's memory is searched or changed: a span such as `search_memory`, and its duration as a metric. Convention: GenAI spans, "Memory".

    The result of a search says how many records it found (`gen_ai.memory.record.count`): its length, where it is a collection.

    Args:
        action (MemoryAction): what is done; "write" is "upsert".
        name: not recorded: the conventions name it after its action.
        store: `gen_ai.memory.store.id`.
        provider: `gen_ai.provider.name`, of the store.
        record: `gen_ai.memory.record.id`.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
        ValueError: an action that is not one of these.
    """


# ------------------------------------------------------------------------------------------------ quality


@overload
def evaluator(function: F, /) -> F: ...
@overload
def evaluator(name: str | None = None, *, version: str | None = None) -> Scope: ...
def evaluator(name: Any = None, *, version: str | None = None) -> Any:
    """The evaluation of an answer: a span `evaluate <name>`, an event `gen_ai.evaluation.result`, and the score as a metric.

    The result is the verdict: a number is the score, a bool a score of 1.0 or 0.0 with the label "pass" or "fail", a text the label; a dict may have `score`,
    `label` and `explanation`. Called inside an agent's run, the event belongs to that run. Convention: GenAI events, "Evaluation result".

    Args:
        name (str): `gen_ai.evaluation.name` and `otel_agents.evaluator.name`; the function's name if it is not given.
        version: `otel_agents.evaluator.version`.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """


@overload
def guardrail(function: F, /) -> F: ...
@overload
def guardrail(name: str | None = None) -> Scope: ...
def guardrail(name: Any = None) -> Any:
    """The check of an input or an output: a span `guardrail <name>`. The attributes are otel-agents' own; the conventions have none yet.

    Args:
        name (str): `otel_agents.guardrail.name`; the function's name if it is not given.

    Raises:
        TypeError: an option that it does not have, or a subject that can't be decorated.
    """
