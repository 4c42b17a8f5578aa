"""An OTLP/HTTP endpoint in a process of its own, so that taking costs the measured program nothing; it counts when asked.

Prints its port. `POST` anything is taken; `GET /counts` gives the items taken by signal, as JSON, and forgets them.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

ITEMS = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    lock = threading.Lock()
    taken: list[tuple[str, str, str, bytes]] = []  # noqa: RUF012 - one process, one list

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.headers.get("Content-Type", "")
        with self.lock:
            self.taken.append((self.path.rstrip("/").rpartition("/")[2], kind, self.headers.get("Content-Encoding", ""), body))
        self.answer(b"{}" if "json" in kind else b"", kind)

    def do_GET(self) -> None:
        with self.lock:
            taken = list(self.taken)
            self.taken.clear()
        self.answer(json.dumps(counts(taken)).encode(), "application/json")

    def answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


def counts(taken: list[tuple[str, str, str, bytes]]) -> dict[str, Any]:
    """Items by signal, and the sorted attributes of each span name."""
    found: dict[str, Any] = {"traces": 0, "logs": 0, "metrics": 0, "attributes": {}}
    for signal, kind, encoding, body in taken:
        outer, inner, name = ITEMS[signal]
        content = content_of(signal, kind, gzip.decompress(body) if encoding == "gzip" else body)
        items = [item for resource in content.get(outer, []) for scope in resource.get(inner, []) for item in scope.get(name, [])]
        found[signal] += len(items)
        if signal == "traces":
            found["attributes"] |= {item["name"]: sorted(pair["key"] for pair in item.get("attributes", [])) for item in items}
    return found


def content_of(signal: str, kind: str, body: bytes) -> dict[str, Any]:
    if "json" in kind:
        return dict(json.loads(body))
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    kinds = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest, "metrics": ExportMetricsServiceRequest}
    return dict(MessageToDict(kinds[signal].FromString(body)))


class Sink:
    """The endpoint as the measuring process sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def counts(self) -> dict[str, Any]:
        """What was taken since the last question."""
        with urllib.request.urlopen(f"{self.url}/counts", timeout=60) as answer:
            return dict(json.load(answer))


@contextmanager
def served(script: Path, *arguments: str) -> Iterator[str]:
    """Run a server script in a process of its own; gives the first line that it prints."""
    with Popen([sys.executable, str(script), *arguments], stdout=PIPE, text=True) as process:
        assert process.stdout is not None  # asked for
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@contextmanager
def sink() -> Iterator[Sink]:
    with served(Path(__file__)) as port:
        yield Sink(f"http://127.0.0.1:{port}")


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
