"""An OpenAI-compatible model server on loopback: real HTTP for real clients, scripted by the test, every request kept.

    with ModelServer() as server:
        server.will(error(429), chat("hello"))           # answers in this order; after them, a default for each path
        OpenAI(base_url=server.url, api_key="k").chat.completions.create(...)
        server.requests[-1].body["messages"]

A server without a script answers every endpoint it knows, streams when asked to and sends usage in a stream only when `include_usage` is set, as OpenAI does.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Json = dict[str, Any]

USAGE: Json = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
}
RESPONSE_USAGE: Json = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 18,
}
CREATED = 1_790_000_000
MODEL = "gpt-4o-mini-2024-07-18"
TEXT_COMPLETION: Json = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": "gpt-3.5-turbo-instruct"}
COMPACTION: Json = {"type": "compaction", "id": "cmp_1", "encrypted_content": "abc"}


@dataclass(frozen=True)
class Reply:
    """One answer: a body or server-sent events; `cut` breaks the connection after the events, `delay` and `pause` are seconds before it and between events."""

    body: Any = None
    status: int = 200
    events: Sequence[Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


# answers of the chat completions API


def chat(text: str | None = "hello", *, tool_calls: Sequence[Json] = (), finish_reason: str | None = None, usage: Json | None = USAGE, **extra: Any) -> Reply:
    """One chat completion with one choice; `extra` fields are added to the body (`choices` replaces them)."""
    message: Json = {"role": "assistant", "content": text, "refusal": None}
    if tool_calls:
        message["tool_calls"] = list(tool_calls)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason or ("tool_calls" if tool_calls else "stop")}
    body: Json = {"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": MODEL, "choices": [choice], "system_fingerprint": "fp_1"}
    return Reply(body | ({"usage": usage} if usage else {}) | {"service_tier": "default"} | extra)


def tool_call(name: str, arguments: Json | str, call_id: str = "call_1") -> Json:
    """One function call of an assistant's message."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)}}


def chat_stream(*pieces: str, tool_calls: Sequence[Json] = (), finish_reason: str | None = None, usage: Json | None = None, **reply: Any) -> Reply:
    """The same as server-sent events: role, text pieces, tool calls in fragments, finish reason, usage (last, with no choices)."""
    deltas: list[Json] = [{"role": "assistant", "content": "" if pieces else None}, *({"content": piece} for piece in pieces)]
    deltas += [delta for index, call in enumerate(tool_calls) for delta in _call_deltas(index, call)]
    events = [_chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]) for delta in deltas]
    events.append(_chunk([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish_reason or ("tool_calls" if tool_calls else "stop")}]))
    if usage:
        events.append(_chunk([]) | {"usage": usage})
    return Reply(events=[*events, "[DONE]"], **reply)


def _chunk(choices: list[Json]) -> Json:
    return {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": MODEL, "service_tier": "default", "system_fingerprint": "fp_1",
        "choices": choices,
    }  # fmt: skip


def _call_deltas(index: int, call: Json) -> Iterable[Json]:
    arguments = call["function"]["arguments"]
    half = len(arguments) // 2
    yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": {"name": call["function"]["name"], "arguments": ""}}]}
    for part in (arguments[:half], arguments[half:]):
        yield {"tool_calls": [{"index": index, "function": {"arguments": part}}]}


# answers of the older completions, embeddings


def completion(text: str = "hello", *, usage: Json | None = USAGE) -> Reply:
    """One legacy text completion."""
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "length"}
    return Reply(TEXT_COMPLETION | {"choices": [choice]} | ({"usage": usage} if usage else {}))


def completion_stream(*pieces: str, usage: Json | None = None) -> Reply:
    """The same as server-sent events."""
    last = len(pieces) - 1
    events: list[Any] = [
        TEXT_COMPLETION | {"choices": [{"index": 0, "text": piece, "logprobs": None, "finish_reason": "stop" if i == last else None}]}
        for i, piece in enumerate(pieces)
    ]
    return Reply(events=[*events, *([TEXT_COMPLETION | {"choices": [], "usage": usage}] if usage else []), "[DONE]"])


def embeddings(*vectors: Sequence[float], tokens: int = 5) -> Reply:
    """One embeddings answer; vectors as lists of floats (the client asks for base64, and takes lists too)."""
    data = [{"object": "embedding", "index": index, "embedding": list(vector)} for index, vector in enumerate(vectors or ([0.1, 0.2, 0.3],))]
    return Reply({"object": "list", "data": data, "model": "text-embedding-3-small", "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


# answers of the responses API


def response(text: str = "hello", **extra: Any) -> Reply:
    """One response; `extra` fields replace those of the body (`output`, `status`, `usage` …)."""
    return Reply(response_body(text, **extra))


def response_body(text: str = "hello", **extra: Any) -> Json:
    """The body of a response, for events that carry one."""
    body: Json = {
        "id": "resp_1", "object": "response", "created_at": CREATED, "status": "completed", "error": None, "incomplete_details": None, "instructions": None,
        "max_output_tokens": None, "model": "gpt-5-mini-2025-08-07", "output": [message(text)],
        "parallel_tool_calls": True, "previous_response_id": None, "reasoning": {"effort": None, "summary": None}, "store": True, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0, "truncation": "disabled", "usage": RESPONSE_USAGE, "user": None,
        "metadata": {}, "service_tier": "default",
    }  # fmt: skip
    return body | extra


def message(text: str) -> Json:
    """One output item: what the assistant said."""
    content = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [content]}


def function_call(name: str, arguments: Json, call_id: str = "call_1") -> Json:
    """One output item: a tool the model wants called."""
    return {"type": "function_call", "id": "fc_1", "call_id": call_id, "name": name, "arguments": json.dumps(arguments), "status": "completed"}


def response_stream(*pieces: str, **reply: Any) -> Reply:
    """One response as its events: created, item and part added, text deltas, done, completed (with usage)."""
    text = "".join(pieces)
    item = message(text) | {"status": "in_progress", "content": []}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    events: list[Json] = [
        {"type": "response.created", "response": response_body(output=[], status="in_progress", usage=None)},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part | {"text": text}},
        {"type": "response.output_item.done", "output_index": 0, "item": message(text)},
        {"type": "response.completed", "response": response_body(text)},
    ]
    return Reply(events=[event | {"sequence_number": number} for number, event in enumerate(events)], **reply)


