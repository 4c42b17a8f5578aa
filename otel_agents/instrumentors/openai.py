"""openai: every API is a resource class with an async twin; each method builds a request and posts it through the client, which retries internally.

We wrap the methods of the resource classes: there the arguments are still the caller's, a retried call is one call, Azure and compatible hosts are covered, and
the `with_raw_response`, `with_streaming_response` and `.stream()` variants all go through `create`. The body of a raw or streaming response that the program
has not read is never read by us.
"""

from __future__ import annotations

from typing import Any

from otel_agents import semconv
from otel_agents.instrumentors import vendors
from otel_agents.instrumentors.objects import attribute, field, parsed, whole
from otel_agents.instrumentors.patching import Patches
from otel_agents.instrumentors.wire import openai_chat, openai_responses
from otel_agents.instrumentors.wire.openai_chat_stream import ChatChunks
from otel_agents.telemetry.calls import Call, Extractor, inference

# how to observe a result, by its class or one of its base classes
SHAPES = {
    "Stream": "stream",
    "AsyncStream": "async_stream",
    "APIResponse": "opaque",
    "AsyncAPIResponse": "opaque",
    "HttpxBinaryResponseContent": "opaque",
}


def shape(call: Call, result: Any) -> str:
    """How to observe the result. The body of a raw response is only read if the client has read it already."""
    names = [kind.__name__ for kind in type(result).__mro__]
    if "LegacyAPIResponse" in names:
        return "opaque" if call.kwargs.get("stream") else "value"
    return next((SHAPES[name] for name in names if name in SHAPES), "value")


def body(answer: Any) -> Any:
    """The answer itself, or the one inside a raw response."""
    return parsed(attribute(answer, "content")) if type(answer).__name__ == "LegacyAPIResponse" else answer


# ------------------------------------------------------------------------------------------------ where it goes


def base_url(call: Call) -> str:
    """The base URL of the client behind a resource, whichever HTTP library's URL class it is."""
    client = field(call.instance, "_client")
    url = attribute(client, "base_url") or field(client, "_base_url")
    return str(url) if url else ""


def place(call: Call) -> dict[str, Any]:
    """Provider and server: Azure by the client's class, others by their host. An unknown host counts as OpenAI-compatible."""
    url = base_url(call)
    known = "azure.ai.openai" if _is_azure(field(call.instance, "_client")) else vendors.place(url)[0]
    return {**vendors.server(url), **({semconv.PROVIDER_NAME: known} if known else {})}


def _is_azure(client: Any) -> bool:
    return any(kind.__name__ == "BaseAzureClient" for kind in type(client).__mro__)


# ------------------------------------------------------------------------------------------------ chat completions


def chat_request(call: Call) -> dict[str, Any]:
    return completion_request(call) | {semconv.OPENAI_API_TYPE: "chat_completions"}


def completion_request(call: Call) -> dict[str, Any]:
    more = {semconv.REQUEST_TOP_K: whole(field(call.kwargs.get("extra_body"), "top_k"))}
    return more | openai_chat.request(call.kwargs) | place(call)


def completion_response(answer: Any) -> dict[str, Any]:
    return openai_chat.response(body(answer))


def completion_output(answer: Any) -> dict[str, Any]:
    return openai_chat.output_content(body(answer))


def chat_input(call: Call) -> dict[str, Any]:
    return openai_chat.input_content(call.kwargs)


def prompt_input(call: Call) -> dict[str, Any]:
    return openai_chat.prompt_content(call.kwargs)


def chat_chunks(call: Call) -> ChatChunks:
    return ChatChunks(whole(call.kwargs.get("n")) or 1)


# ------------------------------------------------------------------------------------------------ embeddings


def embedding_request(call: Call) -> dict[str, Any]:
    return openai_chat.embedding_request(call.kwargs) | place(call)


def embedding_response(answer: Any) -> dict[str, Any]:
    return openai_chat.embedding_response(body(answer))


def no_content(_: Any) -> dict[str, Any]:
    """The conventions define no content for this operation."""
    return {}


# ------------------------------------------------------------------------------------------------ responses


def response_request(call: Call) -> dict[str, Any]:
    return openai_responses.request(call.kwargs) | place(call) | {semconv.OPENAI_API_TYPE: "responses"}


