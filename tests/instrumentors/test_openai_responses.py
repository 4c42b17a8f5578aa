"""openai's responses API, by the real client over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from model_server import ModelServer, Reply, broken, function_call, message, response, response_body, response_stream
from observed_spans import Observed
from pydantic import BaseModel

REQUEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "openai.api.type": "responses",
    "server.address": "127.0.0.1",
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hello?"}]}],
}
RESPONSE = {
    "gen_ai.response.id": "resp_1",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.finish_reasons": ["stop"],
    "openai.response.service_tier": "default",
}
USED = {
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.reasoning.output_tokens": 3,
}
SAID = {"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]}


@pytest.fixture
def client(server: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url, api_key="k", max_retries=0) as made:
        yield made


@pytest.fixture
async def async_client(server: ModelServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0) as made:
        yield made


def test_a_response(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(response(conversation={"id": "conv_1"}))
    answer = client.responses.create(
        model="gpt-5-mini", input="hello?", instructions="be kind", reasoning={"effort": "low"}, previous_response_id="resp_0", max_output_tokens=9
    )
    assert answer.output_text == "hello"
    span = observed.only()
    assert (span["name"], span["kind"], span["status"]) == ("chat gpt-5-mini", "CLIENT", "UNSET")
    assert span["attributes"] == {
        **REQUEST,
        "gen_ai.system_instructions": [{"type": "text", "content": "be kind"}],
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.request.previous_response.id": "resp_0",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.conversation.id": "conv_1",
        **RESPONSE,
        **USED,
        **SAID,
    }


async def test_an_async_response(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    assert (await async_client.responses.create(model="gpt-5-mini", input="hello?")).output_text == "hello"
    assert observed.only()["attributes"] == {**REQUEST, **RESPONSE, **USED, **SAID}


def test_a_tool_call_and_its_result(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(response(output=[function_call("look", {"at": "it"})]))
    asked = client.responses.create(model="gpt-5-mini", input="hello?", tools=[{"type": "function", "name": "look", "parameters": {}, "strict": False}])
    given = [*asked.output, {"type": "function_call_output", "call_id": "call_1", "output": "a cat"}]
    client.responses.create(model="gpt-5-mini", input=given)  # type: ignore[arg-type] # output items are input items
    first, second = observed.spans()
    look = {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "it"}}
    assert first["attributes"]["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert first["attributes"]["gen_ai.output.messages"] == [{"role": "assistant", "parts": [look]}]
    assert second["attributes"]["gen_ai.input.messages"] == [
        {"role": "assistant", "parts": [look]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]},
    ]


class Place(BaseModel):
    city: str


def test_parse(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(response('{"city":"Rome"}'))
    assert client.responses.parse(model="gpt-5-mini", input="where?", text_format=Place).output_parsed == Place(city="Rome")
    assert observed.only()["attributes"]["gen_ai.output.type"] == "json"


async def test_async_parse(observed: Observed, server: ModelServer, async_client: openai.AsyncOpenAI) -> None:
    server.will(response('{"city":"Rome"}'))
    assert (await async_client.responses.parse(model="gpt-5-mini", input="where?", text_format=Place)).output_parsed == Place(city="Rome")
    assert observed.only()["attributes"]["gen_ai.usage.input_tokens"] == 11


def test_a_stream(observed: Observed, client: openai.OpenAI) -> None:
    events = list(client.responses.create(model="gpt-5-mini", input="hello?", stream=True))
    assert events[-1].type == "response.completed"
    assert observed.only()["attributes"] == {**REQUEST, "gen_ai.request.stream": True, **RESPONSE, **USED, **SAID}


async def test_an_async_stream(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    events = [event async for event in await async_client.responses.create(model="gpt-5-mini", input="hello?", stream=True)]
    assert events[-1].type == "response.completed"
    assert observed.only()["attributes"] == {**REQUEST, "gen_ai.request.stream": True, **RESPONSE, **USED, **SAID}


def test_the_stream_helper(observed: Observed, client: openai.OpenAI) -> None:
    with client.responses.stream(model="gpt-5-mini", input="hello?") as stream:
        assert stream.get_final_response().output_text == "hello"
    assert observed.only()["attributes"] == {**REQUEST, "gen_ai.request.stream": True, **RESPONSE, **USED, **SAID}


async def test_the_async_stream_helper_left_early(observed: Observed, async_client: openai.AsyncOpenAI) -> None:
    async with async_client.responses.stream(model="gpt-5-mini", input="hello?") as stream:
        await stream.__anext__()
    told = observed.only()["attributes"]
    assert (told["otel_agents.outcome"], told["gen_ai.response.finish_reasons"]) == ("cancelled", ["error"])


def test_a_stream_that_is_lost(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(broken(response_stream("hel", "lo"), 4))
    with pytest.raises(Exception, match=r"incomplete chunked read|Connection error"):  # httpx's own, from openai 3 on an APIConnectionError
        list(client.responses.create(model="gpt-5-mini", input="hello?", stream=True))
    span = observed.only()
    assert span["status"] == "ERROR"
    assert span["attributes"]["gen_ai.response.finish_reasons"] == ["error"]
    assert span["attributes"]["gen_ai.output.messages"] == [{"role": "assistant", "parts": [{"type": "text", "content": "hel"}]}]


def test_a_response_that_failed_at_the_provider(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    failed = response_body(status="failed", output=[], usage=None, error={"code": "server_error", "message": "sorry"})
    server.will(Reply(failed), Reply(events=[{"type": "response.failed", "sequence_number": 0, "response": failed}]))
    client.responses.create(model="gpt-5-mini", input="hello?")
    list(client.responses.create(model="gpt-5-mini", input="hello?", stream=True))
    for span in observed.spans():
        assert span["attributes"]["gen_ai.response.finish_reasons"] == ["error"]


def test_a_raw_response(observed: Observed, client: openai.OpenAI) -> None:
    assert client.responses.with_raw_response.create(model="gpt-5-mini", input="hello?").parse().id == "resp_1"
    assert observed.only()["attributes"] == {**REQUEST, **RESPONSE, **USED, **SAID}


FETCHED = {
    "gen_ai.operation.name": "fetch_response",
    "gen_ai.provider.name": "openai",
    "server.address": "127.0.0.1",
    "gen_ai.response.id": "resp_1",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.status": "completed",
    "gen_ai.response.finish_reasons": ["stop"],
    **SAID,
}


def test_fetching_a_response(observed: Observed, client: openai.OpenAI) -> None:
    client.responses.retrieve("resp_1")
    span = observed.only()
    assert span["name"] == "fetch_response"
    assert span["attributes"] == FETCHED


async def test_fetching_a_response_that_still_runs(observed: Observed, server: ModelServer, async_client: openai.AsyncOpenAI) -> None:
    server.will(response(status="in_progress", output=[]))
    await async_client.responses.retrieve(response_id="resp_1")
    told = observed.only()["attributes"]
    assert told["gen_ai.response.status"] == "in_progress"
    assert "gen_ai.response.finish_reasons" not in told


def test_resuming_the_stream_of_a_response(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    server.will(response_stream("hel", "lo"))
    list(client.responses.retrieve("resp_1", stream=True, starting_after=2))
    assert observed.only()["attributes"] == {**FETCHED, "gen_ai.request.stream_cursor": "2"}


def test_items_of_other_kinds(observed: Observed, server: ModelServer, client: openai.OpenAI) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "cats"}}
    server.will(response(output=[thought, search, message("hello")]))
    client.responses.create(model="gpt-5-mini", input="hello?")
    assert observed.only()["attributes"]["gen_ai.output.messages"] == [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "server_tool_call", "id": "ws_1", "name": "web_search", "server_tool_call": {"type": "web_search_call"}},
                {"type": "text", "content": "hello"},
            ],
        }
    ]
