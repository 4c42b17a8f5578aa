"""litellm: module-level functions, each with an async twin, that translate a call for any provider; a Router retries and falls back across deployments.

We wrap the functions and the Router's methods themselves, because its callbacks run on executors after the call. What litellm calls internally (the Router
calls `acompletion`, that calls `completion`, that the openai client) is absorbed by the outermost call, so a call counts once. One stream class serves both
sync and async calls; the function called decides which protocol is observed.
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
from otel_agents.telemetry.calls import Call, Extractor, Plan, inference

# providers of model names that have no provider prefix and are missing from litellm's own table of models
NAMES = (("gpt-", "openai"), ("o1", "openai"), ("o3", "openai"), ("o4", "openai"), ("text-embedding-", "openai"), ("claude-", "anthropic"))

Values = Mapping[str, Any]


# ------------------------------------------------------------------------------------------------ where it goes


def provider_of(values: Values) -> str:
    """The provider that litellm will choose: the one asked for, else by the model's prefix, its table of models, or the URL."""
    named = text(values.get("custom_llm_provider")) or prefix(values) or _of_table(text(values.get("model")) or "")
    return vendors.of_litellm(named) if named else vendors.place(_url(values))[0] or "litellm"


def prefix(values: Values) -> str | None:
    """The part of the model before the first slash, if litellm takes it for a provider's name."""
    start, slash, _ = (text(values.get("model")) or "").partition("/")
    asked = text(values.get("custom_llm_provider"))
    return start if slash and start in ([asked] if asked else _library("provider_list", ())) else None


def model_of(values: Values) -> str | None:
    """The model without its provider prefix."""
    model, before = text(values.get("model")), prefix(values)
    return model.removeprefix(f"{before}/") if model and before else model


def _of_table(model: str) -> str | None:
    known = at(_library("model_cost", {}), model, "litellm_provider")
    return text(known) or next((provider for start, provider in NAMES if model.startswith(start)), None)


def place(values: Values) -> Mapping[str, Any]:
    """Provider, model and server of a call, cached until the number of providers or models that litellm knows changes: a program may register its own."""
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
    """The parameters of a Router's first deployment for this model name; just the name if it has none."""
    kept = field(router, "model_list") or attribute(router, "_core_model_list") or attribute(router, "model_list")  # before 1.109, in 1.109, since 1.110
    rows = (row for row in (kept if isinstance(kept, list) else ()) if field(row, "model_name") == model)
    configured = field(next(rows, None), "litellm_params")
    return {name: field(configured, name) for name in ("model", "custom_llm_provider", "api_base", "base_url")} if configured else {"model": model}


# ------------------------------------------------------------------------------------------------ what comes back


def cost(answer: Any) -> dict[str, Any]:
    """The cost of an answer in US dollars, as litellm computed it. It says 0 for a model whose price it does not know."""
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
    """The conventions define no content for this operation."""
    return {}


class Chunks(ChatChunks):
    """litellm strips the usage from the chunks unless the caller asked for it, and keeps the last one in hidden parameters; 0 if there was none.

    We read it as each chunk arrives: since 1.109 litellm fills in an estimate of its own afterwards if the provider sent none.
    """

    def __init__(self, choices: int = 1) -> None:
        super().__init__(choices)
        self._kept: Any = None

    def add(self, chunk: Any) -> None:
        usage = field(attribute(chunk, "_hidden_params"), "usage")
        self._kept = usage if whole(field(usage, "total_tokens")) else None
        super().add(chunk)

    def response(self) -> dict[str, Any]:
        assembled = super().response()
        return {**assembled, "usage": assembled["usage"] or self._kept}


def chat_chunks(call: Call) -> Chunks:
    return Chunks(whole(call.kwargs.get("n")) or 1)


def response_events(call: Call) -> openai_responses.ResponseEvents:
    return openai_responses.ResponseEvents()


# ------------------------------------------------------------------------------------------------ the table


