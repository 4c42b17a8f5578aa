"""openai's chat completions, text completions and embeddings, by the real client over HTTP, in every version we support."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from model_server import USAGE, ModelServer, Reply, broken, chat, chat_stream, completion, embeddings, error, failing, tool_call
from observed_spans import Observed

HELLO = [{"role": "user", "content": "hello?"}]
ASKED = {"gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hello?"}]}]}
SAID = {"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]}
USED = {
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.reasoning.output_tokens": 3,
}
REQUEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "openai.api.type": "chat_completions",
    "server.address": "127.0.0.1",
    **ASKED,
}
RESPONSE = {
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
    "gen_ai.response.finish_reasons": ["stop"],
    "openai.response.service_tier": "default",
    "openai.response.system_fingerprint": "fp_1",
}
STREAM = {**REQUEST, "gen_ai.request.stream": True}
LOOK = {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "it"}}


@pytest.fixture
def client(server: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="k", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(server: ModelServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as made:
        yield made


def told(span: dict[str, Any]) -> dict[str, Any]:
    attributes: dict[str, Any] = span["attributes"]
    return attributes


def ask(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, **more)


def test_a_chat(observed: Observed, client: openai.OpenAI) -> None:
    assert ask(client).choices[0].message.content == "hello"
    span = observed.only()
    assert (span["name"], span["kind"], span["status"]) == ("chat gpt-4o-mini", "CLIENT", "UNSET")
    assert told(span) == {**REQUEST, **RESPONSE, **USED, **SAID}


async def test_an_async_chat(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    assert (await ask(async_client)).choices[0].message.content == "hello"
    assert told(observed.only()) == {**REQUEST, **RESPONSE, **USED, **SAID}


def test_parameters_are_told_and_sent_as_they_were(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    given: dict[str, Any] = {"temperature": 0, "max_tokens": 9, "n": 2, "stop": ["a", "b"], "seed": 3, "top_p": 0.5, "presence_penalty": 1}
    ask(client, **given, frequency_penalty=openai.NOT_GIVEN, response_format={"type": "json_object"}, extra_body={"top_k": 4})
    assert server.requests[-1].body == {"model": "gpt-4o-mini", "messages": HELLO, **given, "response_format": {"type": "json_object"}, "top_k": 4}
    assert (
        told(observed.only()).items()
        >= {
            "gen_ai.request.temperature": 0.0,
            "gen_ai.request.max_tokens": 9,
            "gen_ai.request.choice.count": 2,
            "gen_ai.request.seed": 3,
            "gen_ai.request.top_p": 0.5,
            "gen_ai.request.top_k": 4,
            "gen_ai.request.presence_penalty": 1.0,
            "gen_ai.output.type": "json",
        }.items()
    )


def test_messages_that_can_be_read_once_are_the_clients(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o-mini", messages=(item for item in HELLO))  # type: ignore[call-overload,arg-type] # any iterable works
    assert server.requests[-1].body["messages"] == HELLO
    assert "gen_ai.input.messages" not in observed.only()["attributes"]


def test_tool_calls_and_their_results(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(chat(None, tool_calls=[tool_call("look", {"at": "it"})]))
    tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    answer = ask(client, tools=tools).choices[0].message
    history: Any = [*HELLO, answer, {"role": "tool", "tool_call_id": "call_1", "content": "a cat"}]
    client.chat.completions.create(model="gpt-4o-mini", messages=history, tools=tools)
    first, second = observed.spans()
    assert first["attributes"]["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert first["attributes"]["gen_ai.output.messages"] == [{"role": "assistant", "parts": [LOOK]}]
    assert first["attributes"]["gen_ai.tool.definitions"] == [{"type": "function", "name": "look"}]
    assert second["attributes"]["gen_ai.input.messages"][1:] == [
        {"role": "assistant", "parts": [LOOK]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]},
    ]


# ------------------------------------------------------------------------------------------------ streams


def test_a_stream(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    stream = ask(client, stream=True, stream_options={"include_usage": True})
    assert isinstance(stream, openai.Stream)
    assert stream.response.status_code == 200
    pieces = [choice.delta.content for chunk in stream for choice in chunk.choices]
    assert pieces == ["", "hel", "lo", None]
    assert told(observed.only()) == {**STREAM, **RESPONSE, **USED, **SAID}


def test_usage_is_never_asked_for_by_us(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    list(ask(client, stream=True))
    assert "stream_options" not in server.requests[-1].body
    assert told(observed.only()) == {**STREAM, **RESPONSE, **SAID}


async def test_an_async_stream(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    stream = await ask(async_client, stream=True, stream_options={"include_usage": True})
    assert isinstance(stream, openai.AsyncStream)
    assert len([chunk async for chunk in stream]) == 5
    assert told(observed.only()) == {**STREAM, **RESPONSE, **USED, **SAID}


def test_tool_calls_of_a_stream(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(chat_stream(tool_calls=[tool_call("look", {"at": "it"}), tool_call("touch", {}, "call_2")]))
    list(ask(client, stream=True))
    span = observed.only()
    assert span["attributes"]["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert span["attributes"]["gen_ai.output.messages"] == [
        {"role": "assistant", "parts": [LOOK, {"type": "tool_call", "id": "call_2", "name": "touch", "arguments": {}}]}
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_a_server_says_in_the_old_way_too_is_one_call(observed: Observed, server: ModelServer, client: openai.OpenAI, stream: bool) -> None:
    call = tool_call("look", {"at": "it"})
    whole, streamed = chat(None, tool_calls=[call]), chat_stream(tool_calls=[call])
    whole.body["choices"][0]["message"]["function_call"] = call["function"]
    deltas = [event["choices"][0]["delta"] for event in streamed.events or () if type(event) is dict]
    for delta in (delta for delta in deltas if "tool_calls" in delta):
        delta["function_call"] = delta["tool_calls"][0]["function"]
    server.will(streamed if stream else whole)
    answer = ask(client, stream=stream)
    if stream:
        list(answer)
    assert observed.only()["attributes"]["gen_ai.output.messages"] == [{"role": "assistant", "parts": [LOOK]}]


CUT = {**STREAM, **RESPONSE, "gen_ai.response.finish_reasons": ["error"]}
HALF = {"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hel"}]}]}


@pytest.mark.parametrize("how", ["close", "with", "drop"])
def test_a_stream_broken_off_early(observed: Observed, client: openai.OpenAI, how: str) -> None:
    stream = ask(client, stream=True)
    next(stream), next(stream)
    if how == "close":
        stream.close()
    elif how == "with":
        with stream:
            pass
    else:
        stream.response.close()
        del stream
        gc.collect()
    span = observed.only()
    assert span["status"] == "UNSET"
    assert told(span) == {**CUT, **HALF, "otel_agents.outcome": "cancelled"}


def test_who_leaves_after_the_finish_reason_cuts_nothing_short(observed: Observed, client: openai.OpenAI) -> None:
    stream = ask(client, stream=True)
    for chunk in stream:
        if chunk.choices[0].finish_reason:
            break
    stream.close()
    span = observed.only()
    assert told(span)["gen_ai.response.finish_reasons"] == ["stop"]
    assert "otel_agents.outcome" not in told(span)


async def test_an_async_stream_broken_off_early(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    async with await ask(async_client, stream=True) as stream:
        await stream.__anext__(), await stream.__anext__()
    assert told(observed.only()) == {**CUT, **HALF, "otel_agents.outcome": "cancelled"}


def test_an_error_event_midway(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(failing(chat_stream("hel", "lo"), 2))
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(ask(client, stream=True))
    span = observed.only()
    assert span["status"] == "ERROR"
    assert told(span) == {**CUT, **HALF, "error.type": "openai.APIError", "otel_agents.outcome": "error"}


async def test_a_connection_lost_midway(observed: Observed, server: ModelServer, async_client: openai.AsyncOpenAI) -> None:
    server.will(broken(chat_stream("hel", "lo"), 2))
    with pytest.raises(Exception, match=r"incomplete chunked read|Connection error") as caught:  # httpx's own, from openai 3 on an APIConnectionError
        [chunk async for chunk in await ask(async_client, stream=True)]
    span = observed.only()
    assert span["status"] == "ERROR"
    assert span["attributes"]["error.type"].endswith(type(caught.value).__name__)
    assert span["attributes"]["gen_ai.output.messages"] == HALF["gen_ai.output.messages"]


# ------------------------------------------------------------------------------------------------ errors and retries


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, openai.BadRequestError), (401, openai.AuthenticationError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
def test_errors(observed: Observed, server: ModelServer, client: openai.OpenAI, status: int, kind: type[openai.APIError]) -> None:
    server.will(error(status, "we are sorry"))
    with pytest.raises(kind, match="we are sorry") as caught:
        ask(client)
    assert type(caught.value) is kind
    span = observed.only()
    assert span["status"] == "ERROR"
    assert told(span) == {**REQUEST, "error.type": f"openai.{kind.__name__}", "gen_ai.response.finish_reasons": ["error"], "otel_agents.outcome": "error"}


def test_retries_are_one_call(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(error(500), error(429))
    ask(client.with_options(max_retries=2))
    assert len(server.requests) == 3
    assert told(observed.only()) == {**REQUEST, **RESPONSE, **USED, **SAID}


async def test_async_retries_are_one_call(observed: Observed, server: ModelServer, async_client: openai.AsyncOpenAI) -> None:
    server.will(error(500), error(429))
    await ask(async_client.with_options(max_retries=2))
    assert len(server.requests) == 3
    assert told(observed.only()) == {**REQUEST, **RESPONSE, **USED, **SAID}


def test_a_slow_server(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(Reply(chat().body, delay=0.5))
    with pytest.raises(openai.APITimeoutError):
        ask(client, timeout=0.05)
    assert observed.only()["attributes"]["error.type"] == "openai.APITimeoutError"


def test_a_body_that_is_no_json(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(Reply(b"<html>"))
    with pytest.raises(ValueError, match="Expecting value"):
        ask(client)
    assert observed.only()["attributes"]["error.type"].endswith("JSONDecodeError")


def test_an_answer_with_odd_fields(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(Reply({"id": 7, "choices": [{"message": None, "finish_reason": None}], "usage": {"prompt_tokens": "many"}, "model": None}))
    assert ask(client).id == 7
    assert told(observed.only()) == {**REQUEST, "gen_ai.response.finish_reasons": ["error"]}


def test_missing_arguments_are_the_clients_to_refuse(observed: Observed, client: openai.OpenAI) -> None:
    with pytest.raises(TypeError, match="Missing required arguments"):
        client.chat.completions.create(model="gpt-4o-mini")  # type: ignore[call-overload] # that is the point
    assert observed.only()["attributes"]["error.type"] == "TypeError"


# ------------------------------------------------------------------------------------------------ raw and streaming responses


def test_a_raw_response(observed: Observed, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=HELLO)  # type: ignore[arg-type] # plain dicts
    assert raw.headers["x-request-id"] == "req_1"
    assert raw.parse().choices[0].message.content == "hello"
    assert told(observed.only()) == {**REQUEST, **RESPONSE, **USED, **SAID}


async def test_an_async_raw_response(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    raw = await async_client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=HELLO)  # type: ignore[arg-type] # plain dicts
    assert raw.parse().choices[0].message.content == "hello"
    assert told(observed.only()) == {**REQUEST, **RESPONSE, **USED, **SAID}


def test_a_raw_stream_is_left_unread(observed: Observed, client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=HELLO, stream=True)  # type: ignore[arg-type] # plain dicts
    assert told(observed.only()) == STREAM
    assert len(list(raw.parse())) == 4


def test_a_streaming_response_is_left_unread(observed: Observed, client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(model="gpt-4o-mini", messages=HELLO) as response:  # type: ignore[arg-type] # plain dicts
        assert told(observed.only()) == REQUEST
        assert b"".join(response.iter_bytes()).startswith(b'{"id": "chatcmpl-1"')
    assert observed.spans() == []


async def test_an_async_streaming_response_is_left_unread(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    create = async_client.chat.completions.with_streaming_response.create
    async with create(model="gpt-4o-mini", messages=HELLO, stream=True) as response:  # type: ignore[arg-type] # plain dicts
        assert told(observed.only()) == STREAM
        assert len([line async for line in response.iter_lines() if line]) == 5


# ------------------------------------------------------------------------------------------------ Azure, other APIs


def test_an_azure_client(observed: Observed, server: ModelServer) -> None:
    with openai.AzureOpenAI(azure_endpoint=f"http://127.0.0.1:{server.port}", api_version="2024-06-01", api_key="k") as azure:
        ask(azure)
    assert server.requests[-1].path == "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2024-06-01"
    assert told(observed.only()) == {**REQUEST, "gen_ai.provider.name": "azure.ai.openai", **RESPONSE, **USED, **SAID}


async def test_an_async_azure_client(observed: Observed, server: ModelServer) -> None:
    async with openai.AsyncAzureOpenAI(azure_endpoint=f"http://127.0.0.1:{server.port}", api_version="2024-06-01", api_key="k") as azure:
        [chunk async for chunk in await ask(azure, stream=True)]
    assert told(observed.only()) == {**STREAM, "gen_ai.provider.name": "azure.ai.openai", **RESPONSE, **SAID}


class Ours(openai.OpenAI):
    """A client of the program's own."""


