"""The program's global providers: never taken. Watched, so that the program's own wins whenever it comes; ours is installed only where an item finds none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NamedTuple

from opentelemetry.util._once import Once

from otel_agents.telemetry.guard import guard

Found = Callable[[str, Any], None]


class Home(NamedTuple):
    """Where the API keeps one global provider: the module, its setter behind the public one, and the two names the setter fills."""

    module: str
    setter: str
    once: str
    provider: str

    def current(self) -> Any:
        """The provider that is set, or None."""
        return getattr(import_module(self.module), self.provider)

    def clear(self) -> None:
        """Make room for the program's own where ours stands."""
        module = import_module(self.module)
        setattr(module, self.once, Once())
        setattr(module, self.provider, None)


HOMES: Mapping[str, Home] = {
    "traces": Home("opentelemetry.trace", "_set_tracer_provider", "_TRACER_PROVIDER_SET_ONCE", "_TRACER_PROVIDER"),
    "metrics": Home("opentelemetry.metrics._internal", "_set_meter_provider", "_METER_PROVIDER_SET_ONCE", "_METER_PROVIDER"),
    "logs": Home("opentelemetry._logs._internal", "_set_logger_provider", "_LOGGER_PROVIDER_SET_ONCE", "_LOGGER_PROVIDER"),
}


class Watch:
    """Sees every global provider that is set. `found(signal, provider)` hears of those that the program sets, never of ours."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._originals: dict[str, Callable[..., None]] = {}
        self.ours: dict[str, Any] = {}

    def start(self) -> None:
        """Stand behind the setters of all three signals."""
        for signal, home in HOMES.items():
            module = import_module(home.module)
            self._originals[signal] = getattr(module, home.setter)
            setattr(module, home.setter, self._watching(signal, home, self._originals[signal]))

    def stop(self) -> None:
        """Put the setters back."""
        for signal, original in self._originals.items():
            setattr(import_module(HOMES[signal].module), HOMES[signal].setter, original)
        self._originals.clear()

    def install(self, signal: str, provider: Any) -> None:
        """Make ours the global one, unless the program has one by now."""
        self.ours[signal] = provider
        if HOMES[signal].current() is None:
            self._originals[signal](provider, log=False)

    def remove_ours(self) -> None:
        """Leave no global provider of ours behind."""
        for signal, provider in self.ours.items():
            if HOMES[signal].current() is provider:
                HOMES[signal].clear()
        self.ours.clear()

    def _watching(self, signal: str, home: Home, original: Callable[..., None]) -> Callable[..., None]:
        def set_provider(provider: Any, *args: Any, **kwargs: Any) -> None:
            ours = self.ours.get(signal)
            if ours is not None and home.current() is ours and provider is not ours:
                home.clear()
            original(provider, *args, **kwargs)
            if provider is not ours and home.current() is provider:
                with guard("join provider"):
                    self._found(signal, provider)

        return set_provider


# ------------------------------------------------------------------------------------------------ what a provider of the SDK's has behind it

COMPOSITES = {"traces": ("_active_span_processor", "_span_processors"), "logs": ("_multi_log_record_processor", "_log_record_processors")}
EXPORTERS = ("span_exporter", "_exporter", "_batch_processor", "exporter", "_span_processors", "_log_record_processors")
ALIKE = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}
COLLECTOR = {4317: 4318}  # one Collector listens on both


def parts(signal: str, provider: Any) -> tuple[Any, ...]:
    """A provider's processors, as the very tuple that it holds; of metrics its readers."""
    if signal == "metrics":
        return tuple(getattr(getattr(provider, "_measurement_consumer", None), "_reader_storages", ()))
    composite, held = COMPOSITES[signal]
    found: tuple[Any, ...] = getattr(getattr(provider, composite, None), held, ())
    return found


def leave(signal: str, provider: Any, part: Any) -> None:
    """Take our processor or reader away from a provider of the program's."""
    if signal == "metrics":
        if part in parts(signal, provider):
            provider.remove_metric_reader(part)
        return
    composite, held = COMPOSITES[signal]
    setattr(getattr(provider, composite), held, tuple(one for one in parts(signal, provider) if one is not part))


def follow(signal: str, ours: Any, theirs: Any) -> None:
    """What was taken from our provider (a tracer, a logger, an open span) tells the program's processors from now on, ours among them."""
    if signal in COMPOSITES:
        composite, held = COMPOSITES[signal]
        if hasattr(theirs, composite):
            setattr(getattr(ours, composite), held, (getattr(theirs, composite),))


class Exports:
    """Whether the program's own provider sends a signal to our endpoint already; looked up again only when its processors have changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[Any, ...], bool]] = {}

    def to(self, signal: str, provider: Any, url: str) -> bool:
        """Whether an OTLP exporter behind this provider sends to where `url` leads."""
        held = parts(signal, provider)
        known = self._known.get(signal)
        if known is None or (known[0] is not held and known[0] != held):
            known = self._known[signal] = (held, any(_leads(exporter, url) for exporter in _exporters(held)))
        return known[1]


def _leads(exporter: Any, url: str) -> bool:
    endpoint = vars(exporter).get("_endpoint")
    return type(endpoint) is not str or _place(endpoint) == _place(url)


def _place(url: str) -> tuple[str, int | None]:
    """Host and port; what nobody names is the scheme's."""
    from urllib.parse import urlsplit

    split = urlsplit(url if "://" in url else f"//{url}")
    host, port = split.hostname or "", split.port or {"http": 80, "https": 443}.get(split.scheme)
    return ALIKE.get(host, host), COLLECTOR.get(port or 0, port)


def _exporters(held: tuple[Any, ...]) -> list[Any]:
    """The OTLP exporters behind processors and readers, as deep as the SDK keeps them."""
    seen: list[Any] = []
    waiting = list(held)
    while waiting and len(seen) < 100:
        one = waiting.pop()
        seen.append(one)
        for value in [vars(one).get(name) for name in EXPORTERS] if hasattr(one, "__dict__") else ():
            waiting.extend(value if type(value) in (tuple, list) else () if value is None else (value,))
    return [one for one in seen if type(one).__module__.startswith("opentelemetry.exporter.otlp") and hasattr(one, "__dict__")]
