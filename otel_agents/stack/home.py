"""Where the stack's files are: configurations that travel with the package, binaries in the user's cache folder, everything that runs in the state folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from otel_agents.config.paths import journal_folder
from otel_agents.stack.problem import Problem, writing

HERE, CHECKOUT = Path(__file__).parent, Path(__file__).parents[2]
BINARIES_VARIABLE = "OTEL_AGENTS_STACK_BIN"
VARIABLE = re.compile(r"\$\{(?:env:)?((?:STACK|OTEL_AGENTS)_\w+)(:-)?")  # and whether it has a default


def travelling(name: str) -> Path:
    """One of the folders `collector` and `grafana`: beside this module in a wheel, at the root in a checkout."""
    return next((home / name for home in (HERE, CHECKOUT) if (home / name).is_dir()), HERE / name)


def collector() -> Path:
    return travelling("collector")


def grafana() -> Path:
    return travelling("grafana")


def overlays() -> dict[str, Path]:
    """Our Collector overlays by name."""
    return {path.stem: path for path in sorted((collector() / "overlays").glob("*.yaml"))}


def overlay(name: str) -> Path:
    """A Collector overlay: the name of one of ours, or a file. Raises Problem."""
    found = overlays().get(name) or Path(name).resolve()
    if not found.is_file():
        raise Problem(f"there is no overlay {name!r}, and no such file. There are: {', '.join(overlays())}")
    return found


def asked(files: Iterable[Path], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours that these configurations ask for, as far as they have a value; the journal's folder always has one. Raises Problem."""
    known = {"OTEL_AGENTS_JOURNAL_DIR": str(journal_folder()), **environ}
    found: dict[str, str] = {}
    for path in files:
        for name, default in VARIABLE.findall(path.read_text(encoding="utf-8")):
            if name in known:
                found[name] = known[name]
            elif not default:
                raise Problem(f"{name} is not set; the first lines of {path} say what it is")
    return found


def cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where built servers lie."""
    given = environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "otel-agents" / "servers"


def state() -> Path:
    """Where the stack keeps data, logs and what it needs to know of its processes: beside the journal's default place."""
    return journal_folder().parent / "stack"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one stack."""

    path: Path

    def make(self) -> None:
        """Make it, for this user alone: what agents said is in its data. Raises Problem."""
        with writing():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def record(self) -> Path:
        return self.path / "stack.json"

    @property
    def thresholds(self) -> Path:
        """Of its alerts, as it was given them."""
        return self.path / "alerts.json"

    @property
    def grafana(self) -> Path:
        """Boards, rules and provisioning with these thresholds."""
        return self.path / "grafana"

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
