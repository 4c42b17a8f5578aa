"""The spans of one trace → its tree, including runs that have not ended, with tokens, cost and outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from otel_agents import semconv as names
from otel_agents.analysis.items import Log, Span

INFERENCE = frozenset({"chat", "generate_content", "text_completion", "embeddings"})
USAGE = {
    "input_tokens": names.USAGE_INPUT_TOKENS,
    "output_tokens": names.USAGE_OUTPUT_TOKENS,
    "cache_read_input_tokens": names.USAGE_CACHE_READ_INPUT_TOKENS,
    "cache_write_input_tokens": names.USAGE_CACHE_WRITE_INPUT_TOKENS,
    "reasoning_output_tokens": names.USAGE_REASONING_OUTPUT_TOKENS,
}
WORST_FIRST = ("died", "error", "running", "cancelled", "interrupted", "ok")
MISSING = "(not recorded)"
IsAlive = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Totals:
    """Tokens by kind and cost in US dollars, each only if known: an unknown cost is None, never 0; `unpriced` counts calls without a price."""

    tokens: Mapping[str, int] = field(default_factory=dict)
    cost: float | None = None
    unpriced: int = 0

    def __add__(self, other: Totals) -> Totals:
        if self is NOTHING or other is NOTHING:
            return other if self is NOTHING else self
        tokens = {kind: self.tokens.get(kind, 0) + other.tokens.get(kind, 0) for kind in USAGE if kind in self.tokens or kind in other.tokens}
        costs = [cost for cost in (self.cost, other.cost) if cost is not None]
        return Totals(tokens, sum(costs) if costs else None, self.unpriced + other.unpriced)


NOTHING = Totals()


@dataclass(slots=True, eq=False)
class Node:
    """A span in the tree; `outcome` is ok, error, interrupted, cancelled, running or died."""

    span: Span
    children: list[Node] = field(default_factory=list)
    was_recorded: bool = True

    @property
    def outcome(self) -> str:
        return str(self.span.attributes.get(names.OA_OUTCOME) or ("error" if self.span.failed else "ok"))

    @property
    def operation(self) -> str:
        return str(self.span.attributes.get(names.OPERATION_NAME, ""))

    def walk(self) -> Iterator[Node]:
        """This node and all below it, parents first. Iterative: agents may nest deeper than Python's recursion limit."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


@dataclass(slots=True, eq=False)
class Trace:
    """One trace: its roots, earliest first."""

    trace_id: str
    roots: list[Node]

    def nodes(self) -> list[Node]:
        return [node for root in self.roots for node in root.walk()]

    def recorded(self) -> list[Node]:
        return [node for node in self.nodes() if node.was_recorded]

    @property
    def start(self) -> int:
        return min(node.span.start for node in self.nodes())

    @property
    def end(self) -> int:
        """The latest known end (nanoseconds since the epoch)."""
        return max(node.span.end or node.span.start for node in self.nodes())

    @property
    def outcome(self) -> str:
        outcomes = {root.outcome for root in self.roots}
        return next((outcome for outcome in WORST_FIRST if outcome in outcomes), "ok")

    def totals(self) -> dict[str, Totals]:
        """By span id, usage of the model calls at and below it. Counted once: not again in a parent's sums, nor for a call within a call."""
        known: dict[str, Totals] = {}
        for node in reversed(self.nodes()):
            own, below = totals_of(node.span), sum((known[child.span.span_id] for child in node.children), NOTHING)
            counts_itself = own is not NOTHING and node.operation in INFERENCE
            known[node.span.span_id] = own if counts_itself or below is NOTHING else below
        return known


def totals_of(span: Span) -> Totals:
    found = {kind: tokens for kind, name in USAGE.items() if isinstance(tokens := span.attributes.get(name), int)}
    cost = span.attributes.get(names.OA_COST)
    if not found and cost is None:
        return NOTHING
    price = float(cost) if isinstance(cost, int | float) else None
    return Totals(found, price, int(bool(found) and price is None and span.attributes.get(names.OPERATION_NAME) in INFERENCE))


# ---------------------------------------------------------------------------------------------- building


def build(spans: Iterable[Span], runs: Iterable[Log] = (), is_alive: IsAlive = lambda segment: False) -> Trace | None:
    """The tree of one trace's spans; `runs` are its run.started and run.ended records, `is_alive` tells whether a segment's process is running."""
    found = {span.span_id: span for span in spans}
    found = {**open_runs(runs, found, is_alive), **found}
    if not found:
        return None
    nodes = {span_id: Node(span) for span_id, span in sorted(found.items(), key=lambda pair: pair[1].start)}
    return Trace(next(iter(found.values())).trace_id, attached(nodes, is_alive))


def open_runs(runs: Iterable[Log], ended: Mapping[str, Span], is_alive: IsAlive) -> dict[str, Span]:
    """A span for each run that started and has no span: running while its process is alive, died afterwards."""
    records = sorted((run for run in runs if run.span_id and run.span_id not in ended), key=lambda run: run.time)
    closed = {run.span_id: run for run in records if run.event == names.EVENT_OA_RUN_ENDED}
    return {run.span_id: open_run(run, closed.get(run.span_id), is_alive) for run in reversed(records) if run.event == names.EVENT_OA_RUN_STARTED}


