"""Every knob, in one frozen class: `load()` reads call arguments, then the environment, then otel-agents.yaml or [tool.otel-agents], then the defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from otel_agents.config import parsers
from otel_agents.config.definitions import Table, section
from otel_agents.config.paths import journal_folder
from otel_agents.config.sources import SECTIONS, Found, Given, Known, gather
from otel_agents.otlp.signals import SIGNALS
from otel_agents.redaction.messages import line, word, wrong
from otel_agents.redaction.urls import port_of, without_credentials

MODES: Final = ("none", "metadata", "hashed", "redacted", "full")
TEMPORALITIES: Final = ("cumulative", "delta", "lowmemory")
HISTOGRAMS: Final = ("explicit_bucket_histogram", "base2_exponential_bucket_histogram")
PROTOCOLS: Final = ("http/json", "http/protobuf", "grpc")
SEGMENTS: Final = 16  # a segment is at most this part of the journal's cap
SMALLEST_JOURNAL: Final = 2**20  # an item may be nearly as large
GRPC_PORT: Final = 4317
DECLARATIVE: Final = (
    "OTEL_CONFIG_FILE={}: otel-agents builds no providers from a declarative file; start the program with opentelemetry-instrument, "
    "whose providers it joins, or set the OTEL_* variables instead"
)

OTLP: Final[Mapping[str, Any]] = {
    "endpoint": parsers.url,
    "protocol": parsers.one_of(*PROTOCOLS),
    "headers": parsers.headers,
    "timeout": parsers.seconds,
    "compression": parsers.one_of("gzip", "none"),
    "certificate": parsers.file,
    "client_key": parsers.file,
    "client_certificate": parsers.file,
    "insecure": parsers.switch,
}
ROUTES: Final = ("", *(f"{signal}_" for signal in SIGNALS))
OTLP_KNOBS: Final = {f"{route}{knob}": parse for route in ROUTES for knob, parse in OTLP.items()}
FORCED: Final = {"otlp": None, "otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}  # names of exporters that mean OTLP → the protocol they insist on
OFFERED: Final = (*FORCED, "console", "none")


class SettingsError(ValueError):
    """Settings that can't be used; `lines` says each in one line: where it stands, its value, what to write instead."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


class Wrong(ValueError):
    """Knobs that can't be read: `faults` says of each, by name, what is wrong with its value and what to write instead."""

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name} {fault}" for name, fault in faults.items()))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one signal is sent, and how. timeout: seconds. protocol None: JSON first, then protobuf. insecure None: not said."""

    url: str
    protocol: str | None
    headers: Mapping[str, str]
    timeout: float
    compression: str
    certificate: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None
    insecure: bool | None = None


def segment_bytes(value: Any, read: Read) -> int:
    """A sixteenth of the cap unless said; more is refused, because the cap is kept by deleting whole segments."""
    largest = int(read.get("journal_max_bytes", 2**30)) // SEGMENTS
    chosen = largest if value is None else parsers.size(value)
    if chosen > largest:
        raise ValueError(f"is more than a sixteenth of the journal: write at most {largest}, or raise journal_max_bytes")
    return chosen


def journal_bytes(value: Any) -> int:
    chosen = parsers.size(value)
    if chosen < SMALLEST_JOURNAL:
        raise ValueError("is too small for a journal: write at least 1MiB")
    return chosen


def folder(value: Any, _: Read) -> Path:
    return journal_folder(os.environ) if value is None else parsers.path(value)


def routing(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: OTLP_KNOBS[name](given) for name, given in value.items()}


def content_places(value: Any) -> tuple[str, ...]:
    places = parsers.words(value)
    if not places or set(places) - {"spans", "events"}:
        raise ValueError("is not known here: use spans, events, or both")
    return places


Read = Mapping[str, Any]  # the knobs that stand above one in the table, as they were read
Parse = Callable[[Any, Read], Any]
Sections = Mapping[str, Table]
T = TypeVar("T")


def knob(parse: Callable[[Any], T], default: T) -> T:
    """A row of the table: how a value is read that somebody gives, and what counts where nobody does."""
    return row(lambda value, _: default if value is default else parse(value), default=default)


def derived(parse: Callable[[Any, Read], T]) -> T:
    """A row whose default follows from what surrounds it: `parse` is asked for it with None."""
    return row(parse, default=None)


def mapping(parse: Callable[[Any], Mapping[str, T]], *, secret: bool = False) -> Mapping[str, T]:
    """A row of names and what belongs to each; none unless somebody gives them."""
    return row(lambda value, _: parse(value), default_factory=dict, repr=not secret)


