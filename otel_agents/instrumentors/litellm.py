"""litellm: module-level functions, each with a twin for async, that translate a call to any provider; a Router retries and falls back over several of them.

We hook the functions and the Router's methods themselves: its callbacks run on executors, after the call. What litellm calls inside (the Router
`acompletion`, that `completion`, that the openai client) is absorbed by the outer call, so a call counts once. One class carries the streams of both colours:
the function says which it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from otel_agents import semconv
from otel_agents.instrumentors import vendors
from otel_agents.instrumentors.objects import at, attribute, decimal, field, text, whole
from otel_agents.instrumentors.patching import Patches
from otel_agents.instrumentors.wire import openai_chat, openai_responses
from otel_agents.instrumentors.wire.openai_chat_stream import ChatChunks
from otel_agents.telemetry.calls import Call, Plan, Reading, inference

# model names without a provider in front, where litellm's own table of models doesn't know them
NAMES = (("gpt-", "openai"), ("o1", "openai"), ("o3", "openai"), ("o4", "openai"), ("text-embedding-", "openai"), ("claude-", "anthropic"))

Values = Mapping[str, Any]


# ------------------------------------------------------------------------------------------------ where it goes


def provider_of(values: Values) -> str:
    """The provider litellm will choose: as asked for, by the model's prefix, by its table of models, by the URL."""
    named = text(values.get("custom_llm_provider")) or prefix(values) or _of_table(text(values.get("model")) or "")
    return vendors.of_litellm(named) if named else vendors.place(_url(values))[0] or "litellm"


def prefix(values: Values) -> str | None:
    """What stands before the first slash of the model, if litellm takes it for a provider's name."""
    start, slash, _ = (text(values.get("model")) or "").partition("/")
    asked = text(values.get("custom_llm_provider"))
    return start if slash and start in ([asked] if asked else _library("provider_list", ())) else None


def model_of(values: Values) -> str | None:
    """The model without the provider's name before it."""
    model, before = text(values.get("model")), prefix(values)
    return model.removeprefix(f"{before}/") if model and before else model


def _of_table(model: str) -> str | None:
    known = at(_library("model_cost", {}), model, "litellm_provider")
    return text(known) or next((provider for start, provider in NAMES if model.startswith(start)), None)


def place(values: Values) -> Mapping[str, Any]:
    """Provider, model and server of a call, remembered for as long as litellm knows as many providers and models: a program may add its own."""
    known = len(_library("provider_list", ())), len(_library("model_cost", ()))
    return _place(text(values.get("model")), text(values.get("custom_llm_provider")), _url(values), known)


@lru_cache(maxsize=1024)
def _place(model: str | None, asked: str | None, url: str, known: tuple[int, int]) -> Mapping[str, Any]:
    values = {"model": model, "custom_llm_provider": asked, "api_base": url}
    return {semconv.PROVIDER_NAME: provider_of(values), semconv.REQUEST_MODEL: model_of(values), **vendors.server(url)}


def _library(name: str, default: Any) -> Any:
    return getattr(sys.modules.get("litellm"), name, default)


def _url(values: Values) -> str:
    return text(values.get("api_base")) or text(values.get("base_url")) or ""


def deployment(router: Any, model: Any) -> Values:
    """What a Router's first deployment of this name is configured with; the name itself where it has none."""
    kept = field(router, "model_list") or attribute(router, "_core_model_list") or attribute(router, "model_list")  # before 1.109, in 1.109, since 1.110
    rows = (row for row in (kept if isinstance(kept, list) else ()) if field(row, "model_name") == model)
    configured = field(next(rows, None), "litellm_params")
    return {name: field(configured, name) for name in ("model", "custom_llm_provider", "api_base", "base_url")} if configured else {"model": model}


# ------------------------------------------------------------------------------------------------ what comes back


def cost(answer: Any) -> dict[str, Any]:
    """What litellm says an answer cost, in US dollars; 0 is its word for a model it has no price of."""
    amount = decimal(field(attribute(answer, "_hidden_params"), "response_cost")) or decimal(at(answer, "usage", "cost"))
    return {semconv.OA_COST: amount or None}


