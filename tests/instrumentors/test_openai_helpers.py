"""openai's helpers over chat completions, `parse()` and `.stream()`, wherever this version keeps them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from model_server import ModelServer, chat, chat_stream, error
from observed_spans import Observed
from pydantic import BaseModel


class Place(BaseModel):
    city: str


HELLO = [{"role": "user", "content": "where?"}]
ROME = '{"city":"Rome"}'
SAID = [{"role": "assistant", "parts": [{"type": "text", "content": ROME}]}]


def helpers(client: Any) -> Any:
    return client.chat.completions if hasattr(type(client.chat.completions), "parse") else client.beta.chat.completions


def test_parse(observed: Observed, server: ModelServer) -> None:
    server.will(chat(ROME))
    with openai.OpenAI(base_url=server.url, api_key="k") as client:
        answer = helpers(client).parse(model="gpt-4o-mini", messages=HELLO, response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Rome")
    told = observed.only()["attributes"]
    assert (told["gen_ai.output.type"], told["gen_ai.output.messages"], told["gen_ai.usage.input_tokens"]) == ("json", SAID, 11)


async def test_async_parse(observed: Observed, server: ModelServer) -> None:
    server.will(chat(ROME))
    async with openai.AsyncOpenAI(base_url=server.url, api_key="k") as client:
        answer = await helpers(client).parse(model="gpt-4o-mini", messages=HELLO, response_format=Place)
    assert answer.choices[0].message.parsed == Place(city="Rome")
    assert observed.only()["attributes"]["gen_ai.output.type"] == "json"


def test_an_answer_that_does_not_parse(observed: Observed, server: ModelServer) -> None:
    server.will(chat("{}"))
    with openai.OpenAI(base_url=server.url, api_key="k") as client, pytest.raises(ValueError, match="city"):
        helpers(client).parse(model="gpt-4o-mini", messages=HELLO, response_format=Place)
    assert observed.only()["attributes"]["error.type"].endswith("ValidationError")


def test_the_stream_helper(observed: Observed, server: ModelServer) -> None:
    server.will(chat_stream('{"city":', '"Rome"}'))
    with openai.OpenAI(base_url=server.url, api_key="k") as client, helpers(client).stream(model="gpt-4o-mini", messages=HELLO) as stream:
        assert observed.spans() == []
        assert {"chunk", "content.delta", "content.done"} <= {event.type for event in stream}
        assert stream.get_final_completion().choices[0].message.content == ROME
    told = observed.only()["attributes"]
    assert (told["gen_ai.request.stream"], told["gen_ai.response.finish_reasons"], told["gen_ai.output.messages"]) == (True, ["stop"], SAID)


def test_the_stream_helper_left_early(observed: Observed, server: ModelServer) -> None:
    with openai.OpenAI(base_url=server.url, api_key="k") as client, helpers(client).stream(model="gpt-4o-mini", messages=HELLO) as stream:
        next(iter(stream))
    told = observed.only()["attributes"]
    assert (told["otel_agents.outcome"], told["gen_ai.response.finish_reasons"]) == ("cancelled", ["error"])


async def test_the_async_stream_helper(observed: Observed, server: ModelServer) -> None:
    async with openai.AsyncOpenAI(base_url=server.url, api_key="k") as client:
        async with helpers(client).stream(model="gpt-4o-mini", messages=HELLO) as stream:
            assert (await stream.get_final_completion()).choices[0].message.content == "hello"
        async with helpers(client).stream(model="gpt-4o-mini", messages=HELLO) as stream:
            await stream.__anext__()
    first, second = observed.spans()
    assert first["attributes"]["gen_ai.response.finish_reasons"] == ["stop"]
    assert second["attributes"]["otel_agents.outcome"] == "cancelled"


def test_the_stream_helper_that_is_refused(observed: Observed, server: ModelServer) -> None:
    server.will(error(401))
    with openai.OpenAI(base_url=server.url, api_key="k") as client, pytest.raises(openai.AuthenticationError):  # noqa: SIM117 - entering it is what fails
        with helpers(client).stream(model="gpt-4o-mini", messages=HELLO):
            pass
    assert observed.only()["attributes"]["error.type"] == "openai.AuthenticationError"
