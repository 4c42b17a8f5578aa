"""litellm by its real functions over HTTP: completion, text completion, embedding, Router, both colours; over the openai client, counted once."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import litellm
import pytest
from model_server import USAGE, ModelServer, chat, chat_stream, completion, error, failing, tool_call
from observed_spans import Observed

from otel_agents.instrumentors import registry
from otel_agents.instrumentors.litellm import model_of, provider_of

# what litellm does, and makes pydantic say
pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* (is|are) using the `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # event loops and sockets it leaves to the collector
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*' attribute on the instance is deprecated"),
]

HELLO = [{"role": "user", "content": "hello?"}]
REQUEST = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "server.address": "127.0.0.1",
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "hello?"}]}],
}
RESPONSE = {"gen_ai.response.id": "chatcmpl-1", "gen_ai.response.finish_reasons": ["stop"]}
USED = {
    "gen_ai.usage.input_tokens": 11,
    "gen_ai.usage.output_tokens": 7,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.reasoning.output_tokens": 3,
}
SAID = {"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]}
STREAM = {**REQUEST, "gen_ai.request.stream": True}
CHAT = {**REQUEST, **RESPONSE, **USED, **SAID}
LOOK = {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "it"}}


@pytest.fixture(autouse=True, scope="module")
def _swept() -> Iterator[None]:
    """What litellm leaves behind is collected here, not in the middle of other tests."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm, "suppress_debug_info", True)


@pytest.fixture
def ask(server: ModelServer) -> Callable[..., Any]:
    """Call one of litellm's functions with what every call here needs."""

    def asking(function: Callable[..., Any], **more: Any) -> Any:
        return function(**({"model": "openai/gpt-4o-mini", "messages": HELLO, "api_base": server.url, "api_key": "k", "max_retries": 0} | more))

    return asking


def told(span: dict[str, Any]) -> dict[str, Any]:
    """The attributes without those that litellm of one version passes on and of another doesn't."""
    varying = ("openai.response.service_tier", "openai.response.system_fingerprint", "gen_ai.response.model")
    return {name: value for name, value in span["attributes"].items() if name not in varying}


Ask = Callable[..., Any]


def test_a_completion(observed: Observed, ask: Ask) -> None:
    assert ask(litellm.completion).choices[0].message.content == "hello"
    span = observed.only()
    assert (span["name"], span["kind"], span["status"]) == ("chat gpt-4o-mini", "CLIENT", "UNSET")
    assert span["attributes"]["gen_ai.response.model"].startswith("gpt-4o-mini")
    assert told(span) == CHAT


async def test_an_async_completion(observed: Observed, ask: Ask) -> None:
    assert (await ask(litellm.acompletion)).choices[0].message.content == "hello"
    assert told(observed.only()) == CHAT


def test_arguments_by_position(observed: Observed, server: ModelServer) -> None:
    litellm.completion("openai/gpt-4o-mini", HELLO, api_base=server.url, api_key="k", temperature=0, litellm_session_id="talk_1")
    assert told(observed.only()) == {**CHAT, "gen_ai.request.temperature": 0.0, "gen_ai.conversation.id": "talk_1"}


def test_a_completion_out_of_a_mock(observed: Observed) -> None:
    litellm.completion(model="gpt-4o-mini", messages=HELLO, mock_response="hello")
    span = told(observed.only())
    assert span.items() >= {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini", **SAID}.items()


def test_tool_calls(observed: Observed, server: ModelServer, ask: Ask) -> None:
    server.will(chat(None, tool_calls=[tool_call("look", {"at": "it"})]))
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    answer = ask(litellm.completion, tools=tools)
    ask(litellm.completion, messages=[*HELLO, answer.choices[0].message, {"role": "tool", "tool_call_id": "call_1", "content": "a cat"}], tools=tools)
    first, second = observed.spans()
    assert first["attributes"]["gen_ai.response.finish_reasons"] == ["tool_call"]
    assert first["attributes"]["gen_ai.output.messages"] == [{"role": "assistant", "parts": [LOOK]}]
    assert first["attributes"]["gen_ai.tool.definitions"] == [{"type": "function", "name": "look"}]
    assert second["attributes"]["gen_ai.input.messages"][1:] == [
        {"role": "assistant", "parts": [LOOK]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]},
    ]


# ------------------------------------------------------------------------------------------------ streams


def test_a_stream(observed: Observed, ask: Ask) -> None:
    stream = ask(litellm.completion, stream=True, stream_options={"include_usage": True})
    assert isinstance(stream, litellm.CustomStreamWrapper)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "hello"
    assert told(observed.only()) == {**STREAM, **RESPONSE, **USED, **SAID}


async def test_an_async_stream(observed: Observed, ask: Ask) -> None:
    stream = await ask(litellm.acompletion, stream=True, stream_options={"include_usage": True})
    assert isinstance(stream, litellm.CustomStreamWrapper)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]) == "hello"
    assert told(observed.only()) == {**STREAM, **RESPONSE, **USED, **SAID}


