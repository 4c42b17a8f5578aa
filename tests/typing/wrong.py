"""A program with every mistake that a type checker must find; beside each, what mypy and what pyright must call it."""

from __future__ import annotations

import otel_agents as oa
from otel_agents.testing import capture


@oa.tool
def search(query: str, limit: int = 3) -> list[str]:
    return [query] * limit


@oa.agent(name="researcher")
def research(question: str) -> str:
    return question


class Assistant:
    @oa.tool
    def look(self, query: str) -> list[str]:
        return [query]


# what was decorated keeps its arguments and its result
research(1)  # mypy: arg-type, pyright: reportArgumentType
research("why").append("x")  # mypy: attr-defined, pyright: reportAttributeAccessIssue reportUnknownMemberType
search("tides", limit="3")  # mypy: arg-type, pyright: reportArgumentType
search("tides", most=3)  # mypy: call-arg, pyright: reportCallIssue
Assistant().look()  # mypy: call-arg, pyright: reportCallIssue
print(search.definitions)  # mypy: attr-defined, pyright: reportAttributeAccessIssue reportUnknownArgumentType reportUnknownMemberType
print(research.definition)  # mypy: attr-defined, pyright: reportFunctionMemberAccess

# an option that a verb does not have, or of another type
oa.agent(nme="researcher")  # mypy: call-overload, pyright: reportCallIssue
oa.agent("researcher", modell="gpt-4o")  # mypy: call-overload call-overload, pyright: reportCallIssue
oa.agent(model=4)  # mypy: call-overload, pyright: reportArgumentType
oa.step(description="rank")  # mypy: call-overload, pyright: reportCallIssue
oa.workflow(model="gpt-4o")  # mypy: call-overload, pyright: reportCallIssue
oa.tool(call="call-1")  # mypy: call-overload, pyright: reportCallIssue
oa.llm(operation="embeddings")  # mypy: call-overload, pyright: reportArgumentType
oa.embedding(top_k=3)  # mypy: call-overload call-overload, pyright: reportCallIssue
oa.retriever(top_k="3")  # mypy: call-overload, pyright: reportArgumentType
oa.memory("remember")  # mypy: call-overload, pyright: reportArgumentType reportCallIssue
oa.memory(action="read")  # mypy: call-overload, pyright: reportArgumentType
oa.plan(model="gpt-4o")  # mypy: call-overload, pyright: reportCallIssue
oa.evaluator(version=2)  # mypy: call-overload, pyright: reportArgumentType
oa.guardrail(action="block")  # mypy: call-overload, pyright: reportCallIssue
oa.session("c1", user=3)  # mypy: arg-type, pyright: reportArgumentType
oa.step(3)  # mypy: call-overload, pyright: reportArgumentType reportCallIssue

# the running operation
with oa.step("write") as step:
    step.usage(input_tokens="3")  # mypy: arg-type, pyright: reportArgumentType
    step.usage(tokens=3)  # mypy: call-arg, pyright: reportCallIssue
    step.response(finish_reason="stop")  # mypy: call-arg, pyright: reportCallIssue
    step.model()  # mypy: call-arg, pyright: reportCallIssue

# settings
oa.start(content="everything")  # mypy: arg-type, pyright: reportArgumentType
oa.start(contents="full")  # mypy: call-arg, pyright: reportCallIssue
oa.start(journal="/tmp/journal")  # mypy: arg-type, pyright: reportArgumentType
oa.start("assistant")  # mypy: arg-type call-arg, pyright: reportCallIssue
oa.flush(timeout="1s")  # mypy: arg-type, pyright: reportArgumentType
oa.trace("x")  # mypy: attr-defined, pyright: reportAttributeAccessIssue reportUnknownMemberType
capture(contents="full")  # mypy: call-arg, pyright: reportCallIssue
