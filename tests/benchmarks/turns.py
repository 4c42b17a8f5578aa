"""One turn of an agent, twice: as a user of ours writes it, and as a user of the plain SDK must to get the same. Three model calls, three tools, 7 spans."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

MODEL, ANSWERED, PROVIDER, AGENT = "gpt-4o", "gpt-4o-2024-08-06", "openai", "researcher"
SESSION = {"gen_ai.conversation.id": "c1", "user.id": "u-1"}
TOOL_ABOUT = "Search the web."
COST = 0.000075
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(4**power for power in range(14))
Work = Callable[[], None]


def nothing() -> None:
    """The program's own work, where only telemetry is measured."""


def ours(work: Work = nothing) -> Callable[[], Any]:
    """A turn with our decorators; `work` is what a model call and a tool do."""
    import otel_agents as oa

    @oa.tool
    def search(query: str) -> str:
        """Search the web."""
        work()
        return query

    @oa.llm(model=MODEL, provider=PROVIDER)
    def ask(prompt: str) -> str:
        work()
        running = oa.current()
        running.usage(input_tokens=10, output_tokens=5, cost=COST)
        running.response(id="r1", model=ANSWERED, finish_reasons=["stop"])
        return "answer"

    @oa.agent(name=AGENT)
    def run(question: str) -> str:
        for number in range(3):
            search(f"{question} {number}")
            ask(question)
        return "done"

    def turn() -> None:
        with oa.session(SESSION["gen_ai.conversation.id"], user=SESSION["user.id"]):
            run("why?")

    return turn


class Plain:
    """The same spans with the same attributes by hand. full: every point and event that ours has; else 9 points and 7 log records."""

    def __init__(self, tracer: Any, meter: Any, events: Any, work: Work = nothing, *, full: bool = False) -> None:
        from opentelemetry._logs import SeverityNumber
        from opentelemetry.trace import SpanKind

        self.tracer, self.events, self.work, self.full = tracer, events, work, full
        self.client, self.internal = SpanKind.CLIENT, SpanKind.INTERNAL
        self.debug, self.info = SeverityNumber.DEBUG, SeverityNumber.INFO
        durations = ("gen_ai.client.inference.duration", "gen_ai.execute_tool.duration", "gen_ai.invoke_agent.duration")
        self.chat_s, self.tool_s, self.run_s = (meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=SECONDS) for name in durations)
        counts = ("input_tokens", "output_tokens", "inference_calls", "tool_calls")
        self.input, self.output, self.inferences, self.tools = (
            meter.create_histogram(name, "{one}", explicit_bucket_boundaries_advisory=TOKENS) for name in counts
        )
        self.used_input, self.used_output, self.cost, self.runs = (meter.create_counter(name) for name in ("used.input", "used.output", "cost", "runs"))
        self.active = meter.create_up_down_counter("active")

    def tell(self, name: str, severity: Any, attributes: dict[str, Any]) -> None:
        self.events.emit(timestamp=time.time_ns(), severity_number=severity, severity_text=severity.name, attributes=attributes, event_name=name)

    def search(self, query: str) -> str:
        began = time.perf_counter()
        first = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.type": "function"}
        known = {**first, "gen_ai.tool.description": TOOL_ABOUT, "gen_ai.agent.name": AGENT, **SESSION}
        with self.tracer.start_as_current_span("execute_tool search", kind=self.internal, attributes=known):
            self.work()
            self.tool_s.record(time.perf_counter() - began, {"gen_ai.tool.name": "search", "gen_ai.tool.type": "function", "gen_ai.agent.name": AGENT})
            self.tell("tool.details", self.debug, known)
        return query

    def ask(self, prompt: str) -> str:
        began = time.perf_counter()
        known = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": PROVIDER, "gen_ai.request.model": MODEL, **SESSION}
        with self.tracer.start_as_current_span(f"chat {MODEL}", kind=self.client, attributes=known) as span:
            self.work()
            said = {"gen_ai.response.id": "r1", "gen_ai.response.model": ANSWERED, "gen_ai.response.finish_reasons": ["stop"]}
            said |= {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "otel_agents.cost": COST}
            span.set_attributes(said)
            names = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": PROVIDER, "gen_ai.request.model": MODEL, "gen_ai.response.model": ANSWERED}
            labels = {**names, "gen_ai.agent.name": AGENT}
            self.chat_s.record(time.perf_counter() - began, labels)
            if self.full:
                self.used_input.add(10, {**labels, "gen_ai.token.modality": "unknown"})
                self.used_output.add(5, {**labels, "gen_ai.token.modality": "unknown"})
                self.input.record(10, names)
                self.output.record(5, names)
                self.cost.add(COST, labels)
            self.tell("gen_ai.client.inference.operation.details", self.debug, {**known, **said, "gen_ai.agent.name": AGENT})
        return "answer"

    def run(self, question: str) -> str:
        began, agent = time.perf_counter(), {"gen_ai.agent.name": AGENT}
        known = {"gen_ai.operation.name": "invoke_agent", **agent, **SESSION}
        with self.tracer.start_as_current_span(f"invoke_agent {AGENT}", kind=self.internal, attributes=known) as span:
            if self.full:
                self.active.add(1, agent)
                self.tell("run.started", self.info, {**SESSION, **agent})
            for number in range(3):
                self.search(f"{question} {number}")
                self.ask(question)
            span.set_attributes(
                {"gen_ai.usage.input_tokens": 30, "gen_ai.usage.output_tokens": 15, "gen_ai.response.finish_reasons": ["stop"], "otel_agents.cost": 3 * COST}
            )
            self.run_s.record(time.perf_counter() - began, agent)
            self.inferences.record(3, agent)
            self.tools.record(3, agent)
            if self.full:
                self.runs.add(1, {**agent, "otel_agents.outcome": "ok"})
                self.active.add(-1, agent)
            self.tell("run.ended", self.info, {**SESSION, **agent, "otel_agents.cost": 3 * COST, "otel_agents.outcome": "ok"})
        return "done"

    def turn(self) -> None:
        self.run("why?")
