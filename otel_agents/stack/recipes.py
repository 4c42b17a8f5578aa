"""How Go builds each server from the module files in collector/servers, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from otel_agents.stack.servers import ALERTMANAGER, JAEGER, OTELCOL, PROMETHEUS, VICTORIALOGS, Server

Words = tuple[str, ...]
STRIPPED = "-s -w"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How Go builds a server: commands, each in a folder of the build, that leave `makes` in {out}."""

    steps: tuple[tuple[str, Words], ...]
    makes: Words


def go_build(*words: str, versions: str = "") -> Words:
    return ("go", "build", "-trimpath", "-ldflags", f"{STRIPPED} {versions}".strip(), *words)


def common_version(server: Server) -> str:
    return f"-X github.com/prometheus/common/version.Version={server.version}"


ALERTMANAGER_COMMANDS = "github.com/prometheus/alertmanager/cmd"
JAEGER_VERSION = f"-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v{JAEGER.version}"
VICTORIALOGS_VERSION = f"-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=victoria-logs-v{VICTORIALOGS.version}"
RECIPES: Mapping[str, Recipe] = {
    "otelcol": Recipe(
        (
            (".", ("go", "run", f"go.opentelemetry.io/collector/cmd/builder@v{OTELCOL.version}", "--config", "builder.yaml", "--skip-compilation")),
            ("dist", go_build("-o", "{out}/otelcol-agents", ".")),
        ),
        ("otelcol-agents",),
    ),
    "victorialogs": Recipe(
        ((".", go_build("-o", "{out}/victoria-logs", "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs", versions=VICTORIALOGS_VERSION)),),
        ("victoria-logs",),
    ),
    "jaeger": Recipe(((".", go_build("-o", "{out}/jaeger", "github.com/jaegertracing/jaeger/cmd/jaeger", versions=JAEGER_VERSION)),), ("jaeger",)),
    "prometheus": Recipe(
        (
            (
                ".",
                go_build(
                    "-tags",
                    "netgo,remove_all_sd",
                    "-o",
                    "{out}/",
                    "github.com/prometheus/prometheus/cmd/prometheus",
                    "github.com/prometheus/prometheus/cmd/promtool",
                    versions=common_version(PROMETHEUS),
                ),
            ),
        ),
        ("prometheus", "promtool"),
    ),
    "alertmanager": Recipe(
        (
            (
                ".",
                (
                    "go",
                    "install",
                    "-trimpath",
                    "-ldflags",
                    f"{STRIPPED} {common_version(ALERTMANAGER)}",
                    f"{ALERTMANAGER_COMMANDS}/alertmanager@v{ALERTMANAGER.version}",
                    f"{ALERTMANAGER_COMMANDS}/amtool@v{ALERTMANAGER.version}",
                ),
            ),
        ),
        ("alertmanager", "amtool"),
    ),
}
