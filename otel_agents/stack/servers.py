"""The servers of the stack as data: versions, ports, how each is started, and asked for its health and version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PORTS: Mapping[str, int] = {
    "otlp_grpc": 4317,
    "otlp_http": 4318,
    "health": 13133,
    "otelcol": 8888,
    "prometheus": 9090,
    "loki": 3100,
    "tempo": 3200,
    "alertmanager": 9093,
    "tempo_otlp": 4417,
    "tempo_grpc": 9096,
    "tempo_gossip": 7947,
    "loki_grpc": 9095,
}
GRAFANA_PORT = 3000


@dataclass(frozen=True, slots=True)
class Server:
    """One server. `command` and `environment` have {ports}, {data}, {etc} and {collector} (the folder of configurations) to be filled in.

    binaries: what it may be called on PATH; at_least: the oldest version that does; grace_s: seconds between the request to stop and the kill.
    ready, built: paths that answer 200 when it is ready, and its version. flush: the path that makes it write down what it holds; it is killed then, as Tempo's
    own way to stop takes 30 s, in which it refuses spans for good that the Collector would otherwise keep.
    """

    name: str
    version: str
    image: str
    port: str
    ready_port: str
    ready: str
    built: str
    binaries: tuple[str, ...]
    at_least: tuple[int, ...]
    command: tuple[str, ...]
    ports: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 10.0
    flush: str = ""


OTELCOL = Server(
    name="otelcol",
    version="0.158.0",
    image="otel/opentelemetry-collector-contrib:0.158.0",
    port="otlp_http",
    ready_port="health",
    ready="/",
    built="",
    binaries=("otelcol-agents", "otelcol-contrib"),
    at_least=(0, 158),
    command=("--config={collector}/otelcol.yaml",),
    ports=("otlp_grpc", "otlp_http", "health", "otelcol"),
    environment={
        "STACK_OTLP_GRPC": "127.0.0.1:{otlp_grpc}",
        "STACK_OTLP_HTTP": "127.0.0.1:{otlp_http}",
        "STACK_HEALTH": "127.0.0.1:{health}",
        "STACK_METRICS_PORT": "{otelcol}",
        "STACK_QUEUE": "{data}",
        "STACK_PROMETHEUS": "http://127.0.0.1:{prometheus}",
        "STACK_LOKI": "http://127.0.0.1:{loki}",
        "STACK_TEMPO_OTLP": "127.0.0.1:{tempo_otlp}",
    },
)
PROMETHEUS_FLAGS = (  # compose.yaml gives the same, which a test holds
    "--web.enable-otlp-receiver",
    "--web.enable-remote-write-receiver",
    "--enable-feature=exemplar-storage,st-storage,xor2-encoding,use-start-timestamps,histograms-st-encoding",
    "--storage.tsdb.retention.time=31d",
)
PROMETHEUS = Server(
    name="prometheus",
    version="3.14.0",
    image="prom/prometheus:v3.14.0",
    port="prometheus",
    ready_port="prometheus",
    ready="/-/ready",
    built="/api/v1/status/buildinfo",
    binaries=("prometheus",),
    at_least=(3, 14),
    command=("--config.file={etc}/prometheus.yaml", "--storage.tsdb.path={data}", "--web.listen-address=127.0.0.1:{prometheus}", *PROMETHEUS_FLAGS),
    ports=("prometheus",),
)
LOKI = Server(
    name="loki",
    version="3.7.8",
    image="grafana/loki:3.7.8",
    port="loki",
    ready_port="loki",
    ready="/ready",
    built="/loki/api/v1/status/buildinfo",
    binaries=("loki",),
    at_least=(3, 4),
    command=("-config.file={collector}/loki.yaml", "-config.expand-env=true"),
    ports=("loki", "loki_grpc"),
    environment={"STACK_LOKI_PORT": "{loki}", "STACK_LOKI_GRPC_PORT": "{loki_grpc}", "STACK_LOKI_DATA": "{data}"},
)
TEMPO = Server(
    name="tempo",
    version="2.1.0",
    image="grafana/tempo:3.0.3",
    port="tempo",
    ready_port="tempo",
    ready="/ready",
    built="/api/status/buildinfo",
    binaries=("tempo",),
    at_least=(2, 1),
    command=("-config.file={collector}/tempo-{major}.yaml", "-config.expand-env=true"),
    ports=("tempo", "tempo_otlp", "tempo_grpc", "tempo_gossip"),
    environment={
        "STACK_TEMPO_PORT": "{tempo}",
        "STACK_TEMPO_GRPC_PORT": "{tempo_grpc}",
        "STACK_TEMPO_GOSSIP_PORT": "{tempo_gossip}",
        "STACK_TEMPO_OTLP": "127.0.0.1:{tempo_otlp}",
        "STACK_TEMPO_DATA": "{data}",
        "STACK_PROMETHEUS": "http://127.0.0.1:{prometheus}",
    },
    grace_s=5.0,
    flush="/flush",
)
ALERTMANAGER = Server(
    name="alertmanager",
    version="0.31.1",
    image="prom/alertmanager:v0.31.1",
    port="alertmanager",
    ready_port="alertmanager",
    ready="/-/ready",
    built="/api/v2/status",
    binaries=("alertmanager",),
    at_least=(0, 27),
    command=(
        "--config.file={collector}/alertmanager.yaml",
        "--storage.path={data}",
        "--web.listen-address=127.0.0.1:{alertmanager}",
        "--cluster.listen-address=",
    ),
    ports=("alertmanager",),
)
SERVERS = (ALERTMANAGER, TEMPO, LOKI, PROMETHEUS, OTELCOL)  # in the order of starting; they stop in the opposite one, that of what passes through them
