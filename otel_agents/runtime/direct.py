"""The standard way out, where no journal can be used (switched off, a folder that can't be written, a platform without file locks) but there is an endpoint:
the SDK's own batch processors and OTLP exporters, with what they lose."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from otel_agents.otlp.signals import SIGNALS
from otel_agents.redaction.exporters import redacting
from otel_agents.redaction.messages import is_presentable
from otel_agents.redaction.urls import without_credentials
from otel_agents.runtime.journaled import Pipeline
from otel_agents.runtime.own_providers import preferences
from otel_agents.sdk.internals import otlp_exporter
from otel_agents.telemetry.context import SUPPRESSED, get_current
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import guard

if TYPE_CHECKING:
    from otel_agents.config.settings import Endpoint, Settings
    from otel_agents.redaction.by_shape import Redact

logger = logging.getLogger("otel_agents")
EXIT_S = 2.3  # seconds that an exit waits at most
LOGGING = ("opentelemetry.exporter.otlp", "opentelemetry.sdk", "urllib3")  # their log lines have the whole URL, and what the server answered
ESCAPED = (
    "otel-agents: the journal in %s can't be used (%s), so telemetry goes straight to the endpoint and is lost while that is down: "
    "correct OTEL_AGENTS_JOURNAL_DIR, or set OTEL_AGENTS_JOURNAL=off if that is what you want."
)
NOWHERE = "otel-agents: OTEL_AGENTS_JOURNAL is off and there is no endpoint, so nothing is recorded: set OTEL_EXPORTER_OTLP_ENDPOINT, or leave the journal on."
NO_GRPC = "otel-agents: gRPC without a journal needs `pip install opentelemetry-exporter-otlp-proto-grpc`; or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf."


def way(settings: Settings) -> Callable[..., Pipeline]:
    """What this process's telemetry goes through; what is out of the ordinary is said once."""
    sends = any(settings.endpoint(signal) for signal in SIGNALS)
    if not settings.journal:
        if not sends:
            logger.warning(NOWHERE)
        return StandardPipeline
    problem = unusable(settings) if sends and settings.ship else None
    if problem is None:
        return Pipeline
    logger.warning(ESCAPED, settings.journal_dir, problem)
    return StandardPipeline


def unusable(settings: Settings) -> str | None:
    """Why the journal's folder can't be used; None where a file in it can be locked and written."""
    try:
        import fcntl
    except ImportError:
        return "no file locks on this platform"
    try:
        os.makedirs(settings.journal_dir, mode=0o700, exist_ok=True)
        with nameless(settings.journal_dir) as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(probe.fileno(), b"\n")
    except OSError as problem:
        return problem.strerror or type(problem).__name__
    return None


def nameless(folder: Path) -> IO[bytes]:
    """A file in the folder without a name; where the system has no such thing, the standard library knows how else (and takes 2 ms to import)."""
    with suppress(AttributeError, OSError):
        return open(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), "r+b")
    from tempfile import TemporaryFile

    return TemporaryFile(dir=folder)