def completion_response(answer: Any) -> dict[str, Any]:
    return openai_chat.response(answer) | cost(answer)


def embedding_response(answer: Any) -> dict[str, Any]:
    return openai_chat.embedding_response(answer) | cost(answer)


def response_response(answer: Any) -> dict[str, Any]:
    return openai_responses.response(answer) | cost(answer)


def fetch_response(answer: Any) -> dict[str, Any]:
    return openai_responses.fetched(answer) | {semconv.RESPONSE_ID: text(field(answer, "id"))}


def no_content(_: Any) -> dict[str, Any]:
    """The conventions name no content for this operation."""
    return {}


class Chunks(ChatChunks):
    """litellm takes the usage off the chunks unless the caller asked for it, and keeps what came beside the last one; 0 when nothing came.

    Read as the chunk comes: since 1.109 litellm puts a guess of its own there afterwards where nothing came.
    """

    def __init__(self, choices: int = 1) -> None:
        super().__init__(choices)
        self._kept: Any = None

    def add(self, chunk: Any) -> None:
        usage = field(attribute(chunk, "_hidden_params"), "usage")
        self._kept = usage if whole(field(usage, "total_tokens")) else None
        super().add(chunk)

    def response(self) -> dict[str, Any]:
        folded = super().response()
        return {**folded, "usage": folded["usage"] or self._kept}


def chat_chunks(call: Call) -> Chunks:
    return Chunks(whole(call.kwargs.get("n")) or 1)


def response_events(call: Call) -> openai_responses.ResponseEvents:
    return openai_responses.ResponseEvents()


# ------------------------------------------------------------------------------------------------ the table


class Api(NamedTuple):
    """One API in both colours: the parameters that may come by position, and how it is read."""

    operation: str
    names: tuple[str, ...]
    request: Callable[[Values], dict[str, Any]]
    response: Callable[[Any], dict[str, Any]]
    input: Callable[[Values], dict[str, Any]]
    output: Callable[[Any], dict[str, Any]]
    chunks: Callable[[Call], Any] | None = None


CHAT = Api("chat", ("model", "messages"), openai_chat.request, completion_response, openai_chat.input_content, openai_chat.output_content, chat_chunks)
COMPLETION = Api(
    "text_completion",
    ("prompt", "model"),
    openai_chat.request,
    completion_response,
    openai_chat.prompt_content,
    openai_chat.output_content,
    chat_chunks,
)
EMBEDDING = Api("embeddings", ("model", "input"), openai_chat.embedding_request, embedding_response, no_content, no_content)
RESPONSE = Api(
    "chat", ("input", "model"), openai_responses.request, response_response, openai_responses.input_content, openai_responses.output_content, response_events
)
FETCH = Api("fetch_response", ("response_id",), openai_responses.fetch_request, fetch_response, no_content, openai_responses.output_content, response_events)

# each function under its public name (in newer versions a dispatcher) and in its home, where litellm and others find it too
FUNCTIONS = (
    ("litellm:completion", CHAT),
    ("litellm:acompletion", CHAT),
    ("litellm:completion_with_retries", CHAT),
    ("litellm:acompletion_with_retries", CHAT),
    ("litellm:text_completion", COMPLETION),
    ("litellm:atext_completion", COMPLETION),
    ("litellm:embedding", EMBEDDING),
    ("litellm:aembedding", EMBEDDING),
    ("litellm:responses", RESPONSE),
    ("litellm:aresponses", RESPONSE),
    ("litellm.main:completion", CHAT),
    ("litellm.main:acompletion", CHAT),
    ("litellm.main:embedding", EMBEDDING),
    ("litellm.main:aembedding", EMBEDDING),
    ("litellm.responses.main:responses", RESPONSE),
    ("litellm.responses.main:aresponses", RESPONSE),
    ("litellm.responses.main:compact_responses", RESPONSE),
    ("litellm.responses.main:acompact_responses", RESPONSE),
    ("litellm.responses.main:get_responses", FETCH),
    ("litellm.responses.main:aget_responses", FETCH),
)
ROUTED = (
    ("litellm.router:Router.completion", CHAT),
    ("litellm.router:Router.acompletion", CHAT),
    ("litellm.router:Router.text_completion", COMPLETION),
    ("litellm.router:Router.atext_completion", COMPLETION),
    ("litellm.router:Router.embedding", EMBEDDING),
    ("litellm.router:Router.aembedding", EMBEDDING),
    ("litellm.router:Router.responses", RESPONSE),
    ("litellm.router:Router.aresponses", RESPONSE),
)
ENDPOINTS = {"responses": RESPONSE, "aresponses": RESPONSE}

