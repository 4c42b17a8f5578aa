"""OpenAI's wire format for chat completions, text completions and embeddings, mapped to the conventions, for every library that uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from otel_agents import semconv
from otel_agents.instrumentors.objects import Parameters, at, decimal, field, fields, items, parameters, parsed, text, texts, whole

Message = dict[str, Any]

PARAMETERS: Parameters = (
    ("model", semconv.REQUEST_MODEL, text),
    ("max_tokens", semconv.REQUEST_MAX_TOKENS, whole),
    ("max_completion_tokens", semconv.REQUEST_MAX_TOKENS, whole),
    ("temperature", semconv.REQUEST_TEMPERATURE, decimal),
    ("top_p", semconv.REQUEST_TOP_P, decimal),
    ("top_k", semconv.REQUEST_TOP_K, whole),
    ("frequency_penalty", semconv.REQUEST_FREQUENCY_PENALTY, decimal),
    ("presence_penalty", semconv.REQUEST_PRESENCE_PENALTY, decimal),
    ("stop", semconv.REQUEST_STOP_SEQUENCES, texts),
    ("seed", semconv.REQUEST_SEED, whole),
    ("n", semconv.REQUEST_CHOICE_COUNT, lambda n: n if type(n) is int and n != 1 else None),
    ("stream", semconv.REQUEST_STREAM, lambda stream: stream is True or None),
    ("reasoning_effort", semconv.REQUEST_REASONING_LEVEL, text),
    ("service_tier", semconv.OPENAI_REQUEST_SERVICE_TIER, lambda tier: text(tier) if tier != "auto" else None),
    ("response_format", semconv.OUTPUT_TYPE, lambda wanted: output_type(wanted)),
    ("modalities", semconv.OUTPUT_TYPE, lambda wanted: "speech" if "audio" in (texts(wanted) or ()) else None),
)
EMBEDDING_PARAMETERS: Parameters = (
    ("model", semconv.REQUEST_MODEL, text),
    ("dimensions", semconv.EMBEDDINGS_DIMENSION_COUNT, whole),
    ("encoding_format", semconv.REQUEST_ENCODING_FORMATS, texts),
)
OUTPUT_TYPES = {"json_object": "json", "json_schema": "json", "text": "text"}
FINISH_REASONS = {"tool_calls": "tool_call", "function_call": "tool_call"}

# what identifies a response
IDENTITY: Parameters = (
    ("id", semconv.RESPONSE_ID, text),
    ("model", semconv.RESPONSE_MODEL, text),
    ("service_tier", semconv.OPENAI_RESPONSE_SERVICE_TIER, text),
    ("system_fingerprint", semconv.OPENAI_RESPONSE_SYSTEM_FINGERPRINT, text),
)

# count, attribute, and whether a zero is worth recording (0 image tokens is the normal case). Providers differ; the first place that has a count wins
INPUT_DETAILS = (
    ("cached_tokens", semconv.USAGE_CACHE_READ_INPUT_TOKENS, True),
    ("cache_write_tokens", semconv.USAGE_CACHE_WRITE_INPUT_TOKENS, True),
    ("cache_creation_tokens", semconv.USAGE_CACHE_WRITE_INPUT_TOKENS, True),
    ("text_tokens", semconv.USAGE_TEXT_INPUT_TOKENS, False),
    ("image_tokens", semconv.USAGE_IMAGE_INPUT_TOKENS, False),
    ("audio_tokens", semconv.USAGE_AUDIO_INPUT_TOKENS, False),
)
OUTPUT_DETAILS = (
    ("reasoning_tokens", semconv.USAGE_REASONING_OUTPUT_TOKENS, True),
    ("text_tokens", semconv.USAGE_TEXT_OUTPUT_TOKENS, False),
    ("image_tokens", semconv.USAGE_IMAGE_OUTPUT_TOKENS, False),
    ("audio_tokens", semconv.USAGE_AUDIO_OUTPUT_TOKENS, False),
)
TOTALS = (
    ("prompt_tokens", semconv.USAGE_INPUT_TOKENS, True),
    ("input_tokens", semconv.USAGE_INPUT_TOKENS, True),
    ("completion_tokens", semconv.USAGE_OUTPUT_TOKENS, True),
    ("output_tokens", semconv.USAGE_OUTPUT_TOKENS, True),
    ("prompt_cache_hit_tokens", semconv.USAGE_CACHE_READ_INPUT_TOKENS, True),
    ("cache_read_input_tokens", semconv.USAGE_CACHE_READ_INPUT_TOKENS, True),
    ("cache_creation_input_tokens", semconv.USAGE_CACHE_WRITE_INPUT_TOKENS, True),
)


# ------------------------------------------------------------------------------------------------ request and response


def request(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a chat or text completion."""
    return parameters(values, PARAMETERS)


