"""The stack in containers: compose.yaml given to the Docker engine that answers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from otel_agents.stack import home
from otel_agents.stack.problem import Problem
from otel_agents.stack.servers import IN_CONTAINERS, LOKI_TEMPO, PORTS, Server
from otel_agents.stack.stores import Stores, stores_at

ANSWER_S = 10.0
PROJECT = "otel-agents"
FAILED = "`{command}` ended with {status}; what it said stands above. Without containers: otel-agents stack up --native"


def engine_answers() -> bool:
    """Whether there is a Docker engine, and compose with it."""
    return shutil.which("docker") is not None and all(succeeds("docker", *words) for words in (("info",), ("compose", "version")))


def succeeds(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, timeout=ANSWER_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@dataclass(frozen=True, slots=True)
class Compose:
    """The project of this user's Docker engine. grafana: the folder with its boards, rules and provisioning."""

    grafana: Path

    def is_up(self) -> bool:
        done = subprocess.run(self.words("ps", "--quiet", "--status=running"), capture_output=True, text=True, env=self.environment(), check=False)
        return done.returncode == 0 and bool(done.stdout.strip())

    def up(self) -> None:
        """Start what does not run, and return when all of it is healthy; pulls images at the first time."""
        self.run("up", "--detach", "--wait")
        self.take_rules()

    def take_rules(self) -> None:
        """Let Prometheus read the rules again."""
        self.run("kill", "--signal", "SIGHUP", "prometheus")

    def down(self, *, delete: bool = False) -> None:
        self.run("down", *(["--volumes"] if delete else []))

    def servers(self) -> tuple[Server, ...]:
        return IN_CONTAINERS

    def stores(self) -> Stores:
        return stores_at(PORTS, LOKI_TEMPO)

    def run(self, *what: str) -> None:
        words = self.words(*what)
        done = subprocess.run(words, env=self.environment(), check=False)
        if done.returncode:
            raise Problem(FAILED.format(command=" ".join(words), status=done.returncode))

    def environment(self) -> dict[str, str]:
        return {**os.environ, "STACK_GRAFANA": str(self.grafana)}

    def words(self, *what: str) -> Sequence[str]:
        return ["docker", "compose", "--project-name", PROJECT, "--file", str(home.collector() / "compose.yaml"), *what]