# trouble

ERRORS = {400: "invalid_request_error", 401: "authentication_error", 404: "invalid_request_error", 429: "rate_limit_error"}


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI sends it; `retry_after_ms="1"` keeps a retrying client quick."""
    named = {name.replace("_", "-"): value for name, value in ({"retry_after_ms": "1"} | headers).items()}
    return Reply({"error": {"message": message, "type": ERRORS.get(status, "server_error"), "param": None, "code": code}}, status=status, headers=named)


def broken(reply: Reply, after: int) -> Reply:
    """The stream of `reply`, with the connection lost after so many events."""
    return replace(reply, events=list(reply.events or ())[:after], cut=True)


def failing(reply: Reply, after: int) -> Reply:
    """The stream of `reply`, with an error event after so many events."""
    return replace(reply, events=[*list(reply.events or ())[:after], {"error": {"message": "The server had an error", "type": "server_error", "code": None}}])


# the server


def _usage_asked(body: Json) -> Json | None:
    return USAGE if (body.get("stream_options") or {}).get("include_usage") else None


def _chat(body: Json) -> Reply:
    return chat_stream("hel", "lo", usage=_usage_asked(body)) if body.get("stream") else chat()


def _completion(body: Json) -> Reply:
    return completion_stream("hel", "lo", usage=_usage_asked(body)) if body.get("stream") else completion()


def _embeddings(body: Json) -> Reply:
    count = len(body["input"]) if isinstance(body.get("input"), list) else 1
    return embeddings(*([0.1, 0.2, 0.3],) * count)


def _response(body: Json) -> Reply:
    return response_stream("hel", "lo") if body.get("stream") else response()


DEFAULTS: dict[str, Callable[[Json], Reply]] = {
    "/chat/completions": _chat,
    "/completions": _completion,
    "/embeddings": _embeddings,
    "/responses": _response,
    "/responses/compact": lambda body: Reply(
        {"id": "resp_2", "object": "response.compaction", "created_at": CREATED, "usage": RESPONSE_USAGE, "output": [COMPACTION]}
    ),
    "/responses/resp_1": lambda body: response(),
}


class ModelServer:
    """The server; `url` is its base URL with `/v1`, `requests` what came, `will()` says what to answer next."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.script: deque[Reply] = deque()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def will(self, *replies: Reply) -> None:
        """Answer the next requests with these, in order."""
        self.script.extend(replies)

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        if self.script:
            return self.script.popleft()
        path = request.path.partition("?")[0]
        known = max((end for end in DEFAULTS if path.endswith(end)), key=len, default=None)
        return DEFAULTS[known](request.body or {}) if known else error(404, f"no such path: {path}")

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: ModelServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    timeout = 10
    server: _Http

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        self._send(self.server.owner.answer(Request(self.command, self.path, dict(self.headers), _parsed(raw))))

    do_GET = do_DELETE = do_POST

    def _send(self, reply: Reply) -> None:
        if reply.delay:
            time.sleep(reply.delay)
        if reply.events is None:
            self._send_body(reply, reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode())
        else:
            self._send_events(reply, reply.events)

    def _send_body(self, reply: Reply, body: bytes) -> None:
        self._head(reply, {"content-type": "application/json", "content-length": str(len(body))})
        self.wfile.write(body)

    def _send_events(self, reply: Reply, events: Sequence[Any]) -> None:
        self._head(reply, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for event in events:
            self._chunk(_event(event))
            time.sleep(reply.pause)
        if reply.cut:
            self.close_connection = True  # no last chunk: the client sees a body that ends too early
        else:
            self._chunk(b"")

    def _head(self, reply: Reply, headers: dict[str, str]) -> None:
        self.send_response(reply.status)
        for name, value in ({"x-request-id": "req_1"} | headers | reply.headers).items():
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `requests`, not stderr."""


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw


def _event(event: Any) -> bytes:
    if isinstance(event, (str, bytes)):
        return b"data: " + (event.encode() if isinstance(event, str) else event) + b"\n\n"
    name = f"event: {event['type']}\n" if isinstance(event, dict) and str(event.get("type", "")).startswith("response.") else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()