def embedding_request(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an embeddings call."""
    return parameters(values, EMBEDDING_PARAMETERS)


def output_type(wanted: Any) -> str | None:
    """The requested output type; a class is a schema (`parse`)."""
    return "json" if isinstance(wanted, type) else OUTPUT_TYPES.get(field(wanted, "type") or "")


def response(answer: Any) -> dict[str, Any]:
    """Identity, finish reasons and usage of a chat or text completion."""
    held = fields(answer)
    reasons = [finish_reason(field(choice, "finish_reason")) for choice in items(held.get("choices"))]
    known = parameters(held, IDENTITY) | usage(held.get("usage"))
    return known | {semconv.RESPONSE_FINISH_REASONS: reasons} if reasons else known


def embedding_response(answer: Any) -> dict[str, Any]:
    """Model, usage and the length of the vectors."""
    vector = field(next(iter(items(field(answer, "data"))), None), "embedding")
    return {
        semconv.RESPONSE_MODEL: text(field(answer, "model")),
        semconv.USAGE_INPUT_TOKENS: whole(at(answer, "usage", "prompt_tokens")),
        semconv.EMBEDDINGS_DIMENSION_COUNT: len(vector) if type(vector) is list else None,
    }


def finish_reason(reason: Any) -> str:
    """The conventions' finish reason; "error" if one was expected and never came."""
    return FINISH_REASONS.get(reason, reason) if type(reason) is str else "error"


def usage(counts: Any) -> dict[str, Any]:
    """Token counts by type; counts that the provider does not report are absent."""
    counted: dict[str, Any] = {}
    total = fields(counts)
    _count(counted, fields(total.get("prompt_tokens_details") or total.get("input_tokens_details")), INPUT_DETAILS)
    _count(counted, fields(total.get("completion_tokens_details") or total.get("output_tokens_details")), OUTPUT_DETAILS)
    _count(counted, total, TOTALS)
    return counted


def _count(counted: dict[str, Any], held: Mapping[str, Any], table: tuple[tuple[str, str, bool], ...]) -> None:
    for name, attribute, even_zero in table:
        count = held.get(name)
        if type(count) is int and (count or even_zero) and attribute not in counted:
            counted[attribute] = count


# ------------------------------------------------------------------------------------------------ content


def input_content(values: Mapping[str, Any]) -> dict[str, Any]:
    """Messages and tools of a chat completion."""
    return {
        semconv.INPUT_MESSAGES: [message(item) for item in items(values.get("messages"))],
        semconv.TOOL_DEFINITIONS: tool_definitions(values.get("tools")) or tool_definitions(values.get("functions")) or None,
    }


def output_content(answer: Any) -> dict[str, Any]:
    """One message per choice."""
    messages = [_choice(choice) for choice in items(field(answer, "choices"))]
    return {semconv.OUTPUT_MESSAGES: messages if any(one["parts"] for one in messages) else []}


def prompt_content(values: Mapping[str, Any]) -> dict[str, Any]:
    """The prompts of a text completion; token ids are not content."""
    return {semconv.INPUT_MESSAGES: [{"role": "user", "parts": [_text(prompt)]} for prompt in texts(values.get("prompt")) or ()]}


def message(item: Any) -> Message:
    """One message of a conversation: role and parts."""
    role = text(field(item, "role")) or "user"
    read = _parts_of_result if role in ("tool", "function") else _parts_of_message
    named = {"name": name} if (name := text(field(item, "name"))) else {}
    return {"role": role, "parts": list(read(item)), **named}


def tool_definitions(tools: Any) -> list[dict[str, Any]]:
    """Type and name of each tool; the conventions advise against recording descriptions and parameters."""
    return [_tool(tool) for tool in items(tools) if field(tool, "type") or field(tool, "name")]


def _tool(tool: Any) -> dict[str, Any]:
    kind = text(field(tool, "type")) or "function"
    return {"type": kind, "name": text(at(tool, kind, "name")) or text(field(tool, "name")) or kind}


def _choice(choice: Any) -> Message:
    inner = field(choice, "message")
    return message(inner) if inner is not None else {"role": "assistant", "parts": list(content_parts(field(choice, "text")))}


def _parts_of_message(item: Any) -> Iterator[Message]:
    if thought := text(field(item, "reasoning_content")) or text(field(item, "reasoning")):
        yield {"type": "reasoning", "content": thought}
    yield from content_parts(field(item, "content"))
    if refusal := text(field(item, "refusal")):
        yield {"type": "refusal", "content": refusal}
    for call in items(field(item, "tool_calls")):
        yield _call(call)
    if (older := field(item, "function_call")) is not None and not items(field(item, "tool_calls")):  # some servers send both forms
        yield {"type": "tool_call", "name": text(field(older, "name")) or "", "arguments": parsed(field(older, "arguments"))}


def _call(call: Any) -> Message:
    kind = "custom" if field(call, "type") == "custom" else "function"
    arguments = at(call, kind, "arguments") if kind == "function" else at(call, kind, "input")
    return {"type": "tool_call", "id": text(field(call, "id")), "name": text(at(call, kind, "name")) or "", "arguments": parsed(arguments)}


def _parts_of_result(item: Any) -> Iterator[Message]:
    content = field(item, "content")
    answer = content if type(content) is str else list(content_parts(content))
    yield {"type": "tool_call_response", "id": text(field(item, "tool_call_id")), "response": answer}


def content_parts(content: Any) -> Iterator[Message]:
    """The parts of a message's content: a string, or a list of typed parts."""
    if text(content):
        yield _text(content)
    for part in items(content):
        kind = text(field(part, "type")) or "text"
        yield PARTS.get(kind, _other)(part)


def _text(content: str) -> Message:
    return {"type": "text", "content": content}


def _other(part: Any) -> Message:
    return {"type": text(field(part, "type")) or "unknown"}


def _text_part(part: Any) -> Message:
    return _text(text(field(part, "text")) or "")


def _image_part(part: Any) -> Message:
    image = field(part, "image_url")
    url = text(image) or text(field(image, "url"))
    return _at_url(url, "image") if url else {"type": "file", "modality": "image", "file_id": text(field(part, "file_id")) or ""}


def _at_url(url: str, modality: str) -> Message:
    if not url.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": url}
    head, _, content = url.partition(",")
    return {"type": "blob", "modality": modality, "mime_type": head[len("data:") :].partition(";")[0], "content": content}


def _audio_part(part: Any) -> Message:
    audio = field(part, "input_audio")
    return {"type": "blob", "modality": "audio", "mime_type": f"audio/{text(field(audio, 'format'))}", "content": text(field(audio, "data")) or ""}


def _file_part(part: Any) -> Message:
    file = field(part, "file") or part
    if data := text(field(file, "file_data")):
        return _at_url(data, "document") if data.startswith("data:") else {"type": "blob", "modality": "document", "content": data}
    if url := text(field(file, "file_url")):
        return _at_url(url, "document")
    return {"type": "file", "modality": "document", "file_id": text(field(file, "file_id")) or ""}


def _refusal_part(part: Any) -> Message:
    return {"type": "refusal", "content": text(field(part, "refusal")) or ""}


PARTS = {
    "text": _text_part,
    "input_text": _text_part,
    "output_text": _text_part,
    "image_url": _image_part,
    "input_image": _image_part,
    "input_audio": _audio_part,
    "file": _file_part,
    "input_file": _file_part,
    "refusal": _refusal_part,
}
