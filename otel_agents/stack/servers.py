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
    "victorialogs": 9428,
    "jaeger": 16686,
    "jaeger_grpc": 16685,
    "jaeger_otlp": 4417,
    "jaeger_health": 13134,
    "jaeger_metrics": 8889,
}
GRAFANA_PORT = 3000


@dataclass(frozen=True, slots=True)
class Server:
    """One server. `command` and `environment` have {ports}, {data}, {etc} and {collector} (the folder of configurations) to be filled in.

    binaries: what it may be called on PATH; at_least: the oldest version that does; grace_s: seconds between the request to stop and the kill.
    ready, built: paths that answer 200 when it is ready, and its version. metrics_port: where it serves /metrics, when that is not `port`.
    ask_version: the word after which the binary prints its version. flush: the path that makes it write down what it holds; it is killed then, as Tempo's
    own way to stop takes 30 s, in which it refuses spans for good that the Collector would otherwise keep.
    """

    name: str
    version: str
    port: str
    ready_port: str
    ready: str
    built: str
    binaries: tuple[str, ...]
    at_least: tuple[int, ...]
    command: tuple[str, ...]
    ports: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str = ""  # of those that compose.yaml runs
    grace_s: float = 10.0
    flush: str = ""
    metrics_port: str = ""
    ask_version: str = "--version"

    @property
    def scraped(self) -> str:
        """The port whose /metrics Prometheus scrapes."""
        return self.metrics_port or self.port


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
        "STACK_VICTORIALOGS": "http://127.0.0.1:{victorialogs}",
        "STACK_JAEGER_OTLP": "127.0.0.1:{jaeger_otlp}",
    },
    metrics_port="otelcol",
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
    version="3.0.3",
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
VICTORIALOGS = Server(
    name="victorialogs",
    version="1.52.1",
    port="victorialogs",
    ready_port="victorialogs",
    ready="/health",
    built="",
    binaries=("victoria-logs", "victoria-logs-prod"),
    at_least=(1, 50),
    command=(
        "-storageDataPath={data}",
        "-httpListenAddr=127.0.0.1:{victorialogs}",
        "-retentionPeriod=%{{STACK_VICTORIALOGS_RETENTION}}",  # it fills in %{NAME} itself
        "-inmemoryDataFlushInterval=1s",  # what a crash of it may lose; the default is 5 s
        "-loggerLevel=WARN",
    ),
    ports=("victorialogs",),
    environment={"STACK_VICTORIALOGS_RETENTION": "744h"},
)
JAEGER = Server(
    name="jaeger",
    version="1.76.0",
    port="jaeger",
    ready_port="jaeger_health",
    ready="/status",
    built="",
    binaries=("jaeger",),
    at_least=(1, 76),
    command=("--config={collector}/jaeger.yaml",),
    ports=("jaeger", "jaeger_grpc", "jaeger_otlp", "jaeger_health", "jaeger_metrics"),
    environment={
        "STACK_JAEGER": "127.0.0.1:{jaeger}",
        "STACK_JAEGER_GRPC": "127.0.0.1:{jaeger_grpc}",
        "STACK_JAEGER_OTLP": "127.0.0.1:{jaeger_otlp}",
        "STACK_JAEGER_HEALTH": "127.0.0.1:{jaeger_health}",
        "STACK_JAEGER_METRICS_PORT": "{jaeger_metrics}",
        "STACK_JAEGER_DATA": "{data}",
    },
    metrics_port="jaeger_metrics",
    ask_version="version",
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
OPEN, LOKI_TEMPO = "open", "loki-tempo"
STORES: Mapping[str, tuple[Server, Server]] = {OPEN: (JAEGER, VICTORIALOGS), LOKI_TEMPO: (TEMPO, LOKI)}  # of traces, of logs
OVERLAYS: Mapping[str, tuple[str, ...]] = {OPEN: ("open-stores",), LOKI_TEMPO: ()}  # what the Collector needs to send to them


def servers_with(stores: str) -> tuple[Server, ...]:
    """The servers of a stack with these stores, in the order in which they start; they stop in the opposite one, that of what passes through them."""
    return (ALERTMANAGER, *STORES[stores], PROMETHEUS, OTELCOL)


SERVERS = (ALERTMANAGER, *(server for pair in STORES.values() for server in pair), PROMETHEUS, OTELCOL)  # all there are
IN_CONTAINERS = servers_with(LOKI_TEMPO)  # what compose.yaml runs
