"""litellm's `responses`, in the versions that have it."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import litellm
import pytest
from model_server import ModelServer, error, response
from observed_spans import Observed

from otel_agents.instrumentors.litellm import RESPONSE, Signature, reading
from otel_agents.telemetry.calls import Call

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:pydantic"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # event loops and sockets it leaves to the collector
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TOLD = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "server.address": "127.0.0.1",
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hello?"}]}],
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.reasoning.output_tokens": 3,
    "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}],
}


@pytest.fixture(autouse=True, scope="module")
def _swept() -> Iterator[None]:
    """What litellm leaves behind is collected here, not in the middle of other tests."""
    yield
    gc.collect()


def test_a_response(observed: Observed, server: ModelServer) -> None:
    litellm.responses(model="openai/gpt-5-mini", input="hello?", api_base=server.url, api_key="k")
    told = observed.only()["attributes"]
    assert {name: told[name] for name in TOLD} == TOLD


async def test_an_async_response(observed: Observed, server: ModelServer) -> None:
    server.will(response("hello"))
    await litellm.aresponses(model="openai/gpt-5-mini", input="hello?", api_base=server.url, api_key="k")
    told = observed.only()["attributes"]
    assert {name: told[name] for name in TOLD} == TOLD


def test_a_stream(observed: Observed, server: ModelServer) -> None:
    list(litellm.responses(model="openai/gpt-5-mini", input="hello?", api_base=server.url, api_key="k", stream=True))
    told = observed.only()["attributes"]
    assert {name: told[name] for name in TOLD} == TOLD


async def test_an_async_stream(observed: Observed, server: ModelServer) -> None:
    stream = await litellm.aresponses(model="openai/gpt-5-mini", input="hello?", api_base=server.url, api_key="k", stream=True)
    assert [event async for event in stream]
    told = observed.only()["attributes"]
    assert {name: told[name] for name in TOLD} == TOLD


async def test_a_router_that_retries_is_one_call(observed: Observed, server: ModelServer) -> None:
    where = {"model": "openai/gpt-5-mini", "api_base": server.url, "api_key": "k", "max_retries": 0}
    router = litellm.Router(model_list=[{"model_name": "wise", "litellm_params": where}], num_retries=1, retry_after=0, disable_cooldowns=True)
    server.will(error(500))
    await router.aresponses(model="wise", input="hello?")
    router.discard()
    assert len(server.requests) == 2
    told = observed.only()["attributes"]
    assert {name: told[name] for name in TOLD} == TOLD | {"gen_ai.request.model": "wise"}


def test_the_conversation_of_a_response_is_the_providers_or_litellms_session() -> None:
    request = reading(RESPONSE, Signature(RESPONSE.names), "stream").request
    asked = {"model": "openai/gpt-5-mini", "conversation": "conv_1"}
    assert request(Call((), asked))["gen_ai.conversation.id"] == "conv_1"
    assert request(Call((), {**asked, "litellm_session_id": "s-1"}))["gen_ai.conversation.id"] == "s-1"