class StandardPipeline(Pipeline):
    """The same providers, sampled and redacted by us, with the SDK's batch processors behind."""

    def _open(self) -> None:
        self.owner = f"{os.getpid()}-{time.time_ns():x}"
        self.began = time.time_ns()
        self._endings: list[Any] = []
        self.reader = self._reader()

    @property
    def instance(self) -> str:
        return self._behind_given(self.owner)

    def _reader(self) -> Any:
        exporter = self._exporter("metrics", **preferences(self.settings))
        if exporter is None:
            return None
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        interval, timeout = self.settings.metric_interval * 1000, self.settings.metric_timeout * 1000
        return self._ending(PeriodicExportingMetricReader(exporter, export_interval_millis=interval, export_timeout_millis=timeout))

    def _ending(self, part: Any) -> Any:
        self._endings.append(part)
        return part

    def _processor(self, signal: str) -> Any:
        exporter = self._exporter(signal)
        if exporter is None:
            return None
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from otel_agents.sdk.internals import BatchLogRecordProcessor

        return self._ending(BatchSpanProcessor(exporter) if signal == "traces" else BatchLogRecordProcessor(exporter))

    def _exporter(self, signal: str, **more: Any) -> Any:
        endpoint = self.settings.endpoint(signal) if self.settings.exports(signal) and self.settings.ship else None
        if endpoint is None:
            return None
        build = grpc_exporter if endpoint.protocol == "grpc" else http_exporter
        try:
            exporter = build(signal, endpoint, self.redact, more)
        except ImportError:
            logger.warning(NO_GRPC)
            return None
        filter_log_lines()
        return exporter

    def _use(self, signal: str, provider: Any) -> None:
        self.providers[signal] = provider

    def _lag(self) -> float:
        return 0.0

    def collect(self) -> None:
        """The SDK's reader does it at its own interval."""

    def flush(self, timeout: float) -> bool:
        return all([part.force_flush(timeout * 1000) for part in self._endings])  # noqa: C419 - every one of them is flushed

    def shutdown(self) -> None:
        """Send what waits, within the time that an exit may take."""
        if self.finished:
            return
        self.finished = True
        last = threading.Thread(target=self._end, name="otel-agents", daemon=True)
        try:
            last.start()
        except RuntimeError:  # the interpreter starts no more threads
            return self._end()
        last.join(EXIT_S)

    def _end(self) -> None:
        self._close_scrape()
        for part in self._endings:
            with guard("last sending"):
                part.shutdown()

    def before_fork(self) -> None:
        """The SDK's processors look after themselves."""
        self._pause_scrape()

    def after_fork_in_parent(self) -> None:
        """As above."""
        self._go_on_with_scrape()

    def after_fork_in_child(self) -> None:
        with guard("after fork"):
            self.forked = True
            self.owner = f"{os.getpid()}-{time.time_ns():x}"
            self.began, engine.forked_at = time.time_ns(), time.perf_counter_ns()
            self._renew()
            self._promise_last_words()

    def _last_words(self) -> None:
        self.flush(EXIT_S)
        self._close_scrape()


def is_presentable_or_the_programs(record: logging.LogRecord) -> bool:
    """Make a line of the exporters presentable, and of what they use while they export; the program's own lines stay as they are."""
    return is_presentable(record) if record.name.startswith("opentelemetry.") or get_current().get(SUPPRESSED) else True


def filter_log_lines() -> None:
    """Have the exporters' log lines made presentable, and those of what they send by; their loggers exist as soon as they are imported."""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(LOGGING)]:
        logging.getLogger(name).addFilter(is_presentable_or_the_programs)


def http_exporter(signal: str, endpoint: Endpoint, redact: Redact, more: dict[str, Any]) -> Any:
    """The official exporter over HTTP; it speaks protobuf."""
    package = "opentelemetry.exporter.otlp.proto.http"
    compression = import_module(package).Compression
    return redacting(otlp_exporter(package, signal), redact)(
        endpoint=endpoint.url,
        headers=dict(endpoint.headers),
        timeout=endpoint.timeout,
        compression=compression.Gzip if endpoint.compression == "gzip" else compression.NoCompression,
        certificate_file=endpoint.certificate,
        client_key_file=endpoint.client_key,
        client_certificate_file=endpoint.client_certificate,
        **more,
    )


def grpc_exporter(signal: str, endpoint: Endpoint, redact: Redact, more: dict[str, Any]) -> Any:
    """The official exporter over gRPC; it reads certificates from the OTEL_* variables itself, and takes a user in the endpoint for a part of the host."""
    from otel_agents.journal.wire_grpc import metadata  # the clients behind it are not needed where nothing is sent

    compression = import_module("grpc").Compression
    return redacting(otlp_exporter("opentelemetry.exporter.otlp.proto.grpc", signal), redact)(
        endpoint=without_credentials(endpoint.url),
        headers=metadata(endpoint),
        timeout=endpoint.timeout,
        insecure=endpoint.insecure,
        compression=compression.Gzip if endpoint.compression == "gzip" else compression.NoCompression,
        **more,
    )
