"""Every private name of the OpenTelemetry API and SDK that this package uses, each with a fallback for a release that has renamed it.

The dependency has no upper bound, and an underscore may be renamed in any release. No other module touches one (held by a test). Where a name is missing,
the public way is taken, which is slower or knows less, and that is logged once at debug. No telemetry is lost; what can't be kept without the name is:

- setters of the global providers: one that the program imported before `oa.start()` and calls after the first item isn't seen. API and SDK refuse it then.
- the variables that hold the global providers: a provider that the program sets after the first item can't replace ours. It gets our processors, and ours
  forwards spans and log records to its processors; its metric readers get nothing of what is measured through the API.
- lists of processors: whether the program's provider exports to our endpoint already is unknown, so we send too (twice at worst); its processors hear nothing
  of tracers and loggers taken from our provider before it set its own.
- update of a provider's resource: in a forked child, other processors than ours see the instance id that the SDK leaves there.
- the suppression keys of the API's context: other people's instrumentations see our own requests.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context

if TYPE_CHECKING:
    from opentelemetry._logs import Logger, SeverityNumber, get_logger
    from opentelemetry._logs import LoggerProvider as ApiLoggerProvider
    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, ConsoleLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader as ReceivingReader
    from opentelemetry.sdk.metrics.export import MetricsData

logger = logging.getLogger("otel_agents")
MISSING = object()
_missing: set[str] = set()


def missed(name: str) -> None:
    """Log once at debug that this release has no such name."""
    if name not in _missing:
        _missing.add(name)
        logger.debug("otel-agents: this OpenTelemetry release has no %s; the public, slower way is used", name)


def private(owner: Any, name: str, instead: Any) -> Any:
    """The owner's attribute, or `instead`."""
    try:
        return getattr(owner, name)
    except AttributeError:
        missed(f"{getattr(owner, '__name__', type(owner).__name__)}.{name}")
        return instead


def first_module(*names: str) -> Any:
    """The first module of these that the installed release has."""
    for name in names[:-1]:
        try:
            return import_module(name)
        except ImportError:
            missed(name)
    return import_module(names[-1])


# ------------------------------------------------------------------------------------------------ context

