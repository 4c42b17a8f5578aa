"""One process's way from the providers to the journal: processors, reader, journal, shipper, and the thread that keeps them."""

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
from otel_agents.runtime.process import at_the_end_of_a_worker, at_the_end_of_forked_workers, process_start, service_name, version
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
YOUNG_NS, CHILD_COLLECTS_EVERY_NS = 10 * 10**9, 10**9


class Pipeline:
    """Built by lifecycle.py at the first item of a process."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self.settings = settings
        self.watch = watch
        self.redact = Redactor(settings.content)
        self.providers: dict[str, Any] = {}
        self.own: dict[str, Any] = {}
        self.forked = engine.forked_at > 0  # its parent had recorded nothing yet, or it would have inherited a pipeline
        self.finished = False
        self.scope = (names.SCOPE, version(), names.SCHEMA_URL)
        self._promised = False
        self._given_to: list[tuple[str, Any, Any]] = []
        self.scraped: Endpoint | None = None  # for OTEL_METRICS_EXPORTER=prometheus
        self._earlier: list[Any] = []  # readers of what the program has taken from our provider before it set its own
        self._open()
        self._begin_series()

    # ---------------------------------------------------------------------------------------- building

    def _open(self) -> None:
        from otel_agents.journal.store import Store  # late, with what needs file locks: a platform without them goes another way (direct.py)

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
        """`service.instance.id`: of this process alone, behind the one that the user gave, if any."""
        return self._behind_given(self.store.journal.owner)

    def _behind_given(self, owner: str) -> str:
        given = self._given.get(names.SERVICE_INSTANCE_ID)
        return f"{given}-{owner}" if given else owner

    @property
    def _given(self) -> Mapping[str, Any]:
        pairs = (part.partition("=") for part in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",") if "=" in part)
        return {name.strip(): value.strip() for name, _, value in pairs}

    def _resource(self) -> Resource:
        name = self.settings.service_name or self._given.get(names.SERVICE_NAME) or service_name()
        return Resource.create({names.SERVICE_NAME: name}).merge(Resource({names.SERVICE_INSTANCE_ID: self.instance}))

    def start(self) -> None:
        """Join the providers that the program has set; where it has none, install ours; then be the engine's."""
        self._open_scrape()
        missing = [signal for signal in SIGNALS if HOMES[signal].current() is None]
        if missing:
            resource = self._resource()
            for signal in missing:
                provider = self._own_provider(signal, resource)
                self.own[signal] = provider
                self._attach(signal, provider)
                if "console" in (self.settings.exporters(signal) or ()):
                    self._print(signal, provider)
                self.watch.install(signal, provider)
        for signal in SIGNALS:
            if signal not in missing:
                self._take(signal, HOMES[signal].current())
        self._serve()
        self._go_on_with_scrape()
        at_the_end_of_a_worker(self._last_words)

    def _own_provider(self, signal: str, resource: Resource) -> Any:
        return self._meter_provider(resource) if signal == "metrics" else own_provider(signal, resource, self.settings)

    def _meter_provider(self, resource: Resource) -> OwnMeterProvider:
        self._measured = resource
        return OwnMeterProvider(self.reader if self.settings.exports("metrics") else None, resource, self._serve_readers)

    def _processor(self, signal: str) -> Any:
        """What stands behind a provider of spans or logs."""
        if signal == "logs":
            return JournalLogs(self.lines, self.store.append, guard)
        return JournalSpans(self.lines, self.store.append, guard, session_of, names.SCOPE, self.began if self.forked else 0)

    def _attach(self, signal: str, provider: Any) -> None:
        """Give a provider our processor or reader."""
        self._use(signal, provider)
        if not self.settings.exports(signal):
            return
        part = self.reader if signal == "metrics" else self._processor(signal)
        if part is not None and not (signal == "metrics" and provider is self.own.get(signal)):
            getattr(provider, TAKES[signal])(part)
            self._given_to.append((signal, provider, part))
        if signal == "metrics":
            self._scrape(provider)

    def _use(self, signal: str, provider: Any) -> None:
        """Record the signal with this provider from now on."""
        self.providers[signal] = provider
        self.store.provided(signal, None if provider is self.own.get(signal) else partial(self._exports.to, signal, provider))

    def _open_scrape(self) -> None:
        """OTEL_METRICS_EXPORTER=prometheus: an endpoint for Prometheus; where it can't be had, that is logged once."""
        if "prometheus" not in (self.settings.exporters("metrics") or ()) or not self.settings.exports("metrics"):
            return
        from otel_agents.exporters import prometheus

        problem = prometheus.problem()
        if problem is not None:
            logger.warning("otel-agents: %s", problem)
        else:
            self.scraped = prometheus.Endpoint(self.settings.journal_dir, self.instance, self.redact)

    def _scrape(self, provider: Any) -> None:
        """Have a provider of metrics read for the scrape, too."""
        if self.scraped is not None:
            part = self.scraped.reader()
            provider.add_metric_reader(part)
            self._given_to.append(("metrics", provider, part))

    def _go_on_with_scrape(self) -> None:
        if self.scraped is not None:
            self.scraped.ensure()

    def _pause_scrape(self) -> None:
        if self.scraped is not None:
            self.scraped.pause()

    def _close_scrape(self) -> None:
        if self.scraped is not None:
            self.scraped.close()

    def _print(self, signal: str, provider: Any) -> None:
        """OTEL_<SIGNAL>_EXPORTER=console: what a provider of ours records is printed, too."""
        part = printer(signal, self.redact)
        getattr(provider, TAKES[signal])(part)
        self._given_to.append((signal, provider, part))

    def join(self, signal: str, provider: Any) -> None:
        """Work with the provider that the program has set, from now on."""
        self._take(signal, provider)
        self._serve()

    def _take(self, signal: str, provider: Any) -> None:
        """The program's own provider gets our processor or reader; one that is no SDK provider gets nothing, and ours stays private."""
        if not hasattr(provider, TAKES[signal]):
            self._use(signal, self.own.get(signal) or self._private(signal))
            return
        if signal == "metrics":
            self._change_reader()
        self._attach(signal, provider)
        if signal in self.own:
            follow(signal, self.own[signal], provider)

    def _private(self, signal: str) -> Any:
        provider = self.own[signal] = self._own_provider(signal, self._resource())
        self._attach(signal, provider)
        return provider

    def _change_reader(self) -> None:
        """What our reader has counted so far is written; a reader belongs to one provider."""
        if self.own.get("metrics") is not None:
            self.collect()
            self._begin_series()
            self._earlier.append(self.reader)
            self.reader = self._reader()

    def leave(self) -> None:
        """Take our processors and readers away from every provider, the program's own among them."""
        for signal, provider, part in self._given_to:
            with guard("leave provider"):
                leave(signal, provider, part)
        self._given_to.clear()
        self._close_scrape()

    def _serve(self) -> None:
        """Point the engine at the providers."""
        settings = self.settings
        engine.policy = Policy(settings.content, "spans" in settings.content_in, "events" in settings.content_in, settings.content_max_bytes, self.redact)
        self._serve_readers()
        engine.log_level = settings.log_level if settings.logs else 1 << 30
        engine.records = self._records(self.providers["logs"]) if settings.exports("logs") else None
        engine.follows_parent = follows_parent(getattr(self.providers["traces"], "sampler", None))
        engine.spans = self._spans(self.providers["traces"])
        engine.on_root_end = self._collect_soon if self.forked else None

    def _serve_readers(self) -> None:
        """Measure for whoever reads the provider of metrics: we aggregate where that is our journal alone, else the provider does."""
        if not self.settings.exports("metrics") or "metrics" not in self.providers:
            return
        backend = self.aggregation if self._aggregates else self._handed()
        engine.instruments = Instruments(backend, self.settings.metric_cardinality, self.settings.old_metrics)
        engine.instruments.observe(names.METRIC_OA_SHIPPER_LAG, self._lag)

    def _handed(self) -> MeterBackend:
        """The provider's instruments from now on; what we have counted so far is written."""
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
        """Whether nobody but our journal stands behind a provider of ours."""
        behind = [type(part) for part in parts(signal, provider)]
        return provider is self.own.get(signal) and behind == [JOURNALS[signal]] and is_lean()

    # ---------------------------------------------------------------------------------------- running

    def _collect_soon(self) -> None:
        """In a forked child, which may end without a word: after each outermost operation while it is young, then at this interval."""
        self._go_on_with_scrape()
        now = time.perf_counter_ns()
        if now - engine.forked_at < YOUNG_NS or now - self._collected > CHILD_COLLECTS_EVERY_NS:
            self._collected = now
            self.collect()

    def collect(self) -> None:
        """Write a point for every metric as it stands now."""
        if self.settings.exports("metrics"):
            with guard("collect metrics"):
                self._count_failures()
                for reader in (*self._earlier, self.reader):
                    reader.collect(timeout_millis=5_000)
                self._write_series()

    def _begin_series(self) -> None:
        self.aggregation = Aggregation(self.began, deltas(self.settings))

    def _write_series(self) -> bool:
        """Write what we have aggregated ourselves; whether there was any."""
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
        """Runs of a dead process as it would have counted them; nothing where nothing is measured."""
        return series_of(died_runs(engine.instruments, runs, found_at, temporality(self.settings)), self.redact) if engine.instruments is not None else ()

    def _count_failures(self) -> None:
        """Telemetry that failed in a guard since the last collection is lost telemetry."""
        failures, engine.failures = engine.failures, {}
        for where, count in failures.items():
            self._dropped("any", f"failed: {where}", count)

    def flush(self, timeout: float) -> bool:
        """Collect and send what waits."""
        self.collect()
        return self.store.shipper.flush(timeout)

    # ---------------------------------------------------------------------------------------- the ends of a process

    def shutdown(self) -> None:
        """The last collection, the last sending, as far as it goes at once; a forked child leaves the sending to others."""
        if self.finished:
            return
        self.finished = True
        patience = 0.0 if self.forked else 0.05  # for a request that is under way
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
            self._go_on_with_scrape()

    def after_fork_in_child(self) -> None:
        """A forked child is a new process: its own segments, instance, counts and threads."""
        with guard("after fork"):
            self.forked = True
            self.store.after_fork_in_child()
            self.began, self.lines = time.time_ns(), Lines(self.redact)
            engine.failures = {}
            self._renew()
            self._promise_last_words()

    def _renew(self) -> None:
        """Counts from zero, in a provider that has no inherited locks."""
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
        for _, _, part in self._given_to:
            if isinstance(part, JournalSpans):
                part.begin(self.began, self.lines)
            elif isinstance(part, JournalLogs):
                part.begin(self.lines)
        self._serve()

    def _resource_of_child(self) -> Resource:
        resource = getattr(self.providers["traces"], "resource", None)
        return (resource if isinstance(resource, Resource) else self._resource()).merge(Resource({names.SERVICE_INSTANCE_ID: self.instance}))

    def _promise_last_words(self) -> None:
        if not self._promised:  # grandchildren inherit the promise
            self._promised = True
            at_the_end_of_forked_workers(self, self._last_words)

    def _last_words(self) -> None:
        """A worker of multiprocessing ends without atexit: write its counts; its exit never waits for a network."""
        self.collect()
        self._close_scrape()
