"""The demo's model: an OpenAI-compatible server on loopback that speaks the real protocol but follows a script, so that no API key and no network is needed.

It streams, calls tools, reports token usage (with cached tokens from the second request of a conversation on), and rejects the very first request with a 429.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Json = dict[str, Any]
QUESTIONS = ("What should I pack for a weekend in Lisbon?", "Which trains go there from Madrid?")
ANSWERS = (
    "Three days of sun with windy evenings, up to 21 °C and down to 12 °C at night. Pack light layers and comfortable shoes for the hills. "
    "You feel the cold, so add a warm sweater and a scarf for the evenings.",
    "By train, as you prefer: one leaves at 07:40 and a night train at 21:43; each takes about 10 h 20 m. I would take the night train and win a day.",
)
FIRST_CALLS = ((("weather", {"city": "Lisbon"}),), (("trains", {"origin": "Madrid", "destination": "Lisbon"}),))
CHARACTERS_PER_TOKEN = 4
THINKING_S, PAUSE_S = 0.12, 0.012


class Model:
    """The script. Its answers depend on the messages only, as with a real model."""

    def __init__(self) -> None:
        self.is_busy = True
        self.seen = ""

    def refuses(self) -> bool:
        """Whether to reject this request with a 429: only the first one, so that a client that retries is served."""
        was_busy, self.is_busy = self.is_busy, False
        return was_busy

    def answer(self, messages: list[Json]) -> tuple[str, list[Json]]:
        """Text and tool calls: first call a tool, call it again if it failed, then answer."""
        turn = max(0, sum(message["role"] == "user" for message in messages) - 1) % len(ANSWERS)
        last = messages[-1]
        if last["role"] != "tool":
            return "", [call(name, arguments, len(messages)) for name, arguments in FIRST_CALLS[turn]]
        if str(last.get("content", "")).startswith("failed"):
            name, arguments = FIRST_CALLS[turn][-1]
            return "", [call(name, arguments, len(messages))]
        return ANSWERS[turn], []

    def usage(self, messages: list[Json], text: str, calls: list[Json]) -> Json:
        """Token counts, about one per four characters; the prefix shared with the previous request counts as cached, in multiples of 16."""
        sent = json.dumps(messages)
        again = shared_prefix(sent, self.seen)
        self.seen = sent
        given, came = len(sent) // CHARACTERS_PER_TOKEN, (len(text) + len(json.dumps(calls))) // CHARACTERS_PER_TOKEN
        cached = again // CHARACTERS_PER_TOKEN // 16 * 16
        return {
            "prompt_tokens": given,
            "completion_tokens": came,
            "total_tokens": given + came,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def call(name: str, arguments: Json, number: int) -> Json:
    return {"id": f"call_{number}_{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def shared_prefix(one: str, other: str) -> int:
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


# ------------------------------------------------------------------------------------------------ the protocol


def choices(text: str, calls: list[Json]) -> Iterator[tuple[Json, str | None]]:
    """The deltas of one streamed answer, the last with its finish reason."""
    yield {"role": "assistant", "content": None if calls else ""}, None
    for word in text.split(" ") if text else ():
        yield {"content": f"{word} "}, None
    for index, one in enumerate(calls):
        yield {"tool_calls": [{"index": index, **one}]}, None
    yield {}, "tool_calls" if calls else "stop"


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.model = Model()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect (Ctrl-C)."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        if not self.path.endswith("/chat/completions"):
            self.body(404, {"error": {"message": f"no such path: {self.path}", "type": "invalid_request_error"}})
        elif self.server.model.refuses():
            self.body(429, {"error": {"message": "Rate limit reached, try again in 0.2 s", "type": "requests", "code": "rate_limit_exceeded"}})
        else:
            self.reply(request, request["messages"])

    def reply(self, request: Json, messages: list[Json]) -> None:
        time.sleep(THINKING_S)
        model = self.server.model
        text, calls = model.answer(messages)
        usage, about = model.usage(messages, text, calls), {"id": f"chatcmpl-{len(messages)}", "created": int(time.time()), "model": request["model"]}
        if request.get("stream"):
            self.stream(about | {"object": "chat.completion.chunk"}, text, calls, usage if (request.get("stream_options") or {}).get("include_usage") else None)
        else:
            message = {"role": "assistant", "content": text or None} | ({"tool_calls": calls} if calls else {})
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
            self.body(200, about | {"object": "chat.completion", "choices": [choice], "usage": usage})

    def stream(self, about: Json, text: str, calls: list[Json], usage: Json | None) -> None:
        self.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for delta, reason in choices(text, calls):
            self.event(json.dumps(about | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}))
            time.sleep(PAUSE_S)
        if usage is not None:
            self.event(json.dumps(about | {"choices": [], "usage": usage}))
        self.event("[DONE]")
        self.chunk(b"")

    def event(self, data: str) -> None:
        self.chunk(f"data: {data}\n\n".encode())

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def body(self, status: int, content: Json) -> None:
        data = json.dumps(content).encode()
        self.head(status, {"content-type": "application/json", "content-length": str(len(data)), "retry-after-ms": "200"})
        self.wfile.write(data)

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the output belongs to the program."""


class ScriptedModel:
    """The running server: `with ScriptedModel() as model:` and `model.base_url`."""

    def __init__(self) -> None:
        self._http = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
