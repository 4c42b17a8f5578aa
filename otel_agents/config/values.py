"""The settings of a process, as the runtime uses them: one frozen class, whose rows say of each how it is read, its default, and what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from otel_agents.config import parsers
from otel_agents.config.parsers import COUNT, DURATION, FILE, HEADERS, LEVEL, NAMES, PATH, SIZE, SWITCH, TABLES, TEXT, URL, Kind, choice
from otel_agents.config.paths import journal_folder
from otel_agents.otlp.signals import SIGNALS
from otel_agents.redaction.messages import line, word
from otel_agents.redaction.urls import port_of, without_credentials

SEGMENTS: Final = 16  # a segment is at most this fraction of the journal's cap
GRPC_PORT: Final = 4317
DECLARATIVE: Final = (
    "OTEL_CONFIG_FILE={}: otel-agents does not build providers from a declarative file; start the program with opentelemetry-instrument, "
    "whose providers it joins, or set the OTEL_* variables instead"
)
SECTIONS: Final = ("agents", "models", "experiments", "alerts")
OTLP: Final[Mapping[str, tuple[Kind[Any], str]]] = {
    "endpoint": (URL, "Where telemetry is sent; unset, it stays in the local journal."),
    "protocol": (choice("http/json", "http/protobuf", "grpc"), "Unset: JSON first, protobuf where the endpoint does not accept JSON."),
    "headers": (HEADERS, "Sent with every request."),
    "timeout": (DURATION, "How long one request may take."),
    "compression": (choice("gzip", "none"), "How request bodies are compressed."),
    "certificate": (FILE, "The certificate authority of the endpoint."),
    "client_key": (FILE, "Our key for mutual TLS."),
    "client_certificate": (FILE, "Our certificate for mutual TLS."),
    "insecure": (SWITCH, "Whether gRPC to a host without a scheme goes without TLS."),
}
ROUTES: Final = ("", *(f"{signal}_" for signal in SIGNALS))
OTLP_KNOBS: Final[Mapping[str, Kind[Any]]] = {f"{route}{name}": kind for route in ROUTES for name, (kind, _) in OTLP.items()}
FORCED: Final = {"otlp": None, "otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}  # exporter names that mean OTLP → the protocol they require
OFFERED: Final = (*FORCED, "console", "none")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one signal is sent, and how. timeout: seconds. protocol None: JSON first, then protobuf. insecure None: not set."""

    url: str
    protocol: str | None
    headers: Mapping[str, str] = field(repr=False)
    timeout: float
    compression: str
    certificate: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None
    insecure: bool | None = None


def route(value: Any) -> Mapping[str, Any]:
    return {name: OTLP_KNOBS[name].parse(given) for name, given in value.items()}


def setting(kind: Kind[T], default: T, about: str) -> T:
    row: T = field(default=default, metadata={"kind": kind, "about": about})
    return row


def derived(kind: Kind[T], about: str) -> T:
    """A setting whose default depends on others or on the machine; `__post_init__` fills it in."""
    row: Any = field(default=None, metadata={"kind": kind, "about": about})
    return row  # type: ignore[no-any-return]  # nobody sees the None