# every other function that litellm's own decorator makes an API call, and why it isn't observed (held by tests/instrumentors/test_tables.py)
EXCLUDED = (
    ("litellm.google_genai.main:*", "Gemini's own shapes: they come with the instrumentor of google-genai"),
    ("litellm.main:(a|)(moderation|transcription|speech|image_generation)", "the conventions name no operation for them"),
    ("litellm.(images|videos|rerank_api|decisions|systemone|extraction).*:*", "the conventions name no operation for them"),
    ("litellm.responses.main:*(delete_responses|list_input_items|cancel_responses)", "nothing is generated"),
    ("litellm.responses.main:_aresponses_websocket", "a socket of many responses, whose events only the program reads"),
    ("litellm.(search|vector_stores|rag).*:*", "retrieval at the provider: an instrumentor of its own"),
    ("litellm.(a2a_protocol|interactions).*:*", "remote agents: an instrumentor of its own"),
    ("litellm.(batches|evals|fine_tuning).*:*", "jobs that run at the provider, later"),
    ("litellm.(files|containers|vector_store_files|skills|sandbox).*:*", "stored data and machines: no model is called"),
    ("litellm.passthrough.main:*", "a request whose shape nobody knows"),
)


class Signature(NamedTuple):
    """How a function is called: its parameters by position, from `first` on, and the Router that knows its model's name, if one does."""

    names: tuple[str, ...]
    first: int = 0
    router: Callable[[Call], Any] | None = None

    def values(self, call: Call) -> Values:
        """All arguments by name."""
        given = call.args[self.first :]
        return {**dict(zip(self.names, given, strict=False)), **call.kwargs} if given else call.kwargs


def of_router(api: Api) -> Signature:
    """A Router's methods take the model first."""
    return Signature(("model", *(name for name in api.names if name != "model")), 1, lambda call: call.instance)


def reading(api: Api, called: Signature, streams: str) -> Reading:
    """How one function is read; `streams` is the protocol of what it streams."""
    protocol = {"stream": "__next__", "async_stream": "__anext__"}[streams]

    def request(call: Call) -> dict[str, Any]:
        values = called.values(call)
        target = deployment(called.router(call), values.get("model")) if called.router else values
        told = {**api.request(values), **place(target)}
        if target is not values:
            told[semconv.REQUEST_MODEL] = model_of(values)
        if session := text(values.get("litellm_session_id")):
            told[semconv.CONVERSATION_ID] = session
        return told

    return Reading(
        operation=api.operation,
        request=request,
        response=api.response,
        input=lambda call: api.input(called.values(call)),
        output=api.output,
        chunks=api.chunks,
        shape=lambda call, result: streams if hasattr(type(result), protocol) else "value",
    )


def plan(name: str, api: Api, called: Signature) -> Plan:
    """How the function of this name is observed; those whose names begin with an "a" are asynchronous."""
    return inference("litellm", reading(api, called, "async_stream" if name.startswith("a") else "stream"))


def endpoint(making: Call) -> Plan | None:
    """How a function is observed that a Router makes for itself when it is made."""
    name, router = making.get("call_type", 2, ""), making.instance
    return plan(name, ENDPOINTS[name], Signature((), router=lambda call: router)) if name in ENDPOINTS else None


def hook(patches: Patches) -> None:
    for target, api in FUNCTIONS:
        patches.wrap(target, plan(target.partition(":")[2], api, Signature(api.names)))
    for target, api in ROUTED:
        patches.wrap(target, plan(target.partition(":Router.")[2], api, of_router(api)))
    patches.wrap_made("litellm.router:Router.factory_function", endpoint)
