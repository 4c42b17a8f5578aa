"""Every knob, in one frozen class: `load()` reads call arguments, then the environment, then otel-agents.yaml or [tool.otel-agents], then the defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, PlainValidator, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from otel_agents import knobs
from otel_agents.environment import SIGNALS
from otel_agents.places import journal_folder
from otel_agents.sections import Table, section
from otel_agents.sources import SECTIONS, Found, Given, Known, gather

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
    "endpoint": knobs.url,
    "protocol": knobs.one_of(*PROTOCOLS),
    "headers": knobs.headers,
    "timeout": knobs.seconds,
    "compression": knobs.one_of("gzip", "none"),
    "certificate": knobs.file,
    "client_key": knobs.file,
    "client_certificate": knobs.file,
    "insecure": knobs.switch,
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


def segment_bytes(value: Any, info: ValidationInfo) -> int:
    """A sixteenth of the cap unless said; more is refused, because the cap is kept by deleting whole segments."""
    largest = int(info.data.get("journal_max_bytes", 2**30)) // SEGMENTS
    chosen = largest if value is None else knobs.size(value)
    if chosen > largest:
        raise ValueError(f"is more than a sixteenth of the journal: write at most {largest}, or raise journal_max_bytes")
    return chosen


def journal_bytes(value: Any) -> int:
    chosen = knobs.size(value)
    if chosen < SMALLEST_JOURNAL:
        raise ValueError("is too small for a journal: write at least 1MiB")
    return chosen


def folder(value: Any) -> Path:
    return journal_folder(os.environ) if value is None else knobs.path(value)


def routing(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: OTLP_KNOBS[name](given) for name, given in value.items()}


def content_places(value: Any) -> tuple[str, ...]:
    places = knobs.words(value)
    if not places or set(places) - {"spans", "events"}:
        raise ValueError("is not known here: use spans, events, or both")
    return places


Switch = Annotated[bool, PlainValidator(knobs.switch)]
Seconds = Annotated[float, PlainValidator(knobs.seconds)]
Words = Annotated[tuple[str, ...], PlainValidator(knobs.words)]
MaybeWords = Annotated[tuple[str, ...] | None, PlainValidator(knobs.words)]
MaybePath = Annotated[Path | None, PlainValidator(knobs.path)]
MaybeText = Annotated[str | None, PlainValidator(knobs.text)]
Sections = Mapping[str, Table]


class Settings(BaseSettings):
    """Every knob of otel-agents; units are bytes and seconds. `load()` makes one, `otel-agents config show` says where each value came from."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=False, protected_namespaces=())

    enabled: Switch = True
    service_name: MaybeText = None
    content: Annotated[str, PlainValidator(knobs.one_of(*MODES))] = "none"
    content_in: Annotated[tuple[str, ...], PlainValidator(content_places)] = ("events",)
    content_max_bytes: Annotated[int, PlainValidator(knobs.size)] = 256 * 1024
    journal: Switch = True
    journal_dir: Annotated[Path, PlainValidator(folder)] = Field(default=None, validate_default=True)
    journal_max_bytes: Annotated[int, PlainValidator(journal_bytes)] = 2**30
    journal_max_age: Seconds = 7 * 86400.0
    journal_rotate_bytes: Annotated[int, PlainValidator(segment_bytes)] = Field(default=None, validate_default=True)
    journal_fsync: Switch = False
    journal_group_readable: Switch = False
    ship: Switch = True
    ship_interval: Seconds = 1.0
    join_export: Switch = False
    instrument: MaybeWords = None
    disable: Words = ()
    old_metrics: Switch = False
    metric_cardinality: Annotated[int, PlainValidator(knobs.count)] = 100
    metric_interval: Seconds = 60.0
    metric_timeout: Seconds = 30.0
    metric_temporality: Annotated[str, PlainValidator(knobs.one_of(*TEMPORALITIES))] = "cumulative"
    metric_histogram: Annotated[str, PlainValidator(knobs.one_of(*HISTOGRAMS))] = "explicit_bucket_histogram"
    logs: Switch = True
    log_level: Annotated[int, PlainValidator(knobs.level)] = 20
    traces_exporter: MaybeWords = None
    metrics_exporter: MaybeWords = None
    logs_exporter: MaybeWords = None
    id_generator: MaybeText = None
    otlp: Annotated[Mapping[str, Any], PlainValidator(routing)] = Field(default_factory=dict, repr=False)
    agents: Annotated[Sections, PlainValidator(section("agents"))] = Field(default_factory=dict)
    models: Annotated[Sections, PlainValidator(section("models"))] = Field(default_factory=dict)
    experiments: Annotated[Sections, PlainValidator(section("experiments"))] = Field(default_factory=dict)
    alerts: Annotated[Sections, PlainValidator(section("alerts"))] = Field(default_factory=dict)
    config_file: MaybePath = None
    declarative_file: MaybeText = None
    origins: Mapping[str, str] = Field(default_factory=dict, repr=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *others: PydanticBaseSettingsSource,
        **named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Ours alone: pydantic-settings' own sources know neither the file's lines nor the OTEL_* names, which our messages need."""
        return (init_settings,)

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

        addresses = "\n".join(knobs.without_credentials(endpoint.url) if endpoint else "" for endpoint in endpoints)
        return sha256(addresses.encode()).hexdigest()[:16]

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines worth saying once at start: what was asked for in the environment and happens elsewhere, or not at all."""
        declared = [DECLARATIVE.format(self.declarative_file)] if self.declarative_file else []
        return (*declared, *(line for signal in SIGNALS for line in self._exporter_notices(signal)))

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
        return forced or self._route(signal, "protocol") or ("grpc" if address and knobs.port_of(address) == GRPC_PORT else None)

    def _route(self, signal: str, knob: str) -> Any:
        """An OTLP knob of the signal, else the general one."""
        return self.otlp.get(f"{signal}_{knob}", self.otlp.get(knob))

    def _exporter_notices(self, signal: str) -> list[str]:
        label = self.origins.get(f"{signal}_exporter", f"{signal}_exporter")
        foreign = [name for name in self.exporters(signal) or () if name not in OFFERED]
        return [f"{label}={name}: otel-agents has no such exporter; use otlp, console or none" for name in foreign]


def with_path(base: str, path: str) -> str:
    place, mark, query = base.partition("?")
    return f"{place.rstrip('/')}{path}{mark}{query}"


KNOWN: Final = Known(
    names=frozenset(Settings.model_fields) - {"otlp", "origins", "declarative_file"} | {f"otlp_{name}" for name in OTLP_KNOBS},
    switches=frozenset(name for name, knob in Settings.model_fields.items() if knob.annotation is bool),
)
SHOWN: Final = 80  # characters of a wrong value


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
            return made(given), lines
        except ValidationError as error:
            wrong = faults(error, given)
        for name, message in wrong.items():
            lines.append(explained(name, given[name], message))
            found.drop(name)


def made(given: Mapping[str, Given]) -> Settings:
    """Settings of what was found; validation is the class's."""
    plain = {name: value.value for name, value in given.items() if not name.startswith("otlp_")}
    routed = {name.removeprefix("otlp_"): value.value for name, value in given.items() if name.startswith("otlp_")}
    return Settings(**plain, otlp=routed, origins={name: value.label for name, value in given.items()})


def faults(error: ValidationError, given: Mapping[str, Given]) -> dict[str, str]:
    """Wrong names and what is wrong with them; the OTLP knobs, one field, are looked at one by one."""
    found: dict[str, str] = {}
    for fault in error.errors():
        name = str(fault["loc"][0])
        found |= routing_faults(given) if name == "otlp" else {name: str(fault.get("ctx", {}).get("error", fault["msg"]))}
    return found


def routing_faults(given: Mapping[str, Given]) -> dict[str, str]:
    return {
        name: wrong for name, value in given.items() if name.startswith("otlp_") and (wrong := fault_of(OTLP_KNOBS[name.removeprefix("otlp_")], value.value))
    }


def fault_of(parse: Callable[[Any], Any], value: Any) -> str:
    try:
        parse(value)
    except ValueError as problem:
        return str(problem)
    return ""


def explained(name: str, given: Given, message: str) -> str:
    return f"{given.label} {message}" if name in SECTIONS else f"{given.label}={shown(name, given.shown)} {message}"


def shown(name: str, value: Any) -> str:
    """A value as it may be printed: headers never, addresses without credentials, the rest cut."""
    if name.endswith("headers"):
        return "***"
    written = knobs.presentable(value) if name.endswith("endpoint") and isinstance(value, str) else value
    full = repr(written) if isinstance(written, str | int | float | bool | list | tuple | dict) else type(written).__name__
    return full if len(full) <= SHOWN else f"{full[:SHOWN]}…"