def tables(kind: Kind[Mapping[str, T]], about: str) -> Mapping[str, T]:
    row: Mapping[str, T] = field(default_factory=dict, repr=False, metadata={"kind": kind, "about": about})
    return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of otel-agents, in bytes and seconds; `load()` makes one, `otel-agents config show` says where each value came from."""

    enabled: bool = setting(SWITCH, True, "Whether this program is observed.")
    service_name: str | None = setting(TEXT, None, "The name of the service; unset, OTEL_SERVICE_NAME or the program's name.")
    content: str = setting(choice("none", "metadata", "hashed", "redacted", "full"), "none", "How prompts and answers are recorded.")
    content_in: tuple[str, ...] = setting(parsers.PLACES, ("events",), "Where content is recorded.")
    content_max_bytes: int = setting(SIZE, 256 * 1024, "The longest value that is kept.")
    journal: bool = setting(SWITCH, True, "Off: the SDK's own exporters, which can lose items.")
    journal_dir: Path = derived(PATH, "The journal's folder; unset, the user's state folder.")
    journal_max_bytes: int = setting(parsers.JOURNAL_SIZE, 2**30, "The largest size of the journal's folder.")
    journal_max_age: float = setting(DURATION, 7 * 86400.0, "How long the journal keeps an item.")
    journal_rotate_bytes: int = derived(SIZE, "The size of one segment; at most, and unless set, a sixteenth of journal_max_bytes.")
    journal_fsync: bool = setting(SWITCH, False, "Whether items survive power loss too.")
    journal_group_readable: bool = setting(SWITCH, False, "Whether a Collector of the same group may read the journal.")
    ship: bool = setting(SWITCH, True, "Whether this process sends its journal; off where a Collector reads the folder.")
    ship_interval: float = setting(DURATION, 1.0, "How often the journal is sent.")
    join_export: bool = setting(SWITCH, False, "Send although the program's own provider already exports to the same place.")
    instrument: tuple[str, ...] | None = setting(NAMES, None, "The libraries that are observed; unset, every one found.")
    disable: tuple[str, ...] = setting(NAMES, (), "Libraries that are not observed.")
    old_metrics: bool = setting(SWITCH, False, "Also record the older names of the conventions' metrics.")
    metric_cardinality: int = setting(COUNT, 100, "How many values a metric's label may have before the rest is counted as _other.")
    metric_interval: float = setting(DURATION, 60.0, "How often metrics are collected.")
    metric_timeout: float = setting(DURATION, 30.0, "How long one collection may take.")
    metric_temporality: str = setting(choice("cumulative", "delta", "lowmemory"), "cumulative", "How sums and histograms are aggregated over time.")
    metric_histogram: str = setting(
        choice("explicit_bucket_histogram", "base2_exponential_bucket_histogram"), "explicit_bucket_histogram", "The aggregation of histograms."
    )
    logs: bool = setting(SWITCH, True, "Whether the standard library's log records are exported.")
    log_level: int = setting(LEVEL, 20, "The level from which log records are exported.")
    traces_exporter: tuple[str, ...] | None = setting(NAMES, None, "otlp, console or none.")
    metrics_exporter: tuple[str, ...] | None = setting(NAMES, None, "otlp, prometheus, console or none.")
    logs_exporter: tuple[str, ...] | None = setting(NAMES, None, "otlp, console or none.")
    id_generator: str | None = setting(TEXT, None, "The entry point that makes trace and span ids.")
    otlp: Mapping[str, Any] = tables(Kind(route, {}), "How telemetry is sent, by signal.")
    agents: Mapping[str, Any] = tables(TABLES, "The agents of this project, by name.")
    models: Mapping[str, Any] = tables(TABLES, "The models that agents may use, by name.")
    experiments: Mapping[str, Any] = tables(TABLES, "Templates of experiments, by name.")
    alerts: Mapping[str, Any] = tables(TABLES, "Thresholds of alerts, by the alert's name.")
    config_file: Path | None = setting(PATH, None, "The file that was read.")
    declarative_file: str | None = setting(TEXT, None, "What OTEL_CONFIG_FILE names.")
    origins: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Read every value. Raises ValueError, which names all that cannot be read."""
        for name, value in read(self).items():
            object.__setattr__(self, name, value)

    # where each signal goes

    def exporters(self, signal: str) -> tuple[str, ...] | None:
        """What OTEL_<SIGNAL>_EXPORTER names; None when it is not set."""
        return {"traces": self.traces_exporter, "metrics": self.metrics_exporter, "logs": self.logs_exporter}[signal]

    def exports(self, signal: str) -> bool:
        """Whether the signal is recorded at all: `none` stops the journal too."""
        return "none" not in (self.exporters(signal) or ())

    def endpoint(self, signal: str) -> Endpoint | None:
        """Where a signal ("traces", "metrics", "logs") is sent; None: it stays in the local journal."""
        url = self._url(signal)
        if url is None:
            return None
        chosen = {name: value for name in OTLP if name != "endpoint" and (value := self._route(signal, name)) is not None}
        return Endpoint(**{"headers": {}, "timeout": 10.0, "compression": "gzip", **chosen, "url": url, "protocol": self._protocol(signal)})

    @property
    def destination(self) -> str:
        """Whose segments this process may send: "local", or a hash of the three addresses without credentials."""
        endpoints = [self.endpoint(signal) for signal in SIGNALS]
        if not any(endpoints):
            return "local"
        from hashlib import sha256

        addresses = "\n".join(without_credentials(endpoint.url) if endpoint else "" for endpoint in endpoints)
        return sha256(addresses.encode()).hexdigest()[:16]

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines to log once at start: what the environment asks for that happens elsewhere, or not at all."""
        declared = [DECLARATIVE.format(self.declarative_file)] if self.declarative_file else []
        return tuple(line(one) for one in (*declared, *(one for signal in SIGNALS for one in self._exporter_notices(signal))))

    def _url(self, signal: str) -> str | None:
        own, general = self.otlp.get(f"{signal}_endpoint"), self.otlp.get("endpoint")
        if not self._ships(signal, own or general):
            return None
        if self._protocol(signal) == "grpc":
            return str(own or general or "http://localhost:4317")
        address = own or with_path(general or "http://localhost:4318", f"/v1/{signal}")
        return address if "://" in address else f"http://{address}"

    def _ships(self, signal: str, address: str | None) -> bool:
        """Whether an exporter that means OTLP is named, or none is and there is an address."""
        named = self.exporters(signal)
        return bool(address) if named is None else any(name in FORCED for name in named)

    def _protocol(self, signal: str) -> str | None:
        """The chosen protocol; unset, the port that is registered for gRPC decides."""
        forced = next((FORCED[name] for name in self.exporters(signal) or () if FORCED.get(name)), None)
        address = self._route(signal, "endpoint")
        return forced or self._route(signal, "protocol") or ("grpc" if address and port_of(address) == GRPC_PORT else None)

    def _route(self, signal: str, name: str) -> Any:
        """An OTLP setting of the signal, else the general one."""
        return self.otlp.get(f"{signal}_{name}", self.otlp.get(name))

    def _exporter_notices(self, signal: str) -> list[str]:
        label = self.origins.get(f"{signal}_exporter", f"{signal}_exporter")
        further, words = (("prometheus",), "otlp, prometheus, console or none") if signal == "metrics" else ((), "otlp, console or none")
        foreign = [name for name in self.exporters(signal) or () if name not in (*OFFERED, *further)]
        return [f"{label}={word(name)}: otel-agents has no such exporter; use {words}" for name in foreign]


def with_path(base: str, path: str) -> str:
    place, mark, query = base.partition("?")
    return f"{place.rstrip('/')}{path}{mark}{query}"


ROWS: Final = {one.name: one for one in fields(Settings) if one.metadata}
KNOBS: Final[Mapping[str, Kind[Any]]] = {name: row.metadata["kind"] for name, row in ROWS.items()}
SWITCHES: Final = frozenset(name for name, kind in KNOBS.items() if kind is SWITCH)
KNOWN: Final = frozenset(KNOBS) - {"otlp", "declarative_file"} | {f"otlp_{name}" for name in OTLP_KNOBS}  # the names that people may write


def read(settings: Settings) -> dict[str, Any]:
    """Every value as its kind reads it, and the defaults that follow from them. Raises ValueError."""
    values: dict[str, Any] = {}
    faults: list[str] = []
    for name, kind in KNOBS.items():
        value = getattr(settings, name)
        try:
            values[name] = value if value is ROWS[name].default else kind.parse(value)
        except ValueError as problem:
            faults.append(f"{name} {problem}")
    if too_large := segment_fault(values):
        faults.append(f"journal_rotate_bytes {too_large}")
    if faults:
        raise ValueError("; ".join(faults))
    values["journal_dir"] = values["journal_dir"] or journal_folder()
    values["journal_rotate_bytes"] = values["journal_rotate_bytes"] or largest_segment(values)
    return values


def largest_segment(values: Mapping[str, Any]) -> int:
    return int(values.get("journal_max_bytes", ROWS["journal_max_bytes"].default)) // SEGMENTS


def segment_fault(values: Mapping[str, Any]) -> str:
    """What is wrong with the size of a segment: the cap is kept by deleting whole ones, so none may be a large part of it."""
    largest = largest_segment(values)
    too_large = (values.get("journal_rotate_bytes") or 0) > largest
    return f"is more than a sixteenth of the journal: write at most {largest}, or raise journal_max_bytes" if too_large else ""


def made(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    """Settings of flat names (`otlp_endpoint`). Raises ValueError where one cannot be read."""
    plain = {name: value for name, value in values.items() if not name.startswith("otlp_")}
    routed = {name.removeprefix("otlp_"): value for name, value in values.items() if name.startswith("otlp_")}
    return Settings(**plain, otlp=routed, origins=origins)
