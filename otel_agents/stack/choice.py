"""Which stores the native stack runs on: Loki and Tempo where their binaries are installed, else VictoriaLogs and Jaeger, which are built."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from otel_agents.stack import home
from otel_agents.stack.build import best_installed
from otel_agents.stack.problem import Problem
from otel_agents.stack.servers import LOKI_TEMPO, OPEN, STORES, Server

SHOWN = {OPEN: "Jaeger and VictoriaLogs", LOKI_TEMPO: "Tempo and Loki"}
INSTALL = "{missing}. They are not built here: install them (https://grafana.com/docs), put them on PATH or name their folder in {variable}"


class Choice(NamedTuple):
    """The stores, by their key in servers.STORES, and the reason in words."""

    stores: str
    why: str


def choose(wanted: str | None = None, environ: Mapping[str, str] = os.environ) -> Choice:
    """The stores that are asked for, else Loki and Tempo if both are installed, else the open ones. Raises Problem."""
    if wanted == OPEN:
        return Choice(OPEN, "asked for")
    lacking = [text for server in STORES[LOKI_TEMPO] if (text := lack_of(server, environ))]
    if lacking and wanted == LOKI_TEMPO:
        raise Problem(INSTALL.format(missing="; ".join(lacking), variable=home.BINARIES_VARIABLE))
    if lacking:
        return Choice(OPEN, "; ".join(lacking))
    return Choice(LOKI_TEMPO, "asked for" if wanted else "both are installed")


def lack_of(server: Server, environ: Mapping[str, str]) -> str:
    """What is wrong with the installed binary of this server; empty when nothing is."""
    found = best_installed(server, environ)
    if found is None:
        return f"{server.name} is not on PATH"
    if found.version < server.at_least:
        return f"{found.binary} is {dotted(found.version) or 'of an unknown version'}, older than {dotted(server.at_least)}"
    return ""


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