def fetch_request(call: Call) -> dict[str, Any]:
    return openai_responses.fetch_request({"response_id": call.get("response_id", 1), **call.kwargs}) | place(call)


def response_response(answer: Any) -> dict[str, Any]:
    return openai_responses.response(body(answer))


def fetch_response(answer: Any) -> dict[str, Any]:
    return openai_responses.fetched(body(answer))


def response_input(call: Call) -> dict[str, Any]:
    return openai_responses.input_content(call.kwargs)


def response_output(answer: Any) -> dict[str, Any]:
    return openai_responses.output_content(body(answer))


def response_events(call: Call) -> openai_responses.ResponseEvents:
    return openai_responses.ResponseEvents()


CHAT = Extractor("chat", chat_request, completion_response, chat_input, completion_output, chat_chunks, shape)
COMPLETION = Extractor("text_completion", completion_request, completion_response, prompt_input, completion_output, chat_chunks, shape)
EMBEDDING = Extractor("embeddings", embedding_request, embedding_response, no_content, no_content, shape=shape)
RESPONSE = Extractor("chat", response_request, response_response, response_input, response_output, response_events, shape)
FETCH = Extractor("fetch_response", fetch_request, fetch_response, no_content, response_output, response_events, shape)

CALLS = (
    ("openai.resources.chat.completions:{}Completions.create", CHAT),
    ("openai.resources.chat.completions:{}Completions.parse", CHAT),
    ("openai.resources.beta.chat.completions:{}Completions.parse", CHAT),  # its home until 1.92
    ("openai.resources.completions:{}Completions.create", COMPLETION),
    ("openai.resources.embeddings:{}Embeddings.create", EMBEDDING),
    ("openai.resources.responses:{}Responses.create", RESPONSE),
    ("openai.resources.responses:{}Responses.parse", RESPONSE),
    ("openai.resources.responses:{}Responses.compact", RESPONSE),
    ("openai.resources.responses:{}Responses.retrieve", FETCH),
    ("openai.resources.beta.responses:{}Responses.create", RESPONSE),
    ("openai.resources.beta.responses:{}Responses.compact", RESPONSE),
    ("openai.resources.beta.responses:{}Responses.retrieve", FETCH),
)

# every other method that posts or opens a socket, and why it is not instrumented (enforced by tests/instrumentors/test_tables.py)
EXCLUDED = (
    ("openai.resources.chat.completions*:*Completions.(retrieve|update|list|delete)", "stored completions: nothing is generated"),
    ("openai.resources.chat.completions.messages:*", "stored completions: nothing is generated"),
    ("openai.resources*.responses.responses:*Responses.(cancel|delete)", "cancels or deletes a response: nothing is generated"),
    ("openai.resources*.responses.input_(items|tokens):*", "reads what was sent, or counts its tokens: nothing is generated"),
    ("openai.resources*.responses.responses:*Connection*.*", "a socket that carries many responses, whose events only the program reads"),
    ("openai.resources.(realtime|live|beta.realtime)*:*", "an audio session over a socket, whose events only the program reads"),
    ("openai.resources.beta.(assistants|threads|chatkit|agents|vaults)*:*", "hosted agents: a remote `invoke_agent`, which needs an instrumentor of its own"),
    ("openai.resources.(audio|images|videos)*:*", "speech, images and video: the conventions define no operation for them"),
    ("openai.resources.(moderations|decisions|content_provenance_checks):*", "classifiers: the conventions define no operation for them"),
    ("openai.resources.(evals|fine_tuning|batches)*:*", "jobs that the provider runs later"),
    ("openai.resources.(files|uploads|containers|vector_stores|beta.vector_stores|conversations|skills)*:*", "stored data: no model is called"),
    ("openai.resources.(models|admin|webhooks|safety)*:*", "administration: no model is called"),
)

# the helpers of `.stream()` close the underlying response, not the stream that they read
HELPERS = ("openai.lib.streaming.chat:{}ChatCompletionStream.close", "openai.lib.streaming.responses:{}ResponseStream.close")


def hook(patches: Patches) -> None:
    for helper in HELPERS:
        for prefix in ("", "Async"):
            patches.end_with(helper.format(prefix), "_raw_stream")
    for target, reading in CALLS:
        for prefix in ("", "Async"):
            patches.wrap(target.format(prefix), inference("openai", reading))
