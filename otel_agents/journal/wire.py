"""Sends one request to an OTLP/HTTP endpoint and interprets the answer. Never reveals a header's value or a URL's user-info."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import sys
import time
import zlib
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import orjson

from otel_agents.config import import_lock
from otel_agents.journal.protobuf import REJECTED, message, undecodable

if TYPE_CHECKING:
    from email.message import Message

    from otel_agents.config.settings import Endpoint

Verdict = Literal["accepted", "later", "refused", "unsupported", "too_large", "poison"]
CONTENT = {"http/json": "application/json", "http/protobuf": "application/x-protobuf"}
VERDICTS: dict[int, Verdict] = {400: "poison", 404: "unsupported", 408: "later", 413: "too_large", 415: "unsupported", 422: "poison", 429: "later"}
ANSWER_BYTES = 2**16
GZIP = 31  # wbits for the gzip format; the gzip module would import more
LONGEST_WAIT = 300.0  # seconds; longer Retry-After values are capped


class Answer(NamedTuple):
    """The result of a request: accepted, later (try again unchanged), refused (the endpoint accepts nothing from us), or what is wrong with the request."""

    verdict: Verdict
    what: str  # for people: our own fixed phrases, never the server's text
    retry_after: float | None = None  # seconds
    rejected: int = 0  # items that an accepted request lost


class Http:
    """A persistent connection to one signal's URL. protocol: "http/json" or "http/protobuf"."""

    def __init__(self, signal: str, endpoint: Endpoint, protocol: str) -> None:
        self._signal, self._endpoint, self.protocol = signal, endpoint, protocol
        self._url = urlsplit(endpoint.url)
        self._connection: http.client.HTTPConnection | None = None
        self._socket_is: tuple[int, int] | None = None

    @cached_property
    def _proxy(self) -> SplitResult | None:
        return proxy_of(self._url)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return tls(self._endpoint)

    def address(self) -> tuple[str, int]:
        """Host and port to connect to: the proxy's, if there is one."""
        return address_of(self._proxy or self._url)

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send one request; every outcome is returned as an Answer. timeout: seconds for the whole exchange."""
        deadline = time.monotonic() + timeout
        if self._endpoint.compression == "gzip":
            body = zlib.compress(body, 1, wbits=GZIP)
        reused = self._connection is not None
        try:
            return self._exchange(body, deadline)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self.close()
            if not reused:  # a reused connection may just have timed out; a new one was rejected
                return Answer("later", described_error(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return Answer("later", described_error(error))
        return self._post_anew(body, deadline)

    def _post_anew(self, body: bytes, deadline: float) -> Answer:
        try:
            return self._exchange(body, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return Answer("later", described_error(error))

    def _exchange(self, body: bytes, deadline: float) -> Answer:
        connection = self._connected(deadline)
        try:
            connection.request("POST", self._target(), body, self._headers())
        except (BrokenPipeError, ConnectionResetError):  # it may have answered before it had read everything (413)
            if connection.sock is None:
                raise
        sock = connection.sock  # the connection drops it when the server asks to close
        set_timeout(sock, deadline)
        response = connection.getresponse()
        content = read(response, sock, deadline)
        answer = answer_of(self._signal, response.status, response.headers, content)
        if response.will_close or not response.isclosed():
            self.close()
        return answer

    def _connected(self, deadline: float) -> http.client.HTTPConnection:
        if self._connection is not None and not self._is_our_socket():
            self._disown()
        if self._connection is None:
            self._connection = self._new_connection(max(0.001, deadline - time.monotonic()))
            self._connection.connect()
            self._socket_is = identity(self._connection.sock.fileno())
        set_timeout(self._connection.sock, deadline)
        return self._connection

    def _new_connection(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self.address()
        if self._url.scheme != "https":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        if self._proxy:
            connection.set_tunnel(*address_of(self._url), headers=authorization("Proxy-Authorization", self._proxy))
        return connection

    def _target(self) -> str:
        path = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        host, port = address_of(self._url)
        return f"http://{bracketed(host)}:{port}{path}" if self._proxy and self._url.scheme != "https" else path

    def _headers(self) -> dict[str, str]:
        headers = {
            "Content-Type": CONTENT[self.protocol],
            "Accept": CONTENT[self.protocol],
            "User-Agent": "otel-agents",
            **authorization("Authorization", self._url),
        }
        if self._proxy and self._url.scheme != "https":
            headers |= authorization("Proxy-Authorization", self._proxy)
        if self._endpoint.compression == "gzip":
            headers["Content-Encoding"] = "gzip"
        return {**headers, **self._endpoint.headers}

    def _is_our_socket(self) -> bool:
        """Whether the descriptor is still our connection: a daemon may have closed it, and its number may be in use again."""
        sock = self._connection.sock if self._connection is not None else None
        return sock is None or identity(sock.fileno()) == self._socket_is

    def _disown(self) -> None:
        if self._connection is not None and self._connection.sock is not None:
            self._connection.sock.detach()
        self._connection = None

    def forget(self) -> None:
        """In a forked child: close only our copy of the descriptor. A buffer that a thread of the parent was reading stays locked for ever."""
        connection, self._connection = self._connection, None
        sock = connection.sock if connection is not None else None
        if sock is not None and identity(sock.fileno()) == self._socket_is:
            os.close(sock.detach())

    def close(self) -> None:
        if self._connection is not None:
            if not self._is_our_socket():
                self._disown()
                return
            with suppress(OSError):
                self._connection.close()
        self._connection = None


def answer_of(signal: str, status: int, headers: Message, content: bytes) -> Answer:
    """What an HTTP answer means for the request (OTLP/HTTP, "Response")."""
    if 200 <= status < 300:
        return success(signal, headers.get("Content-Type") or "", content)
    if status in VERDICTS or status >= 500:
        return Answer(VERDICTS.get(status, "later"), f"HTTP {status}", retry_after(headers.get("Retry-After")))
    return Answer("refused", f"HTTP {status}" + (", a redirect, which is not followed" if 300 <= status < 400 else ""))


def success(signal: str, kind: str, content: bytes) -> Answer:
    if "html" in kind.lower() or content.lstrip()[:1] == b"<":
        return Answer("refused", "a web page instead of an OTLP answer")
    return Answer("accepted", "", rejected=rejected_items(signal, kind, content))


def rejected_items(signal: str, kind: str, content: bytes) -> int:
    """How many items a partial success rejected."""
    name = REJECTED[signal]
    try:
        if "protobuf" in kind:
            answer = message(signal, "Response")
            answer.ParseFromString(content)
            return max(0, int(getattr(answer.partial_success, name)))
        partial = orjson.loads(content).get("partialSuccess") or {}
        return max(0, int(partial.get("".join(part if not at else part.title() for at, part in enumerate(name.split("_"))), 0)))
    except (ValueError, TypeError, AttributeError, undecodable()):  # an empty or unknown body reports no loss
        return 0


def retry_after(given: str | None) -> float | None:
    """Seconds requested by a Retry-After header, in either form."""
    if not given:
        return None
    try:
        seconds = float(given) if given.strip().isdigit() else parsedate_to_datetime(given).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_WAIT)


def described_error(error: Exception) -> str:
    """A failed exchange as a fixed phrase."""
    return next((words for kind, words in FAILURES if isinstance(error, kind)), f"connection failed ({type(error).__name__})")


FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "connection refused"),
    (TimeoutError, "no answer in time"),
    (ssl.SSLCertVerificationError, "the certificate is not trusted"),
    (ssl.SSLError, "TLS failed"),
    (socket.gaierror, "the host name can't be resolved"),
    (ConnectionError, "connection cut"),
    (http.client.HTTPException, "no HTTP answer"),
    (FileNotFoundError, "a certificate or key file is missing"),
)


def identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def set_timeout(sock: socket.socket | None, deadline: float) -> None:
    """Limit the next socket operation to the time left until the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    if sock is not None:
        sock.settimeout(left)


