"""A program that uses every verb in every way; mypy (strict) and pyright (strict) have nothing to say of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import cached_property
from typing import Any, assert_type

import otel_agents as oa
from otel_agents.testing import Telemetry, capture

# ------------------------------------------------------------------------------------------------ bare


@oa.agent
def research(question: str, *, depth: int = 1) -> str:
    return question * depth


@oa.workflow
async def crew(question: str) -> int:
    return len(question)


@oa.step
def numbers(count: int) -> Iterator[int]:
    yield from range(count)


@oa.llm
async def stream(prompt: str) -> AsyncIterator[str]:
    yield prompt


@oa.tool
def search(query: str, limit: int = 3) -> list[str]:
    """Search the archive."""
    return [query] * limit


@oa.tool
async def fetch(url: str) -> bytes:
    return url.encode()


@oa.agent
class Researcher:
    def run(self, question: str) -> str:
        return question


@oa.tool
class Search:
    def run(self, query: str) -> list[str]:
        return [query]


assert_type(research("why", depth=2), str)
assert_type(list(numbers(2)), list[int])
assert_type(search("tides", limit=1), list[str])
assert_type(search.definition, dict[str, Any])
assert_type(search.__name__, str)
assert_type(Researcher().run("why"), str)
assert_type(Search().run("tides"), list[str])
researchers: type[Researcher] = Researcher


async def awaited() -> None:
    assert_type(await crew("why"), int)
    assert_type([part async for part in stream("why")], list[str])
    assert_type(await fetch("http://127.0.0.1"), bytes)


# ------------------------------------------------------------------------------------------------ with a name, with options


@oa.agent("researcher")
def named(question: str) -> str:
    return question


@oa.agent(name="researcher", description="Finds things out.", model="gpt-4o", data_source="archive")
def described(question: str) -> str:
    return question


@oa.workflow("crew")
def crew_of_two() -> None: ...


@oa.step(name="rank")
def rank(items: list[str]) -> list[str]:
    return sorted(items)


@oa.tool("search", description="Search the archive.", type="datastore", call_id="call-1")
def search_archive(query: str) -> list[str]:
    return [query]


@oa.llm(operation="text_completion", model="gpt-4o", provider="openai")
def complete(prompt: str) -> str:
    oa.current().usage(input_tokens=10, output_tokens=5, cost=0.01)
    oa.current().model("gpt-4o", "openai")
    oa.current().response(id="r1", model="gpt-4o-2024-08-06", finish_reasons=["stop"])
    return prompt


@oa.embedding(model="text-embedding-3-small", provider="openai")
def embed(texts: list[str]) -> list[list[float]]:
    return [[0.0] for _ in texts]


@oa.retriever("archive", model="text-embedding-3-small", provider="qdrant", top_k=3)
def retrieve(query: str) -> list[dict[str, str]]:
    return [{"content": query}]


@oa.memory("write", store="notes", provider="redis", record="1")
def remember(text: str) -> None: ...


@oa.memory(action="search")
def recall(query: str) -> list[str]:
    return [query]


@oa.plan(agent="researcher")
def make_plan(goal: str) -> list[str]:
    return [goal]


@oa.evaluator("relevance", version="2")
def relevance(answer: str) -> float:
    return float(bool(answer))


@oa.guardrail("no-secrets")
def no_secrets(text: str) -> bool:
    return "secret" not in text


@oa.session("conversation-1", user="ann", tenant="acme", turn=3)
def turn(text: str) -> str:
    return text


assert_type(named("why"), str)
assert_type(described("why"), str)
assert_type(rank(["a"]), list[str])
assert_type(search_archive("tides"), list[str])
assert_type(search_archive.definition["parameters"], Any)
assert_type(complete("why"), str)
assert_type(embed(["why"]), list[list[float]])
assert_type(retrieve("why"), list[dict[str, str]])
assert_type(recall("why"), list[str])
assert_type(make_plan("why"), list[str])
assert_type(relevance("because"), float)
assert_type(no_secrets("because"), bool)
assert_type(turn("hello"), str)

# ------------------------------------------------------------------------------------------------ methods of every kind


class Assistant:
    @oa.tool
    def look(self, query: str) -> list[str]:
        return [query]

    @oa.tool(description="Reads a page.")
    async def read(self, url: str) -> str:
        return url

    @oa.step
    @staticmethod
    def static(text: str) -> str:
        return text

    @oa.step
    @classmethod
    def made(cls, text: str) -> str:
        return text

    @property
    @oa.step
    def state(self) -> str:
        return "idle"

    @cached_property
    @oa.step
    def history(self) -> list[str]:
        return []

    @oa.agent
    def run(self, question: str) -> str:
        return self.look(question)[0]


assistant = Assistant()
assert_type(assistant.look("tides"), list[str])
assert_type(assistant.look.definition, dict[str, Any])
assert_type(Assistant.look.definition, dict[str, Any])
assert_type(Assistant.look(assistant, "tides"), list[str])
assert_type(Assistant.static("text"), str)
assert_type(Assistant.made("text"), str)
assert_type(assistant.state, str)
assert_type(assistant.history, list[str])
assert_type(assistant.run("why"), str)

# ------------------------------------------------------------------------------------------------ handed on


def apply(function: Callable[[str, int], list[str]]) -> list[str]:
    return function("tides", 1)


def later(function: Callable[[str], Awaitable[bytes]]) -> None: ...


assert_type(apply(search), list[str])
later(fetch)
lengths: Callable[[str], str] = oa.agent(lambda text: text)
definitions: list[dict[str, Any]] = [tool.definition for tool in (search, search_archive)]

# ------------------------------------------------------------------------------------------------ as a block

with oa.agent("researcher", model="gpt-4o") as run:
    assert_type(run, oa.Operation)
    run.attributes({"facts": 3}, more=[1, 2])
with oa.tool("search", call_id="call-1") as call:
    call.result(["fact"])
with oa.step("write"), oa.memory("search", store="notes"), oa.llm(model="gpt-4o"):
    assert_type(oa.current(), oa.Operation)
with oa.session(conversation="conversation-1", user="ann"):
    pass


async def blocks() -> None:
    async with oa.workflow("crew") as crew_run, oa.session("conversation-1"):
        assert_type(crew_run, oa.Operation)


asyncio.run(blocks())

# ------------------------------------------------------------------------------------------------ tests

with capture(content="full") as telemetry:
    assert_type(telemetry, Telemetry)
    assert_type(telemetry.spans, list[dict[str, Any]])

# ------------------------------------------------------------------------------------------------ start and end

oa.start()
oa.start(
    enabled=True,
    service_name="assistant",
    content="redacted",
    content_in=["spans", "events"],
    content_max_bytes="64KiB",
    endpoint="http://localhost:4318",
    protocol="http/protobuf",
    headers={"authorization": "Bearer x"},
    otlp_timeout="5s",
    otlp_traces_endpoint=None,
    instrument=["openai"],
    log_level="warning",
    journal_dir="/tmp/journal",
    metric_interval=30,
)
assert_type(oa.flush(timeout=1.0), bool)
assert_type(oa.shutdown(), None)