class Api(NamedTuple):
    """One API, sync and async: the parameters that may be positional, and how calls and answers are read."""

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

# each function under its public name (a dispatcher in newer versions) and in its defining module, from which litellm and others use it too
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

# every other function that litellm's own decorator marks as an API call, and why it is not instrumented (enforced by tests/instrumentors/test_tables.py)
EXCLUDED = (
    ("litellm.google_genai.main:*", "Gemini's own wire format: it belongs to an instrumentor of google-genai"),
    ("litellm.main:(a|)(moderation|transcription|speech|image_generation)", "the conventions define no operation for them"),
    ("litellm.(images|videos|rerank_api|decisions|systemone|extraction).*:*", "the conventions define no operation for them"),
    ("litellm.responses.main:*(delete_responses|list_input_items|cancel_responses)", "nothing is generated"),
    ("litellm.responses.main:_aresponses_websocket", "a socket that carries many responses, whose events only the program reads"),
    ("litellm.(search|vector_stores|rag).*:*", "retrieval at the provider: needs an instrumentor of its own"),
    ("litellm.(a2a_protocol|interactions).*:*", "remote agents: need an instrumentor of their own"),
    ("litellm.(batches|evals|fine_tuning).*:*", "jobs that the provider runs later"),
    ("litellm.(files|containers|vector_store_files|skills|sandbox).*:*", "stored data and containers: no model is called"),
    ("litellm.passthrough.main:*", "a request in a format that we can't know"),
)


class Signature(NamedTuple):
    """How a function is called: its positional parameters, from index `first` on, and the Router that resolves its model's name, if any."""

    names: tuple[str, ...]
    first: int = 0
    router: Callable[[Call], Any] | None = None

    def values(self, call: Call) -> Values:
        """All arguments by name."""
        given = call.args[self.first :]
        return {**dict(zip(self.names, given, strict=False)), **call.kwargs} if given else call.kwargs


def of_router(api: Api) -> Signature:
    """The signature of a Router's method, which takes the model first."""
    return Signature(("model", *(name for name in api.names if name != "model")), 1, lambda call: call.instance)


def reading(api: Api, called: Signature, streams: str) -> Extractor:
    """How calls of one function are read; `streams` is the protocol of its streams."""
    protocol = {"stream": "__next__", "async_stream": "__anext__"}[streams]

    def request(call: Call) -> dict[str, Any]:
        values = called.values(call)
        target = deployment(called.router(call), values.get("model")) if called.router else values
        attributes = {**api.request(values), **place(target)}
        if target is not values:
            attributes[semconv.REQUEST_MODEL] = model_of(values)
        if session := text(values.get("litellm_session_id")):
            attributes[semconv.CONVERSATION_ID] = session
        return attributes

    return Extractor(
        operation=api.operation,
        request=request,
        response=api.response,
        input=lambda call: api.input(called.values(call)),
        output=api.output,
        chunks=api.chunks,
        shape=lambda call, result: streams if hasattr(type(result), protocol) else "value",
    )


def plan(name: str, api: Api, called: Signature) -> Plan:
    """The plan for the function of this name; names that begin with an "a" are asynchronous."""
    return inference("litellm", reading(api, called, "async_stream" if name.startswith("a") else "stream"))


def endpoint(creation: Call) -> Plan | None:
    """The plan for a function that a Router creates for itself when it is constructed."""
    name, router = creation.get("call_type", 2, ""), creation.instance
    return plan(name, ENDPOINTS[name], Signature((), router=lambda call: router)) if name in ENDPOINTS else None


def hook(patches: Patches) -> None:
    for target, api in FUNCTIONS:
        patches.wrap(target, plan(target.partition(":")[2], api, Signature(api.names)))
    for target, api in ROUTED:
        patches.wrap(target, plan(target.partition(":Router.")[2], api, of_router(api)))
    patches.wrap_returned("litellm.router:Router.factory_function", endpoint)