def test_usage_nobody_told_is_absent(observed: Observed, server: ModelServer, ask: Ask) -> None:
    server.will(chat_stream("hel", "lo"))
    list(ask(litellm.completion, stream=True))
    assert told(observed.only()) == {**STREAM, **RESPONSE, **SAID}


def test_usage_that_litellm_keeps_beside_the_stream(observed: Observed, server: ModelServer, ask: Ask) -> None:
    server.will(chat_stream("hel", "lo", usage=USAGE))
    kept = [getattr(chunk._hidden_params.get("usage"), "prompt_tokens", 0) for chunk in ask(litellm.completion, stream=True)]
    assert told(observed.only()).get("gen_ai.usage.input_tokens") == (kept[-1] or None)  # 11 in some versions; others drop it, or add it later, with guesses


def test_tool_calls_of_a_stream(observed: Observed, server: ModelServer, ask: Ask) -> None:
    server.will(chat_stream(tool_calls=[tool_call("look", {"at": "it"})]))
    list(ask(litellm.completion, stream=True))
    assert observed.only()["attributes"]["gen_ai.output.messages"] == [{"role": "assistant", "parts": [LOOK]}]


def test_a_stream_dropped_early(observed: Observed, ask: Ask) -> None:
    stream = ask(litellm.completion, stream=True)
    next(stream)
    del stream
    assert told(observed.only()).items() >= {"otel_agents.outcome": "cancelled", "gen_ai.response.finish_reasons": ["error"]}.items()


async def test_an_error_midway(observed: Observed, server: ModelServer, ask: Ask) -> None:
    server.will(failing(chat_stream("hel", "lo"), 3))
    with pytest.raises(Exception, match="The server had an error") as caught:  # which class, changes from version to version
        [chunk async for chunk in await ask(litellm.acompletion, stream=True)]
    span = observed.only()
    assert span["status"] == "ERROR"
    assert span["attributes"]["error.type"].endswith(type(caught.value).__name__)


# ------------------------------------------------------------------------------------------------ errors and retries


@pytest.mark.parametrize(
    ("status", "kinds"), [(400, "BadRequestError"), (401, "AuthenticationError"), (429, "RateLimitError"), (500, "InternalServerError APIError")]
)
def test_errors(observed: Observed, server: ModelServer, ask: Ask, status: int, kinds: str) -> None:
    server.will(error(status, "we are sorry"))
    with pytest.raises(tuple(getattr(litellm, kind) for kind in kinds.split()), match="we are sorry") as caught:
        ask(litellm.completion)
    kind = type(caught.value).__name__
    span = observed.only()
    assert span["status"] == "ERROR"
    assert told(span) == {**REQUEST, "error.type": f"litellm.exceptions.{kind}", "gen_ai.response.finish_reasons": ["error"], "otel_agents.outcome": "error"}


def test_retries_are_one_call(observed: Observed, server: ModelServer, ask: Ask) -> None:
    server.will(error(500), error(429))
    ask(litellm.completion, max_retries=2)
    assert len(server.requests) == 3
    assert told(observed.only()) == CHAT


# ------------------------------------------------------------------------------------------------ the Router


@pytest.fixture
def router(server: ModelServer) -> Iterator[Any]:
    def deployment(name: str, model: str) -> dict[str, Any]:
        return {"model_name": name, "litellm_params": {"model": model, "api_base": server.url, "api_key": "k", "max_retries": 0}}

    rows = [deployment("fast", "openai/gpt-4o-mini"), deployment("spare", "openai/gpt-4o"), deployment("vectors", "openai/text-embedding-3-small")]
    made = litellm.Router(model_list=rows, num_retries=1, retry_after=0, fallbacks=[{"fast": ["spare"]}], disable_cooldowns=True)
    yield made
    undo = next(name for name in ("retire", "discard", "reset") if hasattr(made, name))  # what undoes its registrations: since 1.109, since 1.60, before
    getattr(made, undo)()


ROUTED = {**CHAT, "gen_ai.request.model": "fast"}


def test_a_router(observed: Observed, router: Any) -> None:
    router.completion(model="fast", messages=HELLO)
    router.completion("fast", HELLO)
    assert [told(span) for span in observed.spans()] == [ROUTED, ROUTED]


async def test_a_router_that_retries_and_falls_back_is_one_call(observed: Observed, server: ModelServer, router: Any) -> None:
    server.will(error(500), error(500))
    await router.acompletion(model="fast", messages=HELLO)
    assert [request.body["model"] for request in server.requests] == ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]
    assert told(observed.only()) == ROUTED


