"""OTEL_METRICS_EXPORTER=prometheus: a scrape endpoint, also where a server forks its workers. The names are those of opentelemetry-exporter-prometheus.

One process holds the port. Each process keeps its values in a file beside the journal, renewed every TICK_S seconds and at its end; whoever holds the port
serves its own values as they are now and the others' from their files. Every series has `job` and `instance` of its process, as Prometheus names
`service.name` and `service.instance.id`, so no value is hidden behind another and none is added up here. When the holder ends, the next process takes the port.
What a dead process has counted stays for KEEP_S seconds, so that its last values are scraped; its gauges go with it.
"""

from __future__ import annotations

import logging
import os
import selectors
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any

from otel_agents.telemetry.context import suppress_instrumentation
from otel_agents.telemetry.guard import guard

try:
    import fcntl

    HAS_LOCKS = True
except ImportError:
    HAS_LOCKS = False

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader
    from prometheus_client.core import CollectorRegistry, Metric

    from otel_agents.redaction.by_shape import Redact

logger = logging.getLogger("otel_agents")
HOST, PORT = "OTEL_EXPORTER_PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_PORT"
DEFAULT_HOST, DEFAULT_PORT = "localhost", 9464  # the specification's
TICK_S, KEEP_S, CLIENT_S = 2.0, 300.0, 5.0
NOT_INSTALLED = "OTEL_METRICS_EXPORTER=prometheus needs an extra: pip install 'otel-agents[prometheus]', or leave prometheus out"
NO_PORT = "otel-agents: %s=%s is not a port (0 to 65535); metrics are served at %s"
CANT_SERVE = "otel-agents: no metrics are served for Prometheus: %s:%s can't be used (%s). Set %s to a free port."
SERVING = "otel-agents: metrics of this process alone are served for Prometheus at http://%s:%s/metrics"


def problem() -> str | None:
    """What keeps the exporter from being used, and the fix; None where it is installed."""
    with suppress(ModuleNotFoundError):
        if find_spec("opentelemetry.exporter.prometheus") is not None:
            return None
    return NOT_INSTALLED


def address() -> tuple[str, int]:
    """Host and port that the variables name; 0 is any free port."""
    host, given = os.environ.get(HOST) or DEFAULT_HOST, os.environ.get(PORT) or str(DEFAULT_PORT)
    if given.isdecimal() and int(given) < 2**16:
        return host, int(given)
    logger.warning(NO_PORT, PORT, given, DEFAULT_PORT)
    return host, DEFAULT_PORT