def test_a_client_the_program_derived(observed: Observed, server: ModelServer) -> None:
    with Ours(base_url=server.url, api_key="k") as client:
        ask(client)
    assert told(observed.only()) == {**REQUEST, **RESPONSE, **USED, **SAID}


TEXT = {
    "gen_ai.operation.name": "text_completion",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-3.5-turbo-instruct",
    "server.address": "127.0.0.1",
    "gen_ai.response.id": "cmpl-1",
    "gen_ai.response.model": "gpt-3.5-turbo-instruct",
    **ASKED,
    **SAID,
}


def test_a_text_completion(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(completion("hello"))
    client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hello?")
    span = observed.only()
    assert span["name"] == "text_completion gpt-3.5-turbo-instruct"
    assert told(span) == {**TEXT, **USED, "gen_ai.response.finish_reasons": ["length"]}


async def test_an_async_text_completion_stream(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    [chunk async for chunk in await async_client.completions.create(model="gpt-3.5-turbo-instruct", prompt="hello?", stream=True)]
    assert told(observed.only()) == {**TEXT, "gen_ai.request.stream": True, "gen_ai.response.finish_reasons": ["stop"]}


EMBEDDING = {
    "gen_ai.operation.name": "embeddings",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "text-embedding-3-small",
    "server.address": "127.0.0.1",
    "gen_ai.response.model": "text-embedding-3-small",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.embeddings.dimension.count": 3,
}


def test_embeddings(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(embeddings([0.5, 1.0, 2.0]))
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"], encoding_format="float")
    assert answer.data[0].embedding == [0.5, 1.0, 2.0]
    span = observed.only()
    assert span["name"] == "embeddings text-embedding-3-small"
    assert told(span) == {**EMBEDDING, "gen_ai.request.encoding_formats": ["float"]}


async def test_async_embeddings(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    await async_client.embeddings.create(model="text-embedding-3-small", input="a", dimensions=3)
    assert told(observed.only()) == EMBEDDING


# ------------------------------------------------------------------------------------------------ off again


def test_nothing_is_left_when_it_is_undone(server: ModelServer, client: openai.OpenAI) -> None:
    from otel_agents.instrumentors import registry

    before = dict(vars(type(client.chat.completions)))
    registry.install()
    assert vars(type(client.chat.completions))["create"] is not before["create"]
    registry.uninstall()
    assert dict(vars(type(client.chat.completions))) == before
    assert ask(client).usage.model_dump(exclude_none=True)["total_tokens"] == USAGE["total_tokens"]
