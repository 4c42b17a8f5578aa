"""The settings as keyword arguments of `oa.start()`, as type checkers, editors and the API reference see them.

Programs never import this module. A duration is a number of seconds, or a text with a unit ("500ms", "30s", "7d"); a size is a number of bytes, or a text
("512MB", "1GiB").
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Literal, TypedDict

Size = int | str
Duration = float | str
Names = str | list[str] | tuple[str, ...] | set[str] | frozenset[str]
File = str | PathLike[str]
Headers = str | Mapping[str, str]
Sections = Mapping[str, Mapping[str, Any]]
Mode = Literal["none", "metadata", "hashed", "redacted", "full"]
Place = Literal["spans", "events"]
Protocol = Literal["http/json", "http/protobuf", "grpc"]
Compression = Literal["gzip", "none"]


class Arguments(TypedDict, total=False):
    """Every setting that `oa.start()` takes. None: as if it was not given."""

    enabled: bool | None
    """Whether this program is observed; on. `OTEL_SDK_DISABLED=true` wins."""
    service_name: str | None
    """`service.name`; `OTEL_SERVICE_NAME` or the program's name if it is not given."""
    config_file: File | None
    """The file to read instead of otel-agents.yaml or the nearest pyproject.toml."""

    content: Mode | None
    """How prompts and answers are recorded; "none"."""
    content_in: Place | list[Place] | tuple[Place, ...] | None
    """Where they are recorded; "events"."""
    content_max_bytes: Size | None
    """The longest value that is kept; 256 KiB."""

    endpoint: str | None
    """Where telemetry is sent: "http://host:4318", "https://host", or "host:4317" for gRPC. Not given: it stays in the local journal."""
    protocol: Protocol | None
    """How it is sent; JSON first, then protobuf, if it is not given."""
    headers: Headers | None
    """Headers of each request, such as authorization: a mapping, or "name=value,name=value" with values percent-encoded."""
    otlp_endpoint: str | None
    """The same as endpoint."""
    otlp_protocol: Protocol | None
    """The same as protocol."""
    otlp_headers: Headers | None
    """The same as headers."""
    otlp_timeout: Duration | None
    """How long one request may take; 10 s."""
    otlp_compression: Compression | None
    """How requests are compressed; "gzip"."""
    otlp_certificate: File | None
    """The certificates (PEM) that the endpoint is verified against."""
    otlp_client_key: File | None
    """This program's private key (PEM), for mutual TLS."""
    otlp_client_certificate: File | None
    """This program's certificate (PEM), for mutual TLS."""
    otlp_insecure: bool | None
    """gRPC without TLS, where the endpoint has no scheme."""
    otlp_traces_endpoint: str | None
    """As otlp_endpoint, for traces alone: the whole address, with its path; so are the next eight."""
    otlp_traces_protocol: Protocol | None
    otlp_traces_headers: Headers | None
    otlp_traces_timeout: Duration | None
    otlp_traces_compression: Compression | None
    otlp_traces_certificate: File | None
    otlp_traces_client_key: File | None
    otlp_traces_client_certificate: File | None
    otlp_traces_insecure: bool | None
    otlp_metrics_endpoint: str | None
    """As otlp_endpoint, for metrics alone: the whole address, with its path; so are the next eight."""
    otlp_metrics_protocol: Protocol | None
    otlp_metrics_headers: Headers | None
    otlp_metrics_timeout: Duration | None
    otlp_metrics_compression: Compression | None
    otlp_metrics_certificate: File | None
    otlp_metrics_client_key: File | None
    otlp_metrics_client_certificate: File | None
    otlp_metrics_insecure: bool | None
    otlp_logs_endpoint: str | None
    """As otlp_endpoint, for logs alone: the whole address, with its path; so are the next eight."""
    otlp_logs_protocol: Protocol | None
    otlp_logs_headers: Headers | None
    otlp_logs_timeout: Duration | None
    otlp_logs_compression: Compression | None
    otlp_logs_certificate: File | None
    otlp_logs_client_key: File | None
    otlp_logs_client_certificate: File | None
    otlp_logs_insecure: bool | None
    join_export: bool | None
    """Send although the program's own provider already exports to the same place; off."""
    traces_exporter: Names | None
    """One or more of "otlp", "console", "none" for spans; "none" stops the journal, too."""
    metrics_exporter: Names | None
    """The same for metrics; also "prometheus"."""
    logs_exporter: Names | None
    """The same for log records."""
    id_generator: str | None
    """The entry point (`opentelemetry_id_generator`) that makes trace and span ids."""

    journal: bool | None
    """On. Off: the SDK's own exporters, which can lose items."""
    journal_dir: File | None
    """The journal's folder; the user's state folder if it is not given."""
    journal_max_bytes: Size | None
    """The largest size of the journal's folder; 1 GiB, at least 1 MiB."""
    journal_max_age: Duration | None
    """How long the journal keeps an item; 7 days."""
    journal_rotate_bytes: Size | None
    """The size of one segment; at most, and if it is not given, a sixteenth of journal_max_bytes."""
    journal_fsync: bool | None
    """Whether items survive power loss, too; off."""
    journal_group_readable: bool | None
    """Whether a Collector of the same group may read the journal; off."""
    ship: bool | None
    """Whether this process sends its journal; on. Off where a Collector reads the folder."""
    ship_interval: Duration | None
    """How often the journal is sent; 1 s."""

    instrument: Names | None
    """The libraries that are observed; every one found if it is not given."""
    disable: Names | None
    """Libraries that are not observed."""

    logs: bool | None
    """Whether the standard library's log records are exported; on."""
    log_level: int | str | None
    """The level from which log records are exported: a name such as "warning", or a number; "info"."""

    metric_interval: Duration | None
    """How often metrics are collected; 60 s."""
    metric_timeout: Duration | None
    """How long one collection may take; 30 s."""
    metric_temporality: Literal["cumulative", "delta", "lowmemory"] | None
    """How sums and histograms are aggregated over time; "cumulative"."""
    metric_histogram: Literal["explicit_bucket_histogram", "base2_exponential_bucket_histogram"] | None
    """How histograms are aggregated; "explicit_bucket_histogram"."""
    metric_cardinality: int | None
    """How many values a metric's label may have before the rest counts as `_other`; 100."""
    old_metrics: bool | None
    """Also record the older names of the conventions' metrics; off."""

    agents: Sections | None
    """The agents of this project, by name."""
    models: Sections | None
    """The models that agents may use, by name."""
    experiments: Sections | None
    """Templates of experiments, by name."""
    alerts: Sections | None
    """Thresholds of alerts, by the alert's name."""