SPAN: str = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, Context())))  # the keys have no public names, but a public way to see them
BAGGAGE: str = next(iter(baggage.set_baggage("key", "value", Context())))
SUPPRESSED: str = private(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
SUPPRESSED_HTTP: str = private(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
UTIL_GENAI = "opentelemetry.util.genai._conversation_context"  # looked for among the loaded modules only


class PublicContext:
    """What `_RUNTIME_CONTEXT` offers, by public functions. `context.detach` logs where it fails, so a token is put back by its own variable."""

    get_current = staticmethod(context.get_current)
    attach = staticmethod(context.attach)

    @staticmethod
    def detach(token: Any) -> None:
        """Put back what was current before. Raises ValueError in another context than the token's."""
        token.var.reset(token)


_runtime: Any = private(context, "_RUNTIME_CONTEXT", PublicContext)
get_current: Callable[[], Context] = _runtime.get_current  # what the API's functions of these names call
attach: Callable[[Context], Any] = _runtime.attach
detach: Callable[[Any], None] = _runtime.detach


# ------------------------------------------------------------------------------------------------ logs, whose packages are private until they are stable

LOGS = ("opentelemetry._logs", "opentelemetry.logs")
SDK_LOGS = ("opentelemetry.sdk._logs", "opentelemetry.sdk.logs")
SDK_LOGS_EXPORT = tuple(f"{name}.export" for name in SDK_LOGS)
FOUND_IN: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Logger", "SeverityNumber", "get_logger"), LOGS),
    **dict.fromkeys(("LoggerProvider", "LogRecordProcessor", "ReadableLogRecord", "ReadWriteLogRecord"), SDK_LOGS),
    **dict.fromkeys(("BatchLogRecordProcessor", "ConsoleLogRecordExporter", "SimpleLogRecordProcessor"), SDK_LOGS_EXPORT),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """The names of FOUND_IN, and the class of readers, when first asked for: importing this module must not import the SDK."""
        if name == "ReceivingReader":
            return globals().setdefault(name, receiving_reader())
        if name not in FOUND_IN:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(first_module(*FOUND_IN[name]), name))


# ------------------------------------------------------------------------------------------------ the API's global providers


class Home(NamedTuple):
    """Where the API keeps the global provider of one signal: its public module, the one that holds it, and the names there."""

    public: tuple[str, ...]
    holders: tuple[str, ...]
    noun: str

    @property
    def holder(self) -> Any:
        return first_module(*self.holders)

    @property
    def variable(self) -> str:
        return f"_{self.noun.upper()}"

    @property
    def once(self) -> str:
        return f"_{self.noun.upper()}_SET_ONCE"

    def current(self) -> Any:
        """The provider that is set, or None."""
        found = private(self.holder, self.variable, MISSING)
        if found is not MISSING:
            return found
        found = getattr(first_module(*self.public), f"get_{self.noun}")()
        return None if "Proxy" in type(found).__name__ else found

    def setter(self) -> tuple[Any, str]:
        """The function that sets it, as module and name: the one behind the public one, which programs may have imported already."""
        holder, name = self.holder, f"_set_{self.noun}"
        if hasattr(holder, name):
            return holder, name
        missed(f"{holder.__name__}.{name}")
        return first_module(*self.public), f"set_{self.noun}"

    def clear(self) -> bool:
        """Let nothing be set; whether the setter takes another provider now."""
        holder = self.holder
        if hasattr(holder, self.variable):
            setattr(holder, self.variable, None)
        once = private(holder, self.once, None)
        if once is not None:
            setattr(holder, self.once, type(once)())
        return once is not None

    def put(self, provider: Any) -> None:
        """Set it past the setter, which takes only one."""
        if hasattr(self.holder, self.variable):
            setattr(self.holder, self.variable, provider)


HOMES: Mapping[str, Home] = {
    "traces": Home(("opentelemetry.trace",), ("opentelemetry.trace",), "tracer_provider"),
    "metrics": Home(("opentelemetry.metrics",), ("opentelemetry.metrics._internal", "opentelemetry.metrics"), "meter_provider"),
    "logs": Home(LOGS, ("opentelemetry._logs._internal", "opentelemetry.logs._internal", *LOGS), "logger_provider"),
}


def proxies() -> list[tuple[Any, str]]:
    """What a tracer or logger that was taken before any provider was set goes through to reach the real one, as class and attribute."""
    return [*_proxy(trace, "ProxyTracer", "_tracer", "start_span", "start_as_current_span"), *_proxy(HOMES["logs"].holder, "ProxyLogger", "_logger", "emit")]


def _proxy(module: Any, kind: str, attribute: str, *methods: str) -> list[tuple[Any, str]]:
    owner = private(module, kind, None)
    if owner is None:
        return []
    if isinstance(vars(owner).get(attribute), property):
        return [(owner, attribute)]
    missed(f"{kind}.{attribute}")
    return [(owner, name) for name in methods]


# ------------------------------------------------------------------------------------------------ the SDK's providers

COMPOSITES = {"traces": ("_active_span_processor", "_span_processors"), "logs": ("_multi_log_record_processor", "_log_record_processors")}
TAKES = {"traces": "add_span_processor", "metrics": "add_metric_reader", "logs": "add_log_record_processor"}


def parts(signal: str, provider: Any) -> tuple[Any, ...]:
    """A provider's processors, as the very tuple that it holds; of metrics its readers. Of a provider of ours, what was added to it is known in any case."""
    if signal in COMPOSITES:
        return held(signal, provider)()
    storages = getattr(getattr(provider, "_measurement_consumer", None), "_reader_storages", None)
    return added(signal, provider) if storages is None else tuple(storages)


def held(signal: str, provider: Any) -> Callable[[], tuple[Any, ...]]:
    """What returns the processors that a provider has by then; it is asked for every item."""
    composite, name = composite_of(signal, provider), COMPOSITES[signal][1]
    if not hasattr(composite, name):
        return lambda: added(signal, provider)
    if signal == "traces":
        return lambda: composite._span_processors  # written out: getattr takes twice as long
    return lambda: composite._log_record_processors


def added(signal: str, provider: Any) -> tuple[Any, ...]:
    """What a provider of ours has been given by its public method; nothing is known of others."""
    if hasattr(provider, TAKES[signal]):
        missed(f"list of processors or readers in {type(provider).__mro__[-2].__module__}")
    found: tuple[Any, ...] = getattr(provider, "added", ())
    return found


def composite_of(signal: str, provider: Any) -> Any:
    """What a provider hands its items to: one processor for all that were added; None where that can't be told."""
    found = getattr(provider, COMPOSITES[signal][0], None)
    if found is None and signal == "traces" and hasattr(provider, TAKES[signal]):
        found = getattr(provider.get_tracer(__name__), "span_processor", None)  # public, but makes a tracer
    return found


def leave(signal: str, provider: Any, part: Any) -> None:
    """Take our processor or reader away from a provider."""
    if signal == "metrics":
        if part in parts(signal, provider) or not hasattr(getattr(provider, "_measurement_consumer", None), "_reader_storages"):
            provider.remove_metric_reader(part)
        return
    composite, name = composite_of(signal, provider), COMPOSITES[signal][1]
    if hasattr(composite, name):
        setattr(composite, name, tuple(one for one in parts(signal, provider) if one is not part))
    else:
        retire(part)


def follow(signal: str, ours: Any, theirs: Any) -> None:
    """What was taken from our provider (a tracer, a logger, an open span) goes to the processors of the program's from now on, ours among them."""
    beyond = composite_of(signal, theirs) if signal in COMPOSITES else None
    if beyond is None:
        return
    composite, name = composite_of(signal, ours), COMPOSITES[signal][1]
    if hasattr(composite, name):
        setattr(composite, name, (beyond,))
        return
    for part in parts(signal, ours):
        retire(part)
    getattr(ours, TAKES[signal])(beyond)


def retire(part: Any) -> None:
    """Have a processor that can't be taken away do nothing any more."""
    getattr(part, "retire", part.shutdown)()


def update_resource(provider: Any, resource: Any) -> bool:
    """Merge the resource into a provider's, its tracers' and its loggers'; whether that could be done: 1.43 can't."""
    update = private(provider, "_update_resource", None)
    if update is not None:
        update(resource)
    return update is not None


# ------------------------------------------------------------------------------------------------ exporters and metric readers

EXPORTERS = {
    "traces": (("trace_exporter",), "OTLPSpanExporter"),
    "metrics": (("metric_exporter",), "OTLPMetricExporter"),
    "logs": (("_log_exporter", "log_exporter"), "OTLPLogExporter"),
}


def otlp_exporter(package: str, signal: str) -> type[Any]:
    """The class of the official exporter of a signal. Raises ImportError where the package is not installed."""
    modules, name = EXPORTERS[signal]
    found: type[Any] = getattr(first_module(*(f"{package}.{module}" for module in modules)), name)
    return found


def receiving_reader() -> type[Any]:
    """The class of readers whose `receive(data)` is given what a collection has brought."""
    from opentelemetry.sdk.metrics.export import MetricReader

    if not hasattr(MetricReader, "_receive_metrics"):
        missed("MetricReader._receive_metrics")
        return exporting_reader()

    def _receive_metrics(self: Any, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        self.receive(metrics_data)

    return type("ReceivingReader", (MetricReader,), {"_receive_metrics": _receive_metrics})


def exporting_reader() -> type[Any]:
    """The same by public names: the SDK's periodic reader, which never collects by itself, with an exporter that hands over."""
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, PeriodicExportingMetricReader

    class Handing(MetricExporter):
        def __init__(self, receive: Callable[[MetricsData], None], **preferences: Any) -> None:
            super().__init__(**preferences)
            self.receive = receive

        def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
            self.receive(metrics_data)
            return MetricExportResult.SUCCESS

        def force_flush(self, timeout_millis: float = 10_000) -> bool:
            return True

        def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
            """Nothing waits here."""

    def __init__(self: Any, **preferences: Any) -> None:
        PeriodicExportingMetricReader.__init__(self, Handing(self.receive, **preferences), export_interval_millis=math.inf, export_timeout_millis=30_000)

    return type("ReceivingReader", (PeriodicExportingMetricReader,), {"__init__": __init__})


__all__ = [
    "BAGGAGE",
    "HOMES",
    "SPAN",
    "SUPPRESSED",
    "SUPPRESSED_HTTP",
    "TAKES",
    "UTIL_GENAI",
    "ApiLoggerProvider",
    "BatchLogRecordProcessor",
    "ConsoleLogRecordExporter",
    "Home",
    "LogRecordProcessor",
    "Logger",
    "LoggerProvider",
    "ReadWriteLogRecord",
    "ReadableLogRecord",
    "ReceivingReader",
    "SeverityNumber",
    "SimpleLogRecordProcessor",
    "attach",
    "detach",
    "follow",
    "get_current",
    "get_logger",
    "held",
    "leave",
    "missed",
    "otlp_exporter",
    "parts",
    "proxies",
    "update_resource",
]