def read(response: http.client.HTTPResponse, sock: socket.socket, deadline: float) -> bytes:
    """The start of the body, read within the deadline however slowly it arrives."""
    content = b""
    while len(content) < ANSWER_BYTES:
        set_timeout(sock, deadline)
        part = response.read1(ANSWER_BYTES)
        if not part:
            break
        content += part
    if response.length == 0:
        response.close()  # read completely: the connection can be reused
    return content


def proxy_of(url: SplitResult) -> SplitResult | None:
    """The proxy for the URL according to the environment."""
    if not may_name_proxies(os.environ):
        return None
    with import_lock.imports:
        from urllib.request import getproxies, proxy_bypass
    given = getproxies().get(url.scheme)
    if not given or proxy_bypass(url.hostname or ""):
        return None
    return urlsplit(given if "://" in given else f"http://{given}")


def may_name_proxies(environ: Mapping[str, str]) -> bool:
    """Whether urllib.request is worth importing: macOS and Windows have proxy settings of their own, elsewhere only variables count."""
    return sys.platform in ("darwin", "win32") or any(name.lower().endswith("_proxy") for name in environ)


def address_of(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "localhost", url.port or (443 if url.scheme == "https" else 80)


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def authorization(header: str, url: SplitResult) -> dict[str, str]:
    """The URL's user-info as a basic-authentication header."""
    if url.username is None:
        return {}
    given = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return {header: f"Basic {b64encode(given.encode()).decode()}"}


def tls(endpoint: Endpoint) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=endpoint.certificate or None)
    if endpoint.client_certificate:
        context.load_cert_chain(endpoint.client_certificate, endpoint.client_key or None)
    return context


def connects(address: tuple[str, int], timeout: float) -> bool:
    """Whether a TCP connection is established within `timeout` seconds."""
    try:
        socket.create_connection(address, max(0.001, timeout)).close()
    except OSError:
        return False
    return True
