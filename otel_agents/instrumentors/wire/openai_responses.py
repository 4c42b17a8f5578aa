"""OpenAI's responses API, mapped to the conventions: pure functions, and the assembly of its event stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from otel_agents import semconv
from otel_agents.instrumentors.objects import Parameters, at, decimal, field, items, parameters, parsed, text, whole
from otel_agents.instrumentors.wire.openai_chat import Message, content_parts, output_type, tool_definitions, usage

PARAMETERS: Parameters = (
    ("model", semconv.REQUEST_MODEL, text),
    ("max_output_tokens", semconv.REQUEST_MAX_TOKENS, whole),
    ("temperature", semconv.REQUEST_TEMPERATURE, decimal),
    ("top_p", semconv.REQUEST_TOP_P, decimal),
    ("stream", semconv.REQUEST_STREAM, lambda stream: stream is True or None),
    ("reasoning", semconv.REQUEST_REASONING_LEVEL, lambda reasoning: text(field(reasoning, "effort"))),
    ("previous_response_id", semconv.REQUEST_PREVIOUS_RESPONSE_ID, text),
    ("conversation", semconv.CONVERSATION_ID, lambda conversation: text(conversation) or text(field(conversation, "id"))),
    ("service_tier", semconv.OPENAI_REQUEST_SERVICE_TIER, lambda tier: text(tier) if tier != "auto" else None),
    ("text", semconv.OUTPUT_TYPE, lambda wanted: output_type(field(wanted, "format"))),
    ("text_format", semconv.OUTPUT_TYPE, output_type),
    ("prompt", semconv.PROMPT_NAME, lambda prompt: text(field(prompt, "id"))),
)
FETCH_PARAMETERS: Parameters = (
    ("response_id", semconv.RESPONSE_ID, text),
    ("starting_after", semconv.REQUEST_STREAM_CURSOR, lambda cursor: str(cursor) if type(cursor) is int else None),
)
INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
FAILED = frozenset({"failed", "cancelled"})
OPEN = frozenset({"queued", "in_progress"})

# output items that the program has to execute, and the field that holds their arguments
CLIENT_CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "computer_call": "action",
    "local_shell_call": "action",
    "shell_call": "action",
    "apply_patch_call": "operation",
}
FINAL_EVENTS = frozenset({"response.completed", "response.failed", "response.incomplete"})


# ------------------------------------------------------------------------------------------------ request and response


def request(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `create` and `parse`."""
    found = parameters(values, PARAMETERS)
    return found | {semconv.PROMPT_VERSION: text(field(values.get("prompt"), "version")) if semconv.PROMPT_NAME in found else None}


