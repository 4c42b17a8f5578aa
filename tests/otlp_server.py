"""A programmable OTLP receiver on loopback: real HTTP and gRPC, which records what it took and can refuse, hang, cut, and answer anything."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

REQUESTS = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}
RESPONSES = {
    "traces": trace_service_pb2.ExportTraceServiceResponse,
    "logs": logs_service_pb2.ExportLogsServiceResponse,
    "metrics": metrics_service_pb2.ExportMetricsServiceResponse,
}
ITEMS = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}
GRPC_SERVICES = {"trace": "traces", "logs": "logs", "metrics": "metrics"}


@dataclass
class Request:
    """One request as it came: the body is unpacked, `content` is the request as OTLP/JSON."""

    signal: str
    path: str
    headers: dict[str, str]
    body: bytes
    content: dict[str, Any]
    at: float = field(default_factory=time.monotonic)

    @property
    def items(self) -> list[dict[str, Any]]:
        outer, inner, name = ITEMS[self.signal]
        return [item for element in self.content.get(outer, []) for scope in element.get(inner, []) for item in scope.get(name, [])]


@dataclass
class Reply:
    """What the receiver does with a request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # None: an empty OTLP answer in the request's format; with another grpc_code than OK its details
    takes: bool | None = None  # whether the items count as taken; None: by the status
    cuts: bool = False  # close the connection instead of an answer
    hangs: bool = False  # answer only when the receiver is closed
    drips_s: float = 0.0  # seconds between two bytes of the body
    grpc_code: str = "OK"

    @property
    def is_taken(self) -> bool:
        return self.takes if self.takes is not None else 200 <= self.status < 300 and self.grpc_code == "OK" and not (self.cuts or self.hangs)


OK = Reply()


class Receiver:
    """`answer` decides over each request; `taken` are those that were accepted, `requests` all."""

    def __init__(self, answer: Callable[[Request], Reply] = lambda request: OK) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self.url = ""

    def decide(self, request: Request) -> Reply:
        with self.changed:
            reply = self.answer(request)
            self.requests.append(request)
            if reply.is_taken:
                self.taken.append(request)
            self.changed.notify_all()
        return reply

    def items(self, signal: str) -> list[dict[str, Any]]:
        with self.changed:
            return [item for request in self.taken if request.signal == signal for item in request.items]

    def names(self, signal: str = "traces") -> list[str]:
        """Names of the taken spans or metrics, or bodies of the taken logs, sorted."""
        return sorted(item["name"] if "name" in item else item["body"]["stringValue"] for item in self.items(signal))

    def wait_for(self, done: Callable[[], bool], timeout: float = 10.0) -> bool:
        with self.changed:
            return self.changed.wait_for(done, timeout)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes
    receiver: ClassVar[Receiver]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        reply = self.receiver.decide(self.request_of(body))
        if reply.hangs:
            self.receiver.closing.wait()
        if reply.hangs or reply.cuts:
            self.close_connection = True
            return
        self.write(reply)

    def request_of(self, body: bytes) -> Request:
        signal = self.path.partition("?")[0].rstrip("/").rsplit("/", 1)[-1]
        if self.headers.get("Content-Type") == "application/json":
            return Request(signal, self.path, dict(self.headers), body, json.loads(body))
        return Request(signal, self.path, dict(self.headers), body, json_format.MessageToDict(REQUESTS[signal].FromString(body)))

    def write(self, reply: Reply) -> None:
        kind = self.headers.get("Content-Type") or ""
        body = reply.body if reply.body is not None else b"{}" if "json" in kind else b""
        self.send_response(reply.status)
        for name, value in {"Content-Type": kind, **reply.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for at in range(len(body) if reply.drips_s else 0):
                self.wfile.write(body[at : at + 1])
                if self.receiver.closing.wait(reply.drips_s):
                    return
            if not reply.drips_s:
                self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def http_receiver(answer: Callable[[Request], Reply] = lambda request: OK, *, port: int = 0, tls: Any = None) -> Iterator[Receiver]:
    """A receiver over HTTP (with an ssl.SSLContext: HTTPS); `receiver.url` is its base URL."""
    receiver = Receiver(answer)
    server = Server(("127.0.0.1", port), type("Bound", (Handler,), {"receiver": receiver}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if tls is not None else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_receiver(answer: Callable[[Request], Reply] = lambda request: OK) -> Iterator[Receiver]:
    """A receiver over gRPC; `receiver.url` is what OTEL_EXPORTER_OTLP_ENDPOINT would be."""
    import grpc

    receiver = Receiver(answer)

    class Services(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
        def service(self, details: Any) -> Any:
            signal = GRPC_SERVICES[details.method.split(".proto.collector.")[1].split(".")[0]]
            return grpc.unary_unary_rpc_method_handler(lambda body, context: call(signal, body, context))

    def call(signal: str, body: bytes, context: Any) -> bytes:
        request = Request(signal, "grpc", dict(context.invocation_metadata()), body, json_format.MessageToDict(REQUESTS[signal].FromString(body)))
        reply = receiver.decide(request)
        if reply.grpc_code != "OK":
            context.set_trailing_metadata(tuple(reply.headers.items()))
            context.abort(getattr(grpc.StatusCode, reply.grpc_code), (reply.body or b"as the test says").decode())
        return reply.body or RESPONSES[signal]().SerializeToString()

    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Services(),))
    receiver.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(None).wait()


@contextmanager
def closed_port() -> Iterator[str]:
    """The URL of a port on which nobody listens, held for the time of the test."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
