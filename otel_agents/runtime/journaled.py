"""The pipeline of one process: from the OpenTelemetry providers, through our processors and metric reader, to the journal and its shipper."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_agents import semconv as names
from otel_agents.journal.encode import Lines
from otel_agents.journal.points import series_of
from otel_agents.journal.processors import JournalLogs, JournalMetrics, JournalSpans
from otel_agents.journal.records import LeanRecords, Records
from otel_agents.journal.spans import LeanSpans, Spans, follows_parent
from otel_agents.otlp.signals import SIGNALS
from otel_agents.redaction.redactor import Redactor
from otel_agents.runtime.global_providers import Exports, Watch
from otel_agents.runtime.own_providers import OwnMeterProvider, deltas, is_aggregated, is_lean, own_provider, preferences, printer, temporality
from otel_agents.runtime.process import process_start, run_at_forked_worker_exit, run_at_worker_exit, service_name, version
from otel_agents.sdk.internals import HOMES, TAKES, follow, leave, parts, update_resource
from otel_agents.telemetry.content import Policy
from otel_agents.telemetry.context import session_of, suppress_instrumentation
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.meter import MeterBackend
from otel_agents.telemetry.metrics import DiedRun, Instruments, died_runs
from otel_agents.telemetry.series import Aggregation

if TYPE_CHECKING:
    from otel_agents.config.settings import Settings
    from otel_agents.exporters.prometheus import Endpoint

logger = logging.getLogger("otel_agents")
JOURNALS = {"traces": JournalSpans, "metrics": JournalMetrics, "logs": JournalLogs}
YOUNG_CHILD_NS, CHILD_COLLECTS_EVERY_NS = 10 * 10**9, 10**9


class Pipeline:
    """Providers, processors, metric reader and store of this process. Built by lifecycle.py for the first item."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self.settings = settings
        self.watch = watch
        self.redact = Redactor(settings.content)
        self.providers: dict[str, Any] = {}
        self.own: dict[str, Any] = {}
        self.forked = engine.forked_at > 0  # and the parent had recorded nothing yet, or this process would have inherited its pipeline
        self.finished = False
        self.scope = (names.SCOPE, version(), names.SCHEMA_URL)
        self._has_exit_hook = False
        self._attached: list[tuple[str, Any, Any]] = []
        self.scraped: Endpoint | None = None  # for OTEL_METRICS_EXPORTER=prometheus
        self._earlier: list[Any] = []  # readers of instruments that were created with our provider before the program set its own
        self._open()
        self._begin_series()

    # ---------------------------------------------------------------------------------------- building

    def _open(self) -> None:
        from otel_agents.journal.store import Store  # imported late: it needs file locks, and platforms without them use direct.py

        self.began = process_start()
        self.lines = Lines(self.redact)
        self.store = Store(self.settings, guard, collect=self.collect, dropped=self._dropped, suppress=suppress_instrumentation, count=self._died)
        self.reader = self._reader()
        self._exports = Exports()
        self._collected = 0

    def _reader(self) -> JournalMetrics:
        return JournalMetrics(self.lines, self.store.append, guard, self.instance, self.began, **preferences(self.settings))

    @property
    def instance(self) -> str:
        """`service.instance.id`: unique to this process, with the user's own, if any, as a prefix."""
        return self._instance_of(self.store.journal.owner)

    def _instance_of(self, owner: str) -> str:
        prefix = self._resource_variables.get(names.SERVICE_INSTANCE_ID)
        return f"{prefix}-{owner}" if prefix else owner

    @property
    def _resource_variables(self) -> Mapping[str, Any]:
        pairs = (part.partition("=") for part in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",") if "=" in part)
        return {name.strip(): value.strip() for name, _, value in pairs}

    def _resource(self) -> Resource:
        name = self.settings.service_name or self._resource_variables.get(names.SERVICE_NAME) or service_name()
        return Resource.create({names.SERVICE_NAME: name}).merge(Resource({names.SERVICE_INSTANCE_ID: self.instance}))

    def start(self) -> None:
        """Join the providers that the program has set, install ours where it has none, and connect the engine to them."""
        self._open_scrape()
        missing = [signal for signal in SIGNALS if HOMES[signal].current() is None]
        if missing:
            resource = self._resource()
            for signal in missing:
                provider = self._own_provider(signal, resource)
                self.own[signal] = provider
                self._attach(signal, provider)
                if "console" in (self.settings.exporters(signal) or ()):
                    self._add_console(signal, provider)
                self.watch.install(signal, provider)
        for signal in SIGNALS:
            if signal not in missing:
                self._adopt(signal, HOMES[signal].current())
        self._connect_engine()
        self._resume_scrape()
        run_at_worker_exit(self._at_worker_exit)

    def _own_provider(self, signal: str, resource: Resource) -> Any:
        return self._meter_provider(resource) if signal == "metrics" else own_provider(signal, resource, self.settings)

    def _meter_provider(self, resource: Resource) -> OwnMeterProvider:
        self._measured = resource
        return OwnMeterProvider(self.reader if self.settings.exports("metrics") else None, resource, self._connect_metrics)

    def _processor(self, signal: str) -> Any:
        """Our processor for a tracer or logger provider."""
        if signal == "logs":
            return JournalLogs(self.lines, self.store.append, guard)
        return JournalSpans(self.lines, self.store.append, guard, session_of, names.SCOPE, self.began if self.forked else 0)

    def _attach(self, signal: str, provider: Any) -> None:
        """Add our processor or reader to a provider."""
        self._use(signal, provider)
        if not self.settings.exports(signal):
            return
        part = self.reader if signal == "metrics" else self._processor(signal)
        if part is not None and not (signal == "metrics" and provider is self.own.get(signal)):
            getattr(provider, TAKES[signal])(part)
            self._attached.append((signal, provider, part))
        if signal == "metrics":
            self._scrape(provider)

    def _use(self, signal: str, provider: Any) -> None:
        """Record the signal with this provider from now on."""
        self.providers[signal] = provider
        self.store.provided(signal, None if provider is self.own.get(signal) else partial(self._exports.to, signal, provider))

    def _open_scrape(self) -> None:
        """OTEL_METRICS_EXPORTER=prometheus: create the scrape endpoint; if that is impossible, log why, once."""
        if "prometheus" not in (self.settings.exporters("metrics") or ()) or not self.settings.exports("metrics"):
            return
        from otel_agents.exporters import prometheus

        problem = prometheus.problem()
        if problem is not None:
            logger.warning("otel-agents: %s", problem)
        else:
            self.scraped = prometheus.Endpoint(self.settings.journal_dir, self.instance, self.redact)

    def _scrape(self, provider: Any) -> None:
        """Add the scrape endpoint's reader to a meter provider."""
        if self.scraped is not None:
            part = self.scraped.reader()
            provider.add_metric_reader(part)
            self._attached.append(("metrics", provider, part))

    def _resume_scrape(self) -> None:
        if self.scraped is not None:
            self.scraped.ensure()

    def _pause_scrape(self) -> None:
        if self.scraped is not None:
            self.scraped.pause()

    def _close_scrape(self) -> None:
        if self.scraped is not None:
            self.scraped.close()

    def _add_console(self, signal: str, provider: Any) -> None:
        """OTEL_<SIGNAL>_EXPORTER=console: also print what a provider of ours records."""
        part = printer(signal, self.redact)
        getattr(provider, TAKES[signal])(part)
        self._attached.append((signal, provider, part))

    def join(self, signal: str, provider: Any) -> None:
        """Use the provider that the program has set from now on."""
        self._adopt(signal, provider)
        self._connect_engine()

    def _adopt(self, signal: str, provider: Any) -> None:
        """Add our processor or reader to the program's own provider. If that is not an SDK provider, keep using a private one of ours."""
        if not hasattr(provider, TAKES[signal]):
            self._use(signal, self.own.get(signal) or self._private(signal))
            return
        if signal == "metrics":
            self._replace_reader()
        self._attach(signal, provider)
        if signal in self.own:
            follow(signal, self.own[signal], provider)

    def _private(self, signal: str) -> Any:
        provider = self.own[signal] = self._own_provider(signal, self._resource())
        self._attach(signal, provider)
        return provider

    def _replace_reader(self) -> None:
        """Write what our reader has collected so far and create a new one: a reader belongs to one provider."""
        if self.own.get("metrics") is not None:
            self.collect()
            self._begin_series()
            self._earlier.append(self.reader)
            self.reader = self._reader()

    def leave(self) -> None:
        """Remove our processors and readers from every provider, including the program's own."""
        for signal, provider, part in self._attached:
            with guard("leave provider"):
                leave(signal, provider, part)
        self._attached.clear()
        self._close_scrape()

    def _connect_engine(self) -> None:
        """Make the engine record with the current providers."""
        settings = self.settings
        engine.policy = Policy(settings.content, "spans" in settings.content_in, "events" in settings.content_in, settings.content_max_bytes, self.redact)
        self._connect_metrics()
        engine.log_level = settings.log_level if settings.logs else 1 << 30
        engine.records = self._records(self.providers["logs"]) if settings.exports("logs") else None
        engine.follows_parent = follows_parent(getattr(self.providers["traces"], "sampler", None))
        engine.spans = self._spans(self.providers["traces"])
        engine.on_root_end = self._collect_soon if self.forked else None

    def _connect_metrics(self) -> None:
        """Record metrics with our own aggregation if only our journal reads the meter provider, else with the provider's instruments."""
        if not self.settings.exports("metrics") or "metrics" not in self.providers:
            return
        backend = self.aggregation if self._aggregates else self._provider_backend()
        engine.instruments = Instruments(backend, self.settings.metric_cardinality, self.settings.old_metrics)
        engine.instruments.observe(names.METRIC_OA_SHIPPER_LAG, self._lag)

    def _provider_backend(self) -> MeterBackend:
        """Switch to the provider's instruments, after writing what we have aggregated so far."""
        with guard("hand over metrics"):
            if self._write_series():
                self._begin_series()
                self.reader.began = time.time_ns()
        return MeterBackend(self.providers["metrics"].get_meter(*self.scope))

    @property
    def _aggregates(self) -> bool:
        provider = self.providers["metrics"]
        return self._is_lean("metrics", provider) and is_aggregated(self.settings)

    def _spans(self, provider: Any) -> Spans:
        tracer = provider.get_tracer(*self.scope)
        if self._is_lean("traces", provider):
            lean = LeanSpans(provider, tracer, InstrumentationScope(*self.scope), self.lines, self.store.append, engine.policy)
            if lean.is_possible():
                return lean
        return Spans(tracer)

    def _records(self, provider: Any) -> Records:
        return LeanRecords(provider, self.scope, self.lines, self.store.append) if self._is_lean("logs", provider) else Records(provider, self.scope)

    def _is_lean(self, signal: str, provider: Any) -> bool:
        """Whether this provider is ours and only our journal processes what it records."""
        attached = [type(part) for part in parts(signal, provider)]
        return provider is self.own.get(signal) and attached == [JOURNALS[signal]] and is_lean()

    # ---------------------------------------------------------------------------------------- running

    def _collect_soon(self) -> None:
        """In a forked child, which may end without any exit hook: collect after each outermost operation while it is young, then at an interval."""
        self._resume_scrape()
        now = time.perf_counter_ns()
        if now - engine.forked_at < YOUNG_CHILD_NS or now - self._collected > CHILD_COLLECTS_EVERY_NS:
            self._collected = now
            self.collect()

    def collect(self) -> None:
        """Collect all metrics and write them to the journal."""
        if self.settings.exports("metrics"):
            with guard("collect metrics"):
                self._count_failures()
                for reader in (*self._earlier, self.reader):
                    reader.collect(timeout_millis=5_000)
                self._write_series()

    def _begin_series(self) -> None:
        self.aggregation = Aggregation(self.began, deltas(self.settings))

    def _write_series(self) -> bool:
        """Write what our own aggregation has collected. Returns whether there was anything."""
        collected = self.aggregation.collect()
        if collected:
            for line in self.lines.series(collected, self._measured, InstrumentationScope(*self.scope)):
                self.store.append("metrics", line)
        return bool(collected)

    def _lag(self) -> float:
        return self.store.shipper.lag_seconds()

    def _dropped(self, signal: str, reason: str, count: int) -> None:
        if engine.instruments is not None:
            labels = engine.instruments.labels((), {}, ((names.OA_SIGNAL, signal), (names.OA_REASON, reason)))
            engine.instruments.record(names.METRIC_OA_TELEMETRY_DROPPED, count, labels)

    def _died(self, runs: Iterable[DiedRun], found_at: int) -> Iterable[bytes]:
        """Metrics of a dead process's runs, as it would have recorded them; none if metrics are off."""
        return series_of(died_runs(engine.instruments, runs, found_at, temporality(self.settings)), self.redact) if engine.instruments is not None else ()

    def _count_failures(self) -> None:
        """Count what failed inside a guard since the last collection as lost telemetry."""
        failures, engine.failures = engine.failures, {}
        for where, count in failures.items():
            self._dropped("any", f"failed: {where}", count)

    def flush(self, timeout: float) -> bool:
        """Collect metrics and send what is waiting. timeout: seconds."""
        self.collect()
        return self.store.shipper.flush(timeout)

    # ---------------------------------------------------------------------------------------- shutdown and forks

    def shutdown(self) -> None:
        """Collect a last time and send what can be sent at once; a forked child leaves sending to other processes."""
        if self.finished:
            return
        self.finished = True
        patience = 0.0 if self.forked else 0.05  # seconds to wait for a request in progress
        self.store.stop(patience)
        self.collect()
        if not self.forked and self.store.send_last():
            self.collect()
        self._close_scrape()
        self.store.close(patience)
        self.finished = False

    def before_fork(self) -> None:
        with guard("before fork"):
            self._pause_scrape()
            self.store.before_fork()

    def after_fork_in_parent(self) -> None:
        with guard("after fork"):
            self.store.after_fork_in_parent()
            self._resume_scrape()

    def after_fork_in_child(self) -> None:
        """A forked child is a new process: it gets its own segments, instance id, counts and threads."""
        with guard("after fork"):
            self.forked = True
            self.store.after_fork_in_child()
            self.began, self.lines = time.time_ns(), Lines(self.redact)
            engine.failures = {}
            self._renew()
            self._register_exit_hook()

    def _renew(self) -> None:
        """Start counting from zero, with a meter provider that has inherited no locks."""
        self._earlier.clear()
        self._begin_series()
        self.reader = self._reader()
        resource = self._resource_of_child()
        self.own["metrics"] = self._meter_provider(resource)
        self._use("metrics", self.own["metrics"])
        if self.scraped is not None:
            self.scraped.after_fork_in_child(self.instance)
            self._scrape(self.own["metrics"])
        for signal in ("traces", "logs"):
            own = self.own.get(signal)
            if own is not None and own is self.providers[signal]:
                instance = Resource({names.SERVICE_INSTANCE_ID: self.instance})
                if not update_resource(own, instance):
                    self.lines.own = instance
        for _, _, part in self._attached:
            if isinstance(part, JournalSpans):
                part.begin(self.began, self.lines)
            elif isinstance(part, JournalLogs):
                part.begin(self.lines)
        self._connect_engine()

    def _resource_of_child(self) -> Resource:
        resource = getattr(self.providers["traces"], "resource", None)
        return (resource if isinstance(resource, Resource) else self._resource()).merge(Resource({names.SERVICE_INSTANCE_ID: self.instance}))

    def _register_exit_hook(self) -> None:
        if not self._has_exit_hook:  # grandchildren inherit the hook
            self._has_exit_hook = True
            run_at_forked_worker_exit(self, self._at_worker_exit)

    def _at_worker_exit(self) -> None:
        """Write a multiprocessing worker's metrics at its end, which runs no atexit hooks. Never waits for the network."""
        self.collect()
        self._close_scrape()