def row(parse: Callable[[Any, Read], T], **declared: Any) -> T:
    declaration: T = field(metadata={"parse": parse}, **declared)
    return declaration


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every knob of otel-agents; units are bytes and seconds. `load()` makes one, `otel-agents config show` says where each value came from."""

    enabled: bool = knob(parsers.switch, True)
    service_name: str | None = knob(parsers.text, None)
    content: str = knob(parsers.one_of(*MODES), "none")
    content_in: tuple[str, ...] = knob(content_places, ("events",))
    content_max_bytes: int = knob(parsers.size, 256 * 1024)
    journal: bool = knob(parsers.switch, True)
    journal_dir: Path = derived(folder)
    journal_max_bytes: int = knob(journal_bytes, 2**30)
    journal_max_age: float = knob(parsers.seconds, 7 * 86400.0)
    journal_rotate_bytes: int = derived(segment_bytes)
    journal_fsync: bool = knob(parsers.switch, False)
    journal_group_readable: bool = knob(parsers.switch, False)
    ship: bool = knob(parsers.switch, True)
    ship_interval: float = knob(parsers.seconds, 1.0)
    join_export: bool = knob(parsers.switch, False)
    instrument: tuple[str, ...] | None = knob(parsers.words, None)
    disable: tuple[str, ...] = knob(parsers.words, ())
    old_metrics: bool = knob(parsers.switch, False)
    metric_cardinality: int = knob(parsers.count, 100)
    metric_interval: float = knob(parsers.seconds, 60.0)
    metric_timeout: float = knob(parsers.seconds, 30.0)
    metric_temporality: str = knob(parsers.one_of(*TEMPORALITIES), "cumulative")
    metric_histogram: str = knob(parsers.one_of(*HISTOGRAMS), "explicit_bucket_histogram")
    logs: bool = knob(parsers.switch, True)
    log_level: int = knob(parsers.level, 20)
    traces_exporter: tuple[str, ...] | None = knob(parsers.words, None)
    metrics_exporter: tuple[str, ...] | None = knob(parsers.words, None)
    logs_exporter: tuple[str, ...] | None = knob(parsers.words, None)
    id_generator: str | None = knob(parsers.text, None)
    otlp: Mapping[str, Any] = mapping(routing, secret=True)
    agents: Sections = mapping(section("agents"))
    models: Sections = mapping(section("models"))
    experiments: Sections = mapping(section("experiments"))
    alerts: Sections = mapping(section("alerts"))
    config_file: Path | None = knob(parsers.path, None)
    declarative_file: str | None = knob(parsers.text, None)
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Read every value as the table says. Raises Wrong."""
        for name, value in read(self).items():
            object.__setattr__(self, name, value)

    # where it goes

    def exporters(self, signal: str) -> tuple[str, ...] | None:
        """What OTEL_<SIGNAL>_EXPORTER names; None when it is not set."""
        return {"traces": self.traces_exporter, "metrics": self.metrics_exporter, "logs": self.logs_exporter}[signal]

    def exports(self, signal: str) -> bool:
        """Whether the signal is recorded at all: `none` stops the journal too."""
        return "none" not in (self.exporters(signal) or ())

    def endpoint(self, signal: str) -> Endpoint | None:
        """Where a signal ("traces", "metrics", "logs") is shipped to; None: it stays in the local journal."""
        url = self._url(signal)
        if url is None:
            return None
        return Endpoint(
            url=url,
            protocol=self._protocol(signal),
            headers=self._route(signal, "headers") or {},
            timeout=self._route(signal, "timeout") or 10.0,
            compression=self._route(signal, "compression") or "gzip",
            certificate=self._route(signal, "certificate"),
            client_key=self._route(signal, "client_key"),
            client_certificate=self._route(signal, "client_certificate"),
            insecure=self._route(signal, "insecure"),
        )

    @property
    def destination(self) -> str:
        """Whose segments are ours to ship: "local", or a hash over the three addresses, credentials left out."""
        endpoints = [self.endpoint(signal) for signal in SIGNALS]
        if not any(endpoints):
            return "local"
        from hashlib import sha256

        addresses = "\n".join(without_credentials(endpoint.url) if endpoint else "" for endpoint in endpoints)
        return sha256(addresses.encode()).hexdigest()[:16]

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines worth saying once at start: what was asked for in the environment and happens elsewhere, or not at all."""
        declared = [DECLARATIVE.format(self.declarative_file)] if self.declarative_file else []
        return tuple(line(one) for one in (*declared, *(one for signal in SIGNALS for one in self._exporter_notices(signal))))

    def _url(self, signal: str) -> str | None:
        own, base = self.otlp.get(f"{signal}_endpoint"), self.otlp.get("endpoint")
        if not self._ships(signal, own or base):
            return None
        if self._protocol(signal) == "grpc":
            return str(own or base or "http://localhost:4317")
        address = own or with_path(base or "http://localhost:4318", f"/v1/{signal}")
        return address if "://" in address else f"http://{address}"

    def _ships(self, signal: str, address: str | None) -> bool:
        """An exporter that means OTLP was named; or none was, and there is an address."""
        named = self.exporters(signal)
        return bool(address) if named is None else any(name in FORCED for name in named)

    def _protocol(self, signal: str) -> str | None:
        """What was chosen; unchosen, the port that is registered for gRPC says so too."""
        forced = next((FORCED[name] for name in self.exporters(signal) or () if FORCED.get(name)), None)
        address = self._route(signal, "endpoint")
        return forced or self._route(signal, "protocol") or ("grpc" if address and port_of(address) == GRPC_PORT else None)

    def _route(self, signal: str, knob: str) -> Any:
        """An OTLP knob of the signal, else the general one."""
        return self.otlp.get(f"{signal}_{knob}", self.otlp.get(knob))

    def _exporter_notices(self, signal: str) -> list[str]:
        label = self.origins.get(f"{signal}_exporter", f"{signal}_exporter")
        further, words = (("prometheus",), "otlp, prometheus, console or none") if signal == "metrics" else ((), "otlp, console or none")
        foreign = [name for name in self.exporters(signal) or () if name not in (*OFFERED, *further)]
        return [f"{label}={word(name)}: otel-agents has no such exporter; use {words}" for name in foreign]


def with_path(base: str, path: str) -> str:
    place, mark, query = base.partition("?")
    return f"{place.rstrip('/')}{path}{mark}{query}"


KNOBS: Final[Mapping[str, Parse]] = {one.name: one.metadata["parse"] for one in fields(Settings) if one.metadata}
KNOWN: Final = Known(
    names=frozenset(KNOBS) - {"otlp", "declarative_file"} | {f"otlp_{name}" for name in OTLP_KNOBS},
    switches=frozenset(one.name for one in fields(Settings) if isinstance(one.default, bool)),
)


def read(settings: Settings) -> dict[str, Any]:
    """What the parser of each knob makes of its value. Raises Wrong, which names all that can't be read."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, parse in KNOBS.items():
        try:
            values[name] = parse(getattr(settings, name), values)
        except ValueError as problem:
            faults[name] = str(problem)
    if faults:
        raise Wrong(faults)
    return values