async def test_a_stream_of_a_router(observed: Observed, router: Any) -> None:
    stream = await router.acompletion(model="fast", messages=HELLO, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "hello"
    assert told(observed.only()).items() >= {**STREAM, "gen_ai.request.model": "fast", **RESPONSE, **SAID}.items()


def test_the_embeddings_of_a_router(observed: Observed, router: Any) -> None:
    router.embedding(model="vectors", input=["a"])
    assert observed.only()["name"] == "embeddings vectors"


def test_what_the_router_had_bound_before_the_patch(observed: Observed, server: ModelServer, router: Any) -> None:
    registry.uninstall()
    old = litellm.Router(model_list=[{"model_name": "old", "litellm_params": {"model": "openai/gpt-4o-mini", "api_base": server.url, "api_key": "k"}}])
    registry.install()
    old.completion(model="old", messages=HELLO)
    assert observed.only()["attributes"]["gen_ai.request.model"] == "old"


# ------------------------------------------------------------------------------------------------ other functions


def test_a_text_completion(observed: Observed, server: ModelServer) -> None:
    server.will(completion("hello"))
    litellm.text_completion(model="text-completion-openai/gpt-3.5-turbo-instruct", prompt="hello?", api_base=server.url, api_key="k")
    span = observed.only()
    assert (span["name"], span["attributes"]["gen_ai.provider.name"]) == ("text_completion gpt-3.5-turbo-instruct", "openai")
    assert span["attributes"].items() >= {**USED, **SAID}.items()


async def test_an_async_text_completion(observed: Observed, server: ModelServer) -> None:
    await litellm.atext_completion(model="text-completion-openai/gpt-3.5-turbo-instruct", prompt="hello?", api_base=server.url, api_key="k")
    assert observed.only()["attributes"]["gen_ai.usage.input_tokens"] == 11


EMBEDDING = {
    "gen_ai.operation.name": "embeddings",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "text-embedding-3-small",
    "server.address": "127.0.0.1",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.embeddings.dimension.count": 3,
}


def test_an_embedding(observed: Observed, server: ModelServer) -> None:
    litellm.embedding(model="openai/text-embedding-3-small", input=["a"], api_base=server.url, api_key="k")
    assert told(observed.only()) == EMBEDDING


async def test_an_async_embedding(observed: Observed, server: ModelServer) -> None:
    await litellm.aembedding(model="openai/text-embedding-3-small", input=["a"], api_base=server.url, api_key="k")
    assert told(observed.only()) == EMBEDDING


# ------------------------------------------------------------------------------------------------ names bound before, providers


def test_names_the_program_bound_before(observed: Observed, server: ModelServer) -> None:
    registry.uninstall()
    program = types.ModuleType("a_program")
    program.ask = litellm.completion  # type: ignore[attr-defined] # as `from litellm import completion as ask` does
    sys.modules["a_program"] = program
    registry.install()
    missed = next(row["missed"] for row in registry.status() if row["library"] == "litellm")
    program.ask(model="openai/gpt-4o-mini", messages=HELLO, api_base=server.url, api_key="k")
    del sys.modules["a_program"]
    assert "a_program.ask" in missed
    assert observed.only()["name"] == "chat gpt-4o-mini"  # seen one layer below


@pytest.mark.parametrize(
    ("values", "provider", "model"),
    [
        ({"model": "gpt-4o"}, "openai", "gpt-4o"),
        ({"model": "azure/ours"}, "azure.ai.openai", "ours"),
        ({"model": "bedrock/anthropic.claude-3-haiku-20240307-v1:0"}, "aws.bedrock", "anthropic.claude-3-haiku-20240307-v1:0"),
        ({"model": "vertex_ai/gemini-1.5-pro"}, "gcp.vertex_ai", "gemini-1.5-pro"),
        ({"model": "gemini/gemini-1.5-pro"}, "gcp.gemini", "gemini-1.5-pro"),
        ({"model": "claude-3-haiku-20240307"}, "anthropic", "claude-3-haiku-20240307"),
        ({"model": "xai/grok-2"}, "x_ai", "grok-2"),
        ({"model": "mistral/mistral-large"}, "mistral_ai", "mistral-large"),
        ({"model": "openrouter/anthropic/claude-3-haiku"}, "openrouter", "anthropic/claude-3-haiku"),
        ({"model": "meta/llama", "custom_llm_provider": "together_ai"}, "together_ai", "meta/llama"),
        ({"model": "deep", "api_base": "https://api.deepseek.com"}, "deepseek", "deep"),
        ({"model": "nobody-knows"}, "litellm", "nobody-knows"),
    ],
)
def test_provider_and_model(values: dict[str, Any], provider: str, model: str) -> None:
    assert (provider_of(values), model_of(values)) == (provider, model)


def test_a_provider_that_the_program_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (provider_of({"model": "ours/deep"}), model_of({"model": "ours/deep"})) == ("litellm", "ours/deep")
    monkeypatch.setattr(litellm, "provider_list", [*litellm.provider_list, "ours"])
    assert (provider_of({"model": "ours/deep"}), model_of({"model": "ours/deep"})) == ("ours", "deep")
