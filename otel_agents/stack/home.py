"""Where the stack's files are: configurations that travel with the package, binaries in the user's cache folder, everything that runs in the state folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from otel_agents.places import journal_folder

HERE, CHECKOUT = Path(__file__).parent, Path(__file__).parents[2]
BINARIES_VARIABLE = "OTEL_AGENTS_STACK_BIN"


def travelling(name: str) -> Path:
    """One of the folders `collector` and `grafana`: beside this module in a wheel, at the root in a checkout."""
    return next((home / name for home in (HERE, CHECKOUT) if (home / name).is_dir()), HERE / name)


def collector() -> Path:
    return travelling("collector")


def grafana() -> Path:
    return travelling("grafana")


def overlay(name: str) -> Path:
    """A Collector overlay: the name of one of ours, or a file."""
    ours = collector() / "overlays" / f"{name}.yaml"
    return ours if ours.is_file() else Path(name).resolve()


def cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where built servers lie."""
    given = environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "otel-agents" / "servers"


def state(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the stack keeps data, logs and what it needs to know of its processes: beside the journal's default place."""
    return journal_folder(environ).parent / "stack"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one stack."""

    path: Path

    @property
    def record(self) -> Path:
        return self.path / "stack.json"

    @property
    def lock(self) -> Path:
        return self.path / "stack.lock"

    @property
    def settings(self) -> Path:
        return self.path / "etc"

    def data(self, server: str) -> Path:
        return self.path / "data" / server

    def log(self, server: str) -> Path:
        return self.path / "logs" / f"{server}.log"
