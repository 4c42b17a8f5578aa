"""Export without a journal: the SDK's own batch processors and OTLP exporters, with their losses.

Used if the journal is switched off or can't be used (a folder that is not writable, a platform without file locks) and there is an endpoint.
"""

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
EXIT_S = 2.3  # the longest that an exit waits, in seconds
LOGGING = ("opentelemetry.exporter.otlp", "opentelemetry.sdk", "urllib3")  # their log lines contain the full URL and the server's response
UNUSABLE_JOURNAL = (
    "otel-agents: the journal in %s can't be used (%s), so telemetry is sent directly and lost while the endpoint is down: "
    "correct OTEL_AGENTS_JOURNAL_DIR, or set OTEL_AGENTS_JOURNAL=off if that is intended."
)
NO_DESTINATION = "otel-agents: OTEL_AGENTS_JOURNAL is off and no endpoint is set, so nothing is recorded: set OTEL_EXPORTER_OTLP_ENDPOINT, or leave it on."
NO_GRPC = "otel-agents: gRPC without a journal needs `pip install opentelemetry-exporter-otlp-proto-grpc`; or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf."


def pipeline_for(settings: Settings) -> Callable[..., Pipeline]:
    """The class of this process's pipeline; anything unusual is logged once."""
    sends = any(settings.endpoint(signal) for signal in SIGNALS)
    if not settings.journal:
        if not sends:
            logger.warning(NO_DESTINATION)
        return DirectPipeline
    problem = journal_problem(settings) if sends and settings.ship else None
    if problem is None:
        return Pipeline
    logger.warning(UNUSABLE_JOURNAL, settings.journal_dir, problem)
    return DirectPipeline


def journal_problem(settings: Settings) -> str | None:
    """Why the journal folder can't be used; None if a file in it can be locked and written."""
    try:
        import fcntl
    except ImportError:
        return "no file locks on this platform"
    try:
        os.makedirs(settings.journal_dir, mode=0o700, exist_ok=True)
        with unnamed_file(settings.journal_dir) as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(probe.fileno(), b"\n")
    except OSError as problem:
        return problem.strerror or type(problem).__name__
    return None


def unnamed_file(folder: Path) -> IO[bytes]:
    """A temporary file without a name. Where O_TMPFILE is missing, by `tempfile`, which takes 2 ms to import."""
    with suppress(AttributeError, OSError):
        return open(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), "r+b")
    from tempfile import TemporaryFile

    return TemporaryFile(dir=folder)


class DirectPipeline(Pipeline):
    """The same providers, sampling and redaction, but with the SDK's batch processors and exporters."""

    def _open(self) -> None:
        self.owner = f"{os.getpid()}-{time.time_ns():x}"
        self.began = time.time_ns()
        self._processors: list[Any] = []
        self.reader = self._reader()

    @property
    def instance(self) -> str:
        return self._instance_of(self.owner)

    def _reader(self) -> Any:
        exporter = self._exporter("metrics", **preferences(self.settings))
        if exporter is None:
            return None
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        interval, timeout = self.settings.metric_interval * 1000, self.settings.metric_timeout * 1000
        return self._kept(PeriodicExportingMetricReader(exporter, export_interval_millis=interval, export_timeout_millis=timeout))

    def _kept(self, part: Any) -> Any:
        self._processors.append(part)
        return part

    def _processor(self, signal: str) -> Any:
        exporter = self._exporter(signal)
        if exporter is None:
            return None
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        from otel_agents.sdk.internals import BatchLogRecordProcessor

        return self._kept(BatchSpanProcessor(exporter) if signal == "traces" else BatchLogRecordProcessor(exporter))

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
        """Do nothing: the SDK's reader collects at its own interval."""

    def flush(self, timeout: float) -> bool:
        return all([part.force_flush(timeout * 1000) for part in self._processors])  # noqa: C419 - every one of them is flushed

    def shutdown(self) -> None:
        """Send what is waiting, within the time that an exit may take."""
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
        for part in self._processors:
            with guard("last sending"):
                part.shutdown()

    def before_fork(self) -> None:
        """Pause the scrape; the SDK's processors handle forks themselves."""
        self._pause_scrape()

    def after_fork_in_parent(self) -> None:
        """Resume the scrape; the SDK's processors handle forks themselves."""
        self._resume_scrape()

    def after_fork_in_child(self) -> None:
        with guard("after fork"):
            self.forked = True
            self.owner = f"{os.getpid()}-{time.time_ns():x}"
            self.began, engine.forked_at = time.time_ns(), time.perf_counter_ns()
            self._renew()
            self._register_exit_hook()

    def _at_worker_exit(self) -> None:
        self.flush(EXIT_S)
        self._close_scrape()


def redact_export_logs(record: logging.LogRecord) -> bool:
    """A logging filter that redacts the exporters' records and those of libraries they use while exporting; the program's own records pass unchanged."""
    return is_presentable(record) if record.name.startswith("opentelemetry.") or get_current().get(SUPPRESSED) else True


def filter_log_lines() -> None:
    """Add the filter to the loggers of the exporters and of their HTTP client, which exist once those are imported."""
    for name in [name for name in logging.root.manager.loggerDict if name.startswith(LOGGING)]:
        logging.getLogger(name).addFilter(redact_export_logs)


def http_exporter(signal: str, endpoint: Endpoint, redact: Redact, more: dict[str, Any]) -> Any:
    """The official exporter over HTTP (protobuf)."""
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
    """The official exporter over gRPC. It reads certificates from the OTEL_* variables itself, and would take user-info for a part of the host."""
    from otel_agents.journal.wire_grpc import metadata  # imported late: its clients are not needed otherwise

    compression = import_module("grpc").Compression
    return redacting(otlp_exporter("opentelemetry.exporter.otlp.proto.grpc", signal), redact)(
        endpoint=without_credentials(endpoint.url),
        headers=metadata(endpoint),
        timeout=endpoint.timeout,
        insecure=endpoint.insecure,
        compression=compression.Gzip if endpoint.compression == "gzip" else compression.NoCompression,
        **more,
    )