class Endpoint:
    """This process's part in the scrape. instance: its `service.instance.id`; folder: where the files of this machine's processes lie."""

    def __init__(self, folder: Path, instance: str, redact: Redact) -> None:
        self._redact = redact
        self.host, self.port = address()
        self._place = folder / f"prometheus-{self.port}"
        self._is_shared = HAS_LOCKS and self.port != 0  # with other processes
        self._has_warned = False
        self._begin(instance)

    def _begin(self, instance: str) -> None:
        self._instance = instance
        self._registries: list[CollectorRegistry] = []
        self._server: TCPServer | None = None
        self._files: dict[str, int] = {}  # locked for as long as this process lives, or holds the port
        self._written = b""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None
        self._is_closed = False

    def reader(self) -> MetricReader:
        """A reader for one more provider of this process."""
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from prometheus_client.core import CollectorRegistry

        registry = CollectorRegistry(auto_describe=False)
        self._registries.append(registry)
        return PrometheusMetricReader(registry=registry)

    # ---------------------------------------------------------------------------------------- values

    def collect(self) -> Iterable[Metric]:
        """The values of all processes; called for each scrape."""
        from prometheus_client.parser import text_string_to_metric_families

        own = text_string_to_metric_families(self._own().decode())
        return merged([*own, *(family for text, is_alive in self._others() for family in text_string_to_metric_families(text) if is_alive or stays(family))])

    def _own(self) -> bytes:
        from prometheus_client.core import CollectorRegistry
        from prometheus_client.exposition import generate_latest

        labelled = [family for registry in list(self._registries) for family in self._labelled(list(registry.collect()))]
        return generate_latest(collecting(CollectorRegistry(auto_describe=False), merged(labelled)))

    def _labelled(self, families: list[Metric]) -> list[Metric]:
        """The families with `job` and `instance`, which every reader's target_info tells."""
        target = next((sample.labels for family in families if family.name == "target" for sample in family.samples), {})
        job = "/".join(filter(None, (target.get("service_namespace"), target.get("service_name"))))
        for family in families:
            family.samples = [sample._replace(labels={**self._redacted(sample.labels), "job": job, "instance": self._instance}) for sample in family.samples]
        return families

    def _redacted(self, labels: Mapping[str, str]) -> dict[str, str]:
        return {name: self._redact(value, name) for name, value in labels.items()}

    def _others(self) -> Iterator[tuple[str, bool]]:
        """What the other processes have written, and whether each is alive."""
        from otel_agents.journal.files import is_locked  # it needs file locks

        for path in self._place.glob("*.prom") if self._is_shared else ():
            if path.stem != self._owner:
                with suppress(OSError):
                    is_alive, age = is_locked(path.with_suffix(".alive")), time.time() - path.stat().st_mtime
                    if is_alive or age < KEEP_S:
                        yield path.read_text(), is_alive
                    else:
                        path.unlink()
                        path.with_suffix(".alive").unlink(missing_ok=True)

    @property
    def _owner(self) -> str:
        return self._instance.replace("/", "_")

    def _write(self) -> None:
        """Renew this process's file, if anything has changed."""
        text = self._own()
        if text != self._written and self._is_shared and self._hold(f"{self._owner}.alive"):
            unfinished = self._place / f"{self._owner}.tmp"
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(text)
            os.replace(unfinished, self._place / f"{self._owner}.prom")
            self._written = text

    def _hold(self, name: str) -> bool:
        """Lock the file of this name until it is let go; whether it is ours now."""
        if name not in self._files:
            for folder in (self._place.parent, self._place):  # `mode` is that of the last folder only
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._place / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                return False
            self._files[name] = fd
        return True

    def _let_go(self, name: str) -> None:
        if name in self._files:
            os.close(self._files.pop(name))

    # ---------------------------------------------------------------------------------------- serving

    def ensure(self) -> None:
        """Run the thread that writes and serves, if it does not run."""
        if self._thread is None and not self._is_closed:
            with self._lock:
                if self._thread is None:
                    self._wake, woken = socket.socketpair()
                    thread = threading.Thread(target=self._run, args=(woken,), name="otel-agents-prometheus", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # the interpreter is on its way out: `close` does what is left
                        return
                    self._thread = thread

    def _run(self, woken: socket.socket) -> None:
        with woken, selectors.DefaultSelector() as ready, suppress_instrumentation():
            ready.register(woken, selectors.EVENT_READ)
            while not self._tick_and_serve(ready, woken):
                pass

    def _tick_and_serve(self, ready: selectors.BaseSelector, woken: socket.socket) -> bool:
        """Write, take the port if nobody holds it, and serve until the next tick; whether it is time to stop."""
        with guard("serve metrics"):
            self._share()
            self._take_port()
        if self._server is not None and self._server.fileno() not in ready.get_map():
            ready.register(self._server, selectors.EVENT_READ)
        until = time.monotonic() + TICK_S
        while (left := until - time.monotonic()) > 0:
            for key, _ in ready.select(left):
                if key.fileobj is woken:
                    return True
                with guard("serve metrics"):
                    self._server.handle_request()  # type: ignore[union-attr]  # it is what was ready
        return False

    def _share(self) -> None:
        """Write for the other processes; where the folder can't be used, this one serves for itself."""
        try:
            self._write()
        except OSError as error:
            self._is_shared = False
            logger.debug("otel-agents: metrics are served for this process alone: %s", error)

    def _take_port(self) -> None:
        if self._server is not None or (self._is_shared and not self._hold("port")):
            return  # ours, or another process of ours serves what we write
        try:
            self._server = listening(self.host, self.port, self)
        except OSError as error:
            self._let_go("port")
            if not self._has_warned:
                self._has_warned = True
                logger.warning(CANT_SERVE, self.host, self.port, error.strerror or error, PORT)
            return
        if not self.port:
            logger.warning(SERVING, *self._server.server_address[:2])

    # ---------------------------------------------------------------------------------------- the ends of a process

    def pause(self, timeout: float = 0.5) -> None:
        """Stop the thread until `ensure` is called; connections wait meanwhile."""
        with self._lock:
            thread, self._thread = self._thread, None
            wake, self._wake = self._wake, None
        if wake is not None:
            wake.close()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def close(self) -> None:
        """Write the last values and let the port go; another process of ours takes it."""
        self._is_closed = True
        self.pause()
        with guard("serve metrics"):
            self._share()
        self._release()

    def after_fork_in_child(self, instance: str) -> None:
        """Be another process: what it has inherited is closed here and stays the parent's."""
        self._release()
        self._begin(instance)

    def _release(self) -> None:
        if self._server is not None:
            self._server.server_close()
            self._server = None
        for name in list(self._files):
            self._let_go(name)


def stays(family: Metric) -> bool:
    """Whether a family says something when its process is dead: gauges are of the living, but for the one that tells what the process was."""
    return family.type != "gauge" or family.name == "target_info"


def merged(families: Iterable[Metric]) -> list[Metric]:
    """One family a name; a series that two readers of one process have is added up, of gauges the later one counts."""
    from prometheus_client.core import Metric

    found: dict[str, tuple[Metric, dict[Any, Any]]] = {}
    for family in families:
        _, series = found.setdefault(family.name, (Metric(family.name, family.documentation, family.type), {}))
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            known = series.get(key)
            series[key] = sample._replace(value=sample.value + known.value) if known is not None and family.type in ("counter", "histogram") else sample
    for family, series in found.values():
        family.samples = list(series.values())
    return [family for family, _ in found.values()]


def collecting(registry: CollectorRegistry, source: Any) -> CollectorRegistry:
    """The registry with what `source` collects: an object with that method, or a list of families."""
    registry.register(source if hasattr(source, "collect") else Families(source))
    return registry


class Families:
    """A collector of what is there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        """The families."""
        return self._families


def listening(host: str, port: int, source: Endpoint) -> TCPServer:
    """A server that answers every GET with what `source` collects, in the format that the client asks for. Raises OSError."""
    from prometheus_client.core import CollectorRegistry
    from prometheus_client.exposition import MetricsHandler

    class Handler(MetricsHandler):
        registry = collecting(CollectorRegistry(auto_describe=False), source)
        timeout = CLIENT_S  # a client that sends nothing must not hold up the others

    class Server(QuietServer):
        address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]

    return Server((host, port), Handler)


class QuietServer(TCPServer):
    """The standard library's, whose errors are not printed."""

    allow_reuse_address = True
    request_queue_size = 16

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("otel-agents: a scrape by %s failed", client_address, exc_info=True)