def open_run(run: Log, closing: Log | None, is_alive: IsAlive) -> Span:
    ended = closing.attributes if closing else {}
    outcome = ended.get(names.OA_OUTCOME) or ("running" if is_alive(run.segment) else "died")
    attributes = {**run.attributes, **ended, names.OA_OUTCOME: outcome}
    return Span(
        trace_id=run.trace_id,
        span_id=run.span_id,
        parent_id=str(attributes.pop(names.OA_PARENT_ID, "")),
        name=run_name(attributes),
        kind="internal",
        start=run.time,
        end=closing.time if closing and outcome != "died" else None,
        attributes=attributes,
        origin=run.origin,
        segment=run.segment,
    )


def run_name(attributes: Mapping[str, Any]) -> str:
    operation = str(attributes.get(names.OPERATION_NAME, "invoke_agent"))
    called = attributes.get(names.AGENT_NAME) or attributes.get(names.WORKFLOW_NAME)
    return f"{operation} {called}" if called else operation


def attached(nodes: dict[str, Node], is_alive: IsAlive) -> list[Node]:
    """Put each node below its parent. Without a parent, or with one in another service, it is a root; a missing parent gets a placeholder."""
    roots: list[Node] = []
    for node in list(nodes.values()):
        parent = nodes.get(node.span.parent_id) or absent_parent(node.span, nodes, roots, is_alive)
        (parent.children if parent is not None else roots).append(node)
    if any(has_odd_start(node, nodes) for node in nodes.values()):
        cut_cycles(nodes, roots)
    return sorted(roots, key=lambda node: node.span.start)


def has_odd_start(node: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether its parent started no earlier than the span itself. Clocks may differ, but every cycle has such a span."""
    parent = nodes.get(node.span.parent_id)
    return parent is not None and parent.span.start >= node.span.start


def cut_cycles(nodes: Mapping[str, Node], roots: list[Node]) -> None:
    """Spans that name each other as parents are below no root: make the earliest of them a root."""
    while unreached := not_reached(nodes, roots):
        nodes[unreached[0].span.parent_id].children.remove(unreached[0])
        roots.append(unreached[0])


def not_reached(nodes: Mapping[str, Node], roots: Iterable[Node]) -> list[Node]:
    reached = {node.span.span_id for root in roots for node in root.walk()}
    return [node for span_id, node in nodes.items() if span_id not in reached]


def absent_parent(span: Span, nodes: dict[str, Node], roots: list[Node], is_alive: IsAlive) -> Node | None:
    if not span.parent_id or span.parent_is_remote:
        return None
    outcome = "running" if is_alive(span.segment) else "died"
    place = replace(
        span, span_id=span.parent_id, parent_id="", name=MISSING, kind="internal", end=None, attributes={names.OA_OUTCOME: outcome}, events=(), links=(),
        failed=False, message="",
    )  # fmt: skip
    nodes[span.parent_id] = node = Node(place, was_recorded=False)
    roots.append(node)
    return node


# ---------------------------------------------------------------------------------------------- summary


@dataclass(frozen=True, slots=True)
class Summary:
    """A trace in one line; times in nanoseconds since the epoch."""

    trace_id: str
    name: str
    agent: str
    agents: tuple[str, ...]
    service: str
    conversation_id: str
    start: int
    end: int
    spans: int
    errors: int
    outcome: str
    totals: Totals
    models: tuple[str, ...]
    tools: tuple[str, ...]
    model_calls: int
    tool_calls: int


def summary(trace: Trace) -> Summary:
    """Summarise the trace."""
    recorded = trace.recorded()
    agents = values(recorded, names.AGENT_NAME)
    origin, totals = trace.roots[0].span.origin, trace.totals()
    return Summary(
        trace_id=trace.trace_id,
        name=next((root.span.name for root in trace.roots if root.was_recorded), MISSING),
        agent=agents[0] if agents else "",
        agents=agents,
        service=str(origin.resource.get(names.SERVICE_NAME, "")),
        conversation_id=next(iter(values(recorded, names.CONVERSATION_ID)), ""),
        start=trace.start,
        end=trace.end,
        spans=len(recorded),
        errors=sum(node.span.failed for node in recorded),
        outcome=trace.outcome,
        totals=sum((totals[root.span.span_id] for root in trace.roots), NOTHING),
        models=values([node for node in recorded if node.operation in INFERENCE], names.REQUEST_MODEL),
        tools=values(recorded, names.TOOL_NAME),
        model_calls=sum(node.operation in INFERENCE for node in recorded),
        tool_calls=sum(node.operation == "execute_tool" for node in recorded),
    )


def values(nodes: Iterable[Node], name: str) -> tuple[str, ...]:
    """The distinct values of an attribute, in the order of the tree."""
    return tuple(dict.fromkeys(str(value) for node in nodes if (value := node.span.attributes.get(name)) is not None))
