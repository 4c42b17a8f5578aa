"""The table of kinds of operations: name, span, metrics and event of each, and what is derived when it ends (semconv/README.md §1-2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind

from otel_agents import semconv as names
from otel_agents.sdk.internals import SeverityNumber
from otel_agents.telemetry import metrics

if TYPE_CHECKING:
    from otel_agents.telemetry.metrics import Measure
    from otel_agents.telemetry.seams import EndedOperation

CUSTOM_PROVIDER = "custom"  # for a model of the program's own: the provider's name is required, and its enum is open
UNNAMED_TOOL = "unnamed"  # for a block without a name: the tool's name is required
LOOP_CALLS = 3  # calls of one tool with the same arguments in one run that make a loop


def _derive_nothing(operation: EndedOperation) -> None:
    """Derive nothing."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the operations of one kind have in common.

    operation: `gen_ai.operation.name`, or the name of a kind of ours; named_by: the attribute that follows it in the span's name;
    finish: derives attributes when the operation ends; measure: records its metrics after that; event: the name of the event at its end;
    conventional: whether the conventions have this kind; names_agent: whether the agent that performs it is an attribute of its span.
    """

    operation: str
    named_by: str = ""
    span: SpanKind = SpanKind.INTERNAL
    measure: Measure | None = None
    finish: Callable[[EndedOperation], None] = _derive_nothing
    event: str = ""
    severity: SeverityNumber = SeverityNumber.DEBUG
    conventional: bool = True
    is_agent: bool = False
    is_model: bool = False
    names_agent: bool = False

    @property
    def is_client(self) -> bool:
        return self.span is SpanKind.CLIENT

    def first(self) -> dict[str, Any]:
        """The attribute with the operation's name."""
        return {names.OPERATION_NAME if self.conventional else names.OA_OPERATION_NAME: self.operation}

    def span_name(self, fields: Mapping[str, Any]) -> str:
        """The operation, followed by the name of its object (model, tool, agent …) if known."""
        about = fields.get(self.named_by)
        return f"{self.operation} {about}" if about else self.operation


# ------------------------------------------------------------------------------------------------ derived attributes


def finish_inference(operation: EndedOperation) -> None:
    """Set the call's cost and, if it failed, the finish reason; count it for its agent."""
    fields = operation.fields
    fields.setdefault(names.PROVIDER_NAME, CUSTOM_PROVIDER)
    if operation.outcome != "ok":
        fields.setdefault(names.RESPONSE_FINISH_REASONS, ["error"] * fields.get(names.REQUEST_CHOICE_COUNT, 1))
    price(fields)
    if fields.get(names.REQUEST_STREAM) and (seconds := operation.chunk_seconds()):
        fields[names.RESPONSE_TIME_TO_FIRST_CHUNK] = seconds[0]
    if operation.agent is not None:
        operation.agent.inferences.append(fields)


def price(fields: dict[str, Any]) -> None:
    """Set the cost in USD if usage and price are known: never a guess, never zero for unknown."""
    if names.OA_COST not in fields and names.USAGE_INPUT_TOKENS in fields:
        from otel_agents.telemetry import prices  # reads its table at the first call that needs a price

        provider, usage = fields.get(names.PROVIDER_NAME), {name: value for name, value in fields.items() if name.startswith("gen_ai.usage.")}
        models = (fields.get(names.RESPONSE_MODEL), fields.get(names.REQUEST_MODEL))
        known = (prices.cost(provider, model, usage) for model in models if model)
        cost = next((amount for amount in known if amount is not None), None)
        if cost is not None:
            fields[names.OA_COST] = cost


def finish_embeddings(operation: EndedOperation) -> None:
    operation.fields.setdefault(names.PROVIDER_NAME, CUSTOM_PROVIDER)
    price(operation.fields)


def finish_run(operation: EndedOperation) -> None:
    """Total tokens and cost of the agent's own model calls, without those of its sub-agents."""
    for name in (names.USAGE_INPUT_TOKENS, names.USAGE_OUTPUT_TOKENS, names.OA_COST):
        values = [call[name] for call in operation.inferences if name in call]
        if values:
            operation.fields.setdefault(name, sum(values))
    reasons = [call[names.RESPONSE_FINISH_REASONS] for call in operation.inferences if names.RESPONSE_FINISH_REASONS in call]
    if reasons:
        operation.fields.setdefault(names.RESPONSE_FINISH_REASONS, reasons[-1])


def finish_tool(operation: EndedOperation) -> None:
    """Count the call for its agent, and detect loops, each once however long it is."""
    operation.fields.setdefault(names.TOOL_NAME, UNNAMED_TOOL)
    if operation.agent is not None:
        operation.agent.tools.append(operation.signature)
        operation.loops = operation.signature is not None and operation.agent.tools.count(operation.signature) == LOOP_CALLS


# ------------------------------------------------------------------------------------------------ the table


def _inference(operation: str) -> Kind:
    event = names.EVENT_CLIENT_INFERENCE_OPERATION_DETAILS
    return Kind(operation, names.REQUEST_MODEL, SpanKind.CLIENT, metrics.measure_inference, finish_inference, event, is_model=True)


def _client(operation: str, named_by: str = "", **more: Any) -> Kind:
    return Kind(operation, named_by, SpanKind.CLIENT, metrics.measure_client, **more)


def _ours(operation: str, named_by: str) -> Kind:
    return Kind(operation, named_by, measure=metrics.measure_step if operation == "step" else None, conventional=False)


MEMORY = ("search_memory", "create_memory", "update_memory", "upsert_memory", "delete_memory", "create_memory_store", "delete_memory_store")
ROWS = (
    _inference("chat"),
    _inference("generate_content"),
    _inference("text_completion"),
    _client("embeddings", names.REQUEST_MODEL, finish=finish_embeddings, is_model=True),
    _client("fetch_response", is_model=True),
    _client("retrieval", names.DATA_SOURCE_ID),
    *(_client(operation) for operation in MEMORY),
    Kind(
        "invoke_agent",
        names.AGENT_NAME,
        measure=metrics.measure_run,
        finish=finish_run,
        event=names.EVENT_OA_RUN_ENDED,
        severity=SeverityNumber.INFO,
        is_agent=True,
    ),
    Kind("invoke_workflow", names.WORKFLOW_NAME, measure=metrics.measure_workflow),
    Kind("execute_tool", names.TOOL_NAME, measure=metrics.measure_tool, finish=finish_tool, event=names.EVENT_OA_TOOL_DETAILS, names_agent=True),
    Kind("plan", names.AGENT_NAME, names_agent=True),
    _ours("step", names.OA_STEP_NAME),
    _ours("evaluate", names.OA_EVALUATOR_NAME),
    _ours("guardrail", names.OA_GUARDRAIL_NAME),
)
KINDS: Mapping[str, Kind] = {kind.operation: kind for kind in ROWS}
