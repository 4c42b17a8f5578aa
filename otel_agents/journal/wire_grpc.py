"""Sends one request to an OTLP/gRPC endpoint; needs the extra `otel-agents[grpc]`, which is imported for the first request."""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_agents.config import import_lock
from otel_agents.journal.protobuf import REJECTED, SERVICE, message
from otel_agents.journal.wire import Answer, Verdict, authorization
from otel_agents.redaction.urls import split

if TYPE_CHECKING:
    from otel_agents.config.settings import Endpoint

MISSING = "OTLP over gRPC needs grpcio, which is not installed: pip install 'otel-agents[grpc]', or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
VERDICTS: dict[str, Verdict] = {
    "INVALID_ARGUMENT": "poison",
    "UNAUTHENTICATED": "refused",
    "PERMISSION_DENIED": "refused",
    "UNIMPLEMENTED": "refused",
    "NOT_FOUND": "refused",
}
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 1)]


class GrpcMissing(ImportError):
    """grpcio is not installed."""


def grpcio() -> Any:
    try:
        with import_lock.imports:
            import grpc
    except ImportError as error:
        raise GrpcMissing(MISSING) from error
    return grpc


class Grpc:
    """A channel to one endpoint for one signal, with the interface of `wire.Http`."""

    protocol = "grpc"

    def __init__(self, signal: str, endpoint: Endpoint, protocol: str = "grpc") -> None:
        self._signal, self._endpoint = signal, endpoint
        self._url = split(endpoint.url)
        self._channel: Any = None
        self._inherited: Any = None

    def address(self) -> tuple[str, int]:
        return self._url.hostname or "localhost", self._url.port or 4317

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send one serialised request; every outcome is returned as an Answer. timeout: seconds."""
        try:
            grpc = grpcio()
        except GrpcMissing as missing:
            return Answer("refused", str(missing))
        try:
            content = self._call(grpc)(body, timeout=timeout, metadata=metadata(self._endpoint), compression=self._compression(grpc))
        except grpc.RpcError as error:
            return self._failed(error)
        except OSError as error:
            return Answer("refused", f"a certificate or key file can't be read ({error.strerror})")
        return Answer("accepted", "", rejected=self._rejected(content))

    def _call(self, grpc: Any) -> Any:
        if self._channel is None:
            self._channel = self._open(grpc)
        name = SERVICE[self._signal]
        path = f"/opentelemetry.proto.collector.{name}.v1.{name.title()}Service/Export"
        return self._channel.unary_unary(path, request_serializer=None, response_deserializer=None)

    def _open(self, grpc: Any) -> Any:
        host, port = self.address()
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if self._is_plain():
            return grpc.insecure_channel(target, OPTIONS)
        files = (self._endpoint.certificate, self._endpoint.client_key, self._endpoint.client_certificate)
        return grpc.secure_channel(target, grpc.ssl_channel_credentials(*(Path(file).read_bytes() if file else None for file in files)), OPTIONS)

    def _is_plain(self) -> bool:
        """The scheme decides; without one, the setting `insecure` (OTLP exporter specification)."""
        return self._url.scheme != "https" if self._url.scheme else bool(self._endpoint.insecure)

    def _compression(self, grpc: Any) -> Any:
        return grpc.Compression.Gzip if self._endpoint.compression == "gzip" else grpc.Compression.NoCompression

    def _rejected(self, content: bytes) -> int:
        answer = message(self._signal, "Response")
        answer.ParseFromString(content)
        return max(0, int(getattr(answer.partial_success, REJECTED[self._signal])))

    def _failed(self, error: Any) -> Answer:
        code = error.code().name
        if code == "RESOURCE_EXHAUSTED" and "larger than max" in (error.details() or ""):
            return Answer("too_large", f"gRPC {code}")
        return Answer(VERDICTS.get(code, "later"), f"gRPC {code}", retry_delay(error))

    def forget(self) -> None:
        """In a forked child: leave the parent's channel alone; closing it would wait for threads that the child does not have."""
        self._inherited, self._channel = self._channel, None

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = None


def metadata(endpoint: Endpoint) -> tuple[tuple[str, str], ...]:
    """The endpoint's headers and its user-info as gRPC metadata."""
    headers = {**authorization("authorization", split(endpoint.url)), **endpoint.headers}
    return tuple((name.lower(), value) for name, value in headers.items())


def retry_delay(error: Any) -> float | None:
    """Seconds requested by the server's RetryInfo."""
    found = dict(error.trailing_metadata() or ()).get("google.rpc.retryinfo-bin")
    if found is None:
        return None
    with suppress(ImportError), import_lock.imports:
        info = importlib.import_module("google.rpc.error_details_pb2").RetryInfo()
        info.ParseFromString(found)
        return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None