def fetch_request(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `retrieve`."""
    return parameters(values, FETCH_PARAMETERS)


def response(answer: Any) -> dict[str, Any]:
    """Identity, finish reason and usage of a response."""
    compacted = any(field(item, "type") == "compaction" for item in items(field(answer, "output")))
    return {
        semconv.RESPONSE_ID: text(field(answer, "id")),
        semconv.RESPONSE_MODEL: text(field(answer, "model")),
        semconv.RESPONSE_FINISH_REASONS: finish_reasons(answer),
        semconv.CONVERSATION_ID: text(at(answer, "conversation", "id")),
        semconv.CONVERSATION_COMPACTED: compacted or None,
        semconv.OPENAI_RESPONSE_SERVICE_TIER: text(field(answer, "service_tier")),
        **usage(field(answer, "usage")),
    }


def fetched(answer: Any) -> dict[str, Any]:
    """The attributes of a response that is only retrieved: its tokens were counted when it was created."""
    return {
        semconv.RESPONSE_MODEL: text(field(answer, "model")),
        semconv.RESPONSE_STATUS: text(field(answer, "status")),
        semconv.RESPONSE_FINISH_REASONS: finish_reasons(answer),
    }


def finish_reasons(answer: Any) -> list[str] | None:
    """The finish reason of the response's only choice; None while it runs in the background."""
    status = text(field(answer, "status")) or "completed"
    if status in OPEN:
        return None
    if status in FAILED:
        return ["error"]
    if status == "incomplete":
        return [INCOMPLETE.get(at(answer, "incomplete_details", "reason") or "", "length")]
    kinds = {field(item, "type") for item in items(field(answer, "output"))}
    return ["tool_call" if kinds & CLIENT_CALLS.keys() else "compaction" if kinds == {"compaction"} else "stop"]


# ------------------------------------------------------------------------------------------------ content


def input_content(values: Mapping[str, Any]) -> dict[str, Any]:
    """Instructions, input items, tools and the variables of a prompt template."""
    instructions, variables = values.get("instructions"), field(values.get("prompt"), "variables")
    return {
        semconv.SYSTEM_INSTRUCTIONS: [{"type": "text", "content": instructions}] if text(instructions) else None,
        semconv.INPUT_MESSAGES: list(_inputs(values.get("input"))),
        semconv.TOOL_DEFINITIONS: tool_definitions(values.get("tools")) or None,
        **{f"{semconv.PROMPT_VARIABLE}.{name}": text(value) for name, value in (variables if type(variables) is dict else {}).items()},
    }


def output_content(answer: Any) -> dict[str, Any]:
    """The output items as one message."""
    parts = [part for item in items(field(answer, "output")) for part in item_parts(item)]
    return {semconv.OUTPUT_MESSAGES: [{"role": "assistant", "parts": parts}] if parts else []}


def _inputs(given: Any) -> Iterator[Message]:
    if text(given):
        yield {"role": "user", "parts": [{"type": "text", "content": given}]}
    for item in items(given):
        yield {"role": _role(item), "parts": list(item_parts(item))}


def _role(item: Any) -> str:
    kind = text(field(item, "type")) or "message"
    return "tool" if kind.endswith("_output") else text(field(item, "role")) or ("user" if kind == "message" else "assistant")


def item_parts(item: Any) -> Iterator[Message]:
    """The parts of one input or output item."""
    kind = text(field(item, "type")) or "message"
    if kind in CLIENT_CALLS:
        yield _client_call(item, kind)
    elif kind.endswith("_output"):
        yield {"type": "tool_call_response", "id": text(field(item, "call_id")), "response": _result(field(item, "output"))}
    elif kind.endswith("_call"):
        yield _server_call(item, kind)
    else:
        yield from ITEMS.get(kind, _other)(item)


def _client_call(item: Any, kind: str) -> Message:
    name = text(field(item, "name")) or kind.removesuffix("_call")
    call = {"type": "tool_call", "id": text(field(item, "call_id")) or text(field(item, "id")), "name": name}
    arguments = parsed(field(item, CLIENT_CALLS[kind]))
    return call | {"arguments": arguments if type(arguments) in (dict, list, str) else None}


def _server_call(item: Any, kind: str) -> Message:
    name = text(field(item, "name")) or kind.removesuffix("_call")
    detail = {"type": kind} | ({"arguments": parsed(arguments)} if (arguments := text(field(item, "arguments"))) else {})
    return {"type": "server_tool_call", "id": text(field(item, "id")), "name": name, "server_tool_call": detail}


def _result(output: Any) -> Any:
    return list(content_parts(output)) if type(output) is list else output if type(output) is str else None


def _message(item: Any) -> Iterator[Message]:
    return content_parts(field(item, "content"))


def _reasoning(item: Any) -> Iterator[Message]:
    pieces = [text(field(part, "text")) for part in (*items(field(item, "content")), *items(field(item, "summary")))]
    if thought := "\n".join(piece for piece in pieces if piece):
        yield {"type": "reasoning", "content": thought}


def _compaction(item: Any) -> Iterator[Message]:
    yield {"type": "compaction", "id": text(field(item, "id"))}


def _other(item: Any) -> Iterator[Message]:
    yield {"type": text(field(item, "type")) or "unknown"}


ITEMS = {"message": _message, "reasoning": _reasoning, "compaction": _compaction}


# ------------------------------------------------------------------------------------------------ streams


class ResponseEvents:
    """Collects events; `response()` is the final response. If the stream was cut, it is a failed one with the items and text received so far."""

    def __init__(self) -> None:
        self._response: Any = None
        self._ended = False
        self._items: list[Any] = []
        self._pieces: list[str] = []

    def add(self, event: Any) -> None:
        kind = field(event, "type")
        if kind == "response.output_text.delta":
            self._pieces.append(text(field(event, "delta")) or "")
        elif kind == "response.output_item.done":
            self._items.append(field(event, "item"))
            self._pieces.clear()
        elif (snapshot := field(event, "response")) is not None:
            self._response, self._ended = snapshot, kind in FINAL_EVENTS

    def response(self) -> Any:
        if self._ended:
            return self._response
        cut = [{"type": "message", "content": "".join(self._pieces)}] if self._pieces else []
        known = {name: field(self._response, name) for name in ("id", "model", "conversation", "service_tier")}
        return {**known, "status": "failed", "output": [*self._items, *cut]}
