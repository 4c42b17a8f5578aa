"""The program's global providers: never taken. Watched, so that the program's own wins whenever it comes; ours is installed only where an item finds none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from opentelemetry.util._once import Once

from otel_agents.telemetry.guard import guard

Found = Callable[[str, Any], None]


@dataclass(frozen=True, slots=True)
class Home:
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


def exports_otlp(provider: Any) -> bool:
    """Whether a provider of the program's sends OTLP itself already (its processors or readers hold an OTLP exporter)."""
    return any(type(one).__module__.startswith("opentelemetry.exporter.otlp") for one in _exporters(provider))


def _exporters(provider: Any) -> list[Any]:
    """The exporters behind a provider, as deep as the SDK keeps them."""
    places = ("_active_span_processor", "_multi_log_record_processor", "_span_processors", "_log_record_processors", "_metric_readers")
    inner = ("span_exporter", "_exporter", "_batch_processor", "exporter")
    found: list[Any] = []
    waiting: list[Any] = [provider]
    while waiting and len(found) < 100:
        one = waiting.pop()
        held = [vars(one).get(name) for name in (*places, *inner)] if hasattr(one, "__dict__") else []
        for value in held:
            waiting.extend(value if isinstance(value, tuple | list | set) else [value] if value is not None else [])
        found.append(one)
    return found
