"""The API's global providers: the program's own always win, whenever it sets them; ours is installed only where the first item finds none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_agents.sdk.internals import HOMES, Home, parts
from otel_agents.telemetry.guard import guard

Found = Callable[[str, Any], None]


class Watch:
    """Sees every global provider that is set, and calls `found(signal, provider)` for those that the program sets."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._originals: dict[str, tuple[Any, str, Callable[..., None]]] = {}
        self.ours: dict[str, Any] = {}

    def start(self) -> None:
        """Wrap the setters of all three signals."""
        for signal, home in HOMES.items():
            module, name = home.setter()
            original = getattr(module, name)
            self._originals[signal] = module, name, original
            setattr(module, name, self._watching(signal, home, original))

    def stop(self) -> None:
        """Put the setters back."""
        for module, name, original in self._originals.values():
            setattr(module, name, original)
        self._originals.clear()

    def install(self, signal: str, provider: Any) -> None:
        """Make ours the global one, unless the program has one by now."""
        self.ours[signal] = provider
        if HOMES[signal].current() is None:
            _, name, original = self._originals[signal]
            original(provider, **({"log": False} if name.startswith("_") else {}))

    def remove_ours(self) -> None:
        """Leave no global provider of ours behind."""
        for signal, provider in self.ours.items():
            if HOMES[signal].current() is provider:
                HOMES[signal].clear()
        self.ours.clear()

    def _watching(self, signal: str, home: Home, original: Callable[..., None]) -> Callable[..., None]:
        def set_provider(provider: Any, *args: Any, **kwargs: Any) -> None:
            ours = self.ours.get(signal)
            replaces = ours is not None and provider is not ours and home.current() is ours
            if not replaces or home.clear():
                original(provider, *args, **kwargs)
            else:
                home.put(provider)
            if provider is not ours and (replaces or home.current() is provider):
                with guard("join provider"):
                    self._found(signal, provider)

        return set_provider


# ------------------------------------------------------------------------------------------------ whether the program exports to our endpoint itself

ALIKE = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}
COLLECTOR = {4317: 4318}  # one Collector listens on both
MAX_VISITED = 100


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
    """Whether an exporter sends there; where its endpoint can't be told, no: delivered twice is better than not at all."""
    endpoints = [value for name, value in vars(exporter).items() if name.strip("_") == "endpoint" and type(value) is str]
    return any(_place(endpoint) == _place(url) for endpoint in endpoints)


def _place(url: str) -> tuple[str, int | None]:
    """Host and port; the scheme's port where none is named."""
    from urllib.parse import urlsplit

    split = urlsplit(url if "://" in url else f"//{url}")
    host, port = split.hostname or "", split.port or {"http": 80, "https": 443}.get(split.scheme)
    return ALIKE.get(host, host), COLLECTOR.get(port or 0, port)


def _exporters(held: tuple[Any, ...]) -> list[Any]:
    """The OTLP exporters behind processors and readers, however deep they are wrapped."""
    seen: list[Any] = []
    waiting = list(held)
    while waiting and len(seen) < MAX_VISITED:
        one = waiting.pop()
        seen.append(one)
        waiting.extend(_behind(one))
    return [one for one in seen if type(one).__module__.startswith("opentelemetry.exporter.otlp") and hasattr(one, "__dict__")]


def _behind(one: Any) -> list[Any]:
    """What a processor hands its items to: its attributes that are called exporter or processor."""
    named = [value for name, value in vars(one).items() if "exporter" in name or "processor" in name] if hasattr(one, "__dict__") else []
    return [each for value in named if value is not None for each in (value if type(value) in (tuple, list) else (value,))]