def load(**overrides: Any) -> Settings:
    """The settings of this process. Raises SettingsError, whose lines name every wrong value, where it stands and what to write."""
    settings, lines = load_forgiving(**overrides)
    if lines:
        raise SettingsError(lines)
    return settings


def load_forgiving(**overrides: Any) -> tuple[Settings, list[str]]:
    """Settings in any case: what is wrong is left out (the next source, then the default, stands in) and said in one line each."""
    return build(gather(KNOWN, overrides, os.environ))


def build(found: Found) -> tuple[Settings, list[str]]:
    lines = list(found.problems)
    while True:
        given = found.merged()
        try:
            return made(given), [line(one) for one in lines]
        except Wrong as error:
            faults = each(error.faults, given)
        for name, message in faults.items():
            lines.append(explained(name, given[name], message))
            found.drop(name)


def made(given: Mapping[str, Given]) -> Settings:
    """Settings of what was found; reading the values is the class's."""
    plain = {name: value.value for name, value in given.items() if not name.startswith("otlp_")}
    routed = {name.removeprefix("otlp_"): value.value for name, value in given.items() if name.startswith("otlp_")}
    return Settings(**plain, otlp=routed, origins={name: value.label for name, value in given.items()})


def each(faults: Mapping[str, str], given: Mapping[str, Given]) -> dict[str, str]:
    """The faults by the names that people write; the OTLP knobs, one field, are looked at one by one."""
    found: dict[str, str] = {}
    for name, fault in faults.items():
        found |= routing_faults(given) if name == "otlp" else {name: fault}
    return found


def routing_faults(given: Mapping[str, Given]) -> dict[str, str]:
    return {
        name: fault for name, value in given.items() if name.startswith("otlp_") and (fault := fault_of(OTLP_KNOBS[name.removeprefix("otlp_")], value.value))
    }


def fault_of(parse: Callable[[Any], Any], value: Any) -> str:
    try:
        parse(value)
    except ValueError as problem:
        return str(problem)
    return ""


def explained(name: str, given: Given, message: str) -> str:
    return f"{given.label} {message}" if name in SECTIONS else f"{given.label}={wrong(name, given.shown)} {message}"
