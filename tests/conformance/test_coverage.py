"""What of the conventions comes out: everything, but for what is listed here with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from conformance import registry
from conformance.checker import check
from model_server import ModelServer, chat, chat_stream, error, response
from openai import NotFoundError, OpenAI

import otel_agents as oa
from otel_agents.testing import capture

LATER = "comes with the instrumentors of hosted agents and of MCP"
NO_SERVER = "we are no model server"
SPAN_TYPES = {"gen_ai.create_agent.client": LATER, "gen_ai.invoke_agent.client": LATER, "mcp.client": LATER, "mcp.server": LATER}
METRICS = {
    **dict.fromkeys(("gen_ai.server.request.duration", "gen_ai.server.time_per_output_token", "gen_ai.server.time_to_first_token"), NO_SERVER),
    **{f"mcp.{side}.{what}.duration": LATER for side in ("client", "server") for what in ("operation", "session")},
}
ATTRIBUTES = {
    ("gen_ai.client.inference", "gen_ai.usage.text.cache_read.input_tokens"): "OpenAI's API does not split its cache by modality",
    ("gen_ai.client.inference", "gen_ai.usage.image.cache_read.input_tokens"): "the same",
    ("gen_ai.client.inference", "gen_ai.usage.audio.cache_read.input_tokens"): "the same",
    ("gen_ai.fetch_response.client", "gen_ai.system_instructions"): "a response that is fetched does not say them again",
    ("gen_ai.fetch_response.client", "gen_ai.tool.definitions"): "the same",
}

SPLIT = {"cached_tokens": 4, "cache_write_tokens": 2, "text_tokens": 20, "image_tokens": 10, "audio_tokens": 8}
USAGE = {
    "prompt_tokens": 40,
    "completion_tokens": 30,
    "total_tokens": 70,
    "prompt_tokens_details": SPLIT,
    "completion_tokens_details": {"reasoning_tokens": 9, "text_tokens": 10, "image_tokens": 6, "audio_tokens": 5},
}
ALL: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "hello?"}],
    "max_tokens": 9,
    "temperature": 0.5,
    "top_p": 0.9,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "stop": ["x"],
    "seed": 7,
    "n": 2,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "tools": [{"type": "function", "function": {"name": "play", "parameters": {}}}],
    "extra_body": {"top_k": 3},
}
CHOICES = [{"index": index, "message": {"role": "assistant", "content": "{}"}, "logprobs": None, "finish_reason": "stop"} for index in (0, 1)]
COMPACTED = {"type": "compaction", "id": "cmp_1", "encrypted_content": "abc"}
PLACE = {"server.address": "localhost", "server.port": 6333}
SAMPLED = {
    "gen_ai.request.max_tokens": 9, "gen_ai.request.temperature": 0.5, "gen_ai.request.top_p": 0.9, "gen_ai.request.stop_sequences": ["x"],
    "gen_ai.request.frequency_penalty": 0.1, "gen_ai.request.presence_penalty": 0.2, "gen_ai.request.choice.count": 2, "gen_ai.request.seed": 7,
    "gen_ai.output.type": "json",
}  # fmt: skip
WORDS = '[{"type":"text","content":"Be brief."}]'
TOOLS = '[{"type":"function","name":"play"}]'


def models(client: OpenAI, server: ModelServer) -> None:
    """All that openai's instrumentor tells."""
    server.will(chat(choices=CHOICES, usage=USAGE), chat_stream("hel", "lo"))
    client.chat.completions.create(**ALL)
    list(client.chat.completions.create(model="gpt-4o", messages=ALL["messages"], stream=True))
    prompt: Any = {"id": "pmpt_1", "version": "2", "variables": {"city": "Rome"}}
    server.will(response("hello", output=[COMPACTED]))
    client.responses.create(model="gpt-5", prompt=prompt, instructions="Be brief.", previous_response_id="resp_0", conversation="conv_1", input="hello?")
    client.embeddings.create(model="text-embedding-3-small", input="x", dimensions=3, encoding_format="float")
    server.will(error(404), error(404))
    with pytest.raises(NotFoundError):
        client.embeddings.create(model="text-embedding-3-small", input="x")
    with pytest.raises(NotFoundError):
        client.responses.retrieve("resp_9")
    list(client.responses.retrieve("resp_1", stream=True, starting_after=3))
    client.responses.retrieve("resp_1")


@oa.tool(name="play", description="Plays.", call_id="call_1")
def play(instrument: str) -> dict[str, Any]:
    return {"instrument": instrument}


@oa.retriever("docs", top_k=3, model="rerank-1", provider="cohere")
def retrieve(query: str) -> list[dict[str, Any]]:
    oa.current().attributes(PLACE)
    return [{"id": "1", "content": query}]


@oa.memory("search", store="notes", provider="mem0", record="r1")
def recall(query: str) -> list[str]:
    oa.current().attributes(PLACE)
    return [query]


@oa.plan
def plan(question: str) -> str:
    return question


@oa.evaluator
def judge(answer: str) -> dict[str, Any]:
    return {"score": 0.5, "label": "fair", "explanation": answer}


@oa.workflow(name="concert")
def concert(question: str) -> str:
    return perform(question)


@oa.agent(name="musician", description="Plays.", model="gpt-4o", data_source="docs")
def perform(question: str) -> str:
    oa.current().attributes({**SAMPLED, "gen_ai.system_instructions": WORDS, "gen_ai.tool.definitions": TOOLS})
    for verb in (play, retrieve, recall, plan, judge):
        verb(question)
    with oa.llm(model="gpt-4o", provider="openai") as call:
        call.usage(input_tokens=3, output_tokens=2, cost=0.25)
        call.response(finish_reasons=["stop"])
    return question


def fails(verb: Any) -> None:
    """A call that ends in an error, for each kind of operation."""

    @verb
    def fail() -> None:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        fail()


VERBS = (oa.agent, oa.workflow, oa.step, oa.tool, oa.llm, oa.embedding, oa.retriever, oa.memory, oa.plan, oa.evaluator, oa.guardrail)


CAPTURED: dict[str, Any] = {"content": "full", "content_in": "spans,events", "old_metrics": True}


def test_everything_comes_out_but_what_is_listed() -> None:
    with ModelServer() as server, OpenAI(base_url=server.url, api_key="k", max_retries=0) as client, capture(**CAPTURED) as telemetry:
        models(client, server)
        with oa.session("c-1", user="ann"):
            concert("why?")
        for verb in VERBS:
            fails(verb)
    checked = check(telemetry)
    seen = checked.coverage.seen
    assert checked.findings == []
    assert set(registry.SOURCE["spans"]) - set(seen["span types"]) == set(SPAN_TYPES)
    assert set(registry.SOURCE["metrics"]) - set(seen["metrics"]) == set(METRICS)
    assert set(registry.SOURCE["events"]) - set(seen["events"]) == set()
    assert missing(seen) == set(ATTRIBUTES)


def missing(seen: Any) -> set[tuple[str, str]]:
    """Attributes of the span types that come out, which don't; a template counts with any of its keys."""
    types = {name: one["attributes"] for name, one in registry.SOURCE["spans"].items() if name in seen["span types"]}
    found = {name: {one if not one.startswith(f"{registry.VARIABLE}.") else registry.VARIABLE for one in seen[f"attributes of {name}"]} for name in types}
    return {(name, attribute) for name, levels in types.items() for attribute in levels if attribute not in found[name]}
