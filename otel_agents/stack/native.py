"""The stack without containers: the servers as processes of this user on loopback, which outlive the terminal."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from otel_agents.stack import build, home, ports, processes
from otel_agents.stack.answers import ask
from otel_agents.stack.build import Found, Tell
from otel_agents.stack.choice import SHOWN, Choice, choose
from otel_agents.stack.home import Home
from otel_agents.stack.problem import Problem
from otel_agents.stack.processes import Process
from otel_agents.stack.servers import OPEN, OTELCOL, OVERLAYS, PORTS, SERVERS, STORES, Server, servers_with
from otel_agents.stack.stores import Stores, stores_at

READY_S = 120.0
DIED = "{name} ended at once. {log} has all it said; its end:\n{tail}"
REFUSED = "the Collector does not take {overlays}:\n{said}"
ANOTHER = "the stack runs already, with another configuration. End it first: otel-agents stack down"
LATE = "{name} is not ready after {seconds:.0f} s ({said}). {log} has all it said; its end:\n{tail}"


def quiet(server: str, text: str) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Record:
    """What is remembered of a stack: which stores and why, ports, further Collector configurations, variables, its servers' processes."""

    stores: str = OPEN
    why: str = ""
    ports: dict[str, int] = field(default_factory=lambda: dict(PORTS))
    overlays: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def process(self, name: str) -> Process | None:
        known = self.servers.get(name)
        return Process(known["pid"], known["started"]) if known else None


@dataclass(frozen=True, slots=True)
class Native:
    """A stack in a folder."""

    home: Home
    tell: Tell = quiet

    # what is remembered

    def record(self) -> Record:
        try:
            return Record(**json.loads(self.home.record.read_text()))
        except (OSError, ValueError, TypeError):  # never started, or cut short by a crash: processes are found by their mark
            return Record()

    def write(self, record: Record) -> None:
        self.home.make()
        unfinished = self.home.record.with_suffix(".tmp")
        unfinished.write_text(json.dumps(asdict(record), indent=2))
        unfinished.replace(self.home.record)

    @contextmanager
    def alone(self) -> Iterator[None]:
        self.home.make()
        with build.locked(self.home.lock, lambda: self.tell("stack", "another command is at it, waiting")):
            yield

    def living(self) -> set[str]:
        record = self.record()
        return {name for name in record.servers if (process := record.process(name)) is not None and processes.lives(process)}

    def is_up(self) -> bool:
        return bool(self.living())

    def servers(self) -> tuple[Server, ...]:
        """Its servers in the order in which they start."""
        return servers_with(self.record().stores)

    def stores(self) -> Stores:
        record = self.record()
        return stores_at(record.ports, record.stores)

    # up

    def up(self, *, stores: str | None = None, free_ports: bool = False, overlays: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> None:
        """Start what does not run, and return when all of it is ready.

        stores: a key of servers.STORES (default: what choice.choose finds); environ: the variables that configurations ask for. Raises Problem.
        """
        given = [str(home.overlay(name)) for name in overlays]
        chosen = self.chosen(stores, environ)
        found = build.have(servers_with(chosen.stores), tell=self.tell)
        with self.alone():
            record = self.wanted(chosen, free_ports, given, environ)
            missing = [server for server in servers_with(record.stores) if server.name not in self.living()]
            ports.check(record.ports, {server.name for server in missing})
            self.prepare(record)
            if OTELCOL in missing and record.overlays:
                self.validate(found[OTELCOL.name], record)
            if missing:
                self.tell("stores", f"{SHOWN[record.stores]} ({record.why})")
            for server in missing:
                self.start(server, found[server.name], record)
        self.await_ready()

    def chosen(self, stores: str | None, environ: Mapping[str, str]) -> Choice:
        """The stores of the running stack, which it keeps; else those that are asked for or found."""
        if not self.living():
            return choose(stores, environ)
        record = self.record()
        if stores not in (None, record.stores):
            raise Problem(ANOTHER)
        return Choice(record.stores, record.why)

    def wanted(self, chosen: Choice, free_ports: bool, overlays: list[str], environ: Mapping[str, str]) -> Record:
        """The record to start from: that of the running stack, whose ports and configuration it keeps; else a new one."""
        self.stop_strays()
        record = self.record()
        if not self.living():
            taken = ports.free_ports() if free_ports else dict(PORTS)
            return Record(chosen.stores, chosen.why, taken, overlays, variables(chosen.stores, overlays, environ))
        overlays = overlays or record.overlays
        wanted = (chosen.stores, overlays, variables(record.stores, overlays, {**record.variables, **environ}))
        if wanted != (record.stores, record.overlays, record.variables):
            raise Problem(ANOTHER)
        return record

    def validate(self, found: Found, record: Record) -> None:
        """Let the Collector look at what it would be started with, before anything is."""
        command, environment = self.command(OTELCOL, found, record)
        words = [command[0], "validate", *command[1:]]
        done = subprocess.run(words, env=processes.environment_of(environment), capture_output=True, text=True, cwd=self.home.data(OTELCOL.name), check=False)
        if done.returncode:
            raise Problem(REFUSED.format(overlays=", ".join(record.overlays), said=done.stderr.strip()))

    def stop_strays(self) -> None:
        """End processes of this stack that its record doesn't know: an `up` was killed between starting and noting one."""
        known = {one["pid"] for one in self.record().servers.values()}
        for stray in processes.marked(str(self.home.path)):
            if stray.pid not in known:
                processes.stop(stray, 2.0)

    def prepare(self, record: Record) -> None:
        """Write what the configurations can't be told by variables: whom Prometheus scrapes and tells."""
        etc, servers = self.home.settings, servers_with(record.stores)
        for folder in (etc / "targets", etc / "rules", *(self.home.data(server.name) for server in servers)):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(home.collector() / "prometheus.yaml", etc)
        self.take_rules()
        at = {name: f"{ports.LOOPBACK}:{port}" for name, port in record.ports.items()}
        jobs = [{"targets": [at[server.scraped]], "labels": {"job": server.name}} for server in reversed(servers)]
        (etc / "targets" / "servers.yaml").write_text(json.dumps(jobs, indent=2))  # JSON is YAML
        (etc / "targets" / "alertmanager.yaml").write_text(json.dumps([{"targets": [at["alertmanager"]]}]))

    def take_rules(self) -> None:
        """Put the rules where Prometheus reads them, and let it read them again if it runs and they have changed."""
        wanted, given = (rules_in(folder) for folder in (self.home.grafana / "rules", self.home.settings / "rules"))
        wanted = wanted or rules_in(home.grafana() / "rules")
        for name in given.keys() - wanted.keys():
            (self.home.settings / "rules" / name).unlink()
        for name, text in wanted.items():
            (self.home.settings / "rules" / name).write_text(text, encoding="utf-8")
        if wanted != given and (process := self.record().process("prometheus")) is not None and processes.lives(process):
            processes.send(process, signal.SIGHUP)

    def start(self, server: Server, found: Found, record: Record) -> None:
        self.tell(server.name, "starting")
        command, environment = self.command(server, found, record)
        process = processes.start(command, self.home.log(server.name), environment, str(self.home.path), self.home.data(server.name))
        record.servers[server.name] = {**asdict(process), "binary": str(found.binary), "source": found.source}
        self.write(record)

    def command(self, server: Server, found: Found, record: Record) -> tuple[list[str], dict[str, str]]:
        """What starts the server, and the variables that its configuration asks for."""
        words = {**{name: str(port) for name, port in record.ports.items()}, **self.folders(server), "major": str(found.major)}
        overlays = [f"--config={overlay}" for overlay in (*stores_overlays(record.stores), *record.overlays)] if server is OTELCOL else []
        environment = {name: value.format(**words) for name, value in server.environment.items()}
        return [str(found.binary), *(word.format(**words) for word in server.command), *overlays], {**environment, **record.variables}

    def folders(self, server: Server) -> dict[str, str]:
        return {"data": str(self.home.data(server.name)), "etc": str(self.home.settings), "collector": str(home.collector())}

    def await_ready(self, seconds: float = READY_S) -> None:
        deadline = time.monotonic() + seconds
        for server in self.servers():
            self.await_server(server, deadline, seconds)
            self.tell(server.name, "ready")

    def await_server(self, server: Server, deadline: float, seconds: float) -> None:
        log = self.home.log(server.name)
        while said := self.readiness(server):
            process = self.record().process(server.name)
            if process is None or not processes.lives(process):
                raise Problem(DIED.format(name=server.name, log=log, tail=build.tail(log)))
            if time.monotonic() > deadline:
                raise Problem(LATE.format(name=server.name, seconds=seconds, said=said, log=log, tail=build.tail(log)))
            time.sleep(0.1)

    def readiness(self, server: Server) -> str:
        """Empty when the server is ready; else what it said instead."""
        answer = ask(f"{self.url(server.ready_port)}{server.ready}", timeout=3.0)
        return "" if answer.status == 200 else answer.text.strip()[:200] or f"HTTP {answer.status}"

    def url(self, port: str) -> str:
        return f"http://{ports.LOOPBACK}:{self.record().ports[port]}"

    # down

    def down(self, *, delete: bool = False) -> list[str]:
        """Stop what runs, and give the names of what was stopped; delete: the data too."""
        if not self.home.path.exists():
            return []
        with self.alone():
            stopped = [server.name for server in reversed(SERVERS) if self.stop(server)]
            self.stop_strays()
            if delete:
                for folder in ("data", "logs", "etc", "grafana"):
                    shutil.rmtree(self.home.path / folder, ignore_errors=True)
        return stopped

    def stop(self, server: Server) -> bool:
        record = self.record()
        process = record.process(server.name)
        runs = process is not None and processes.lives(process)
        if process is not None and runs:
            self.tell(server.name, "stopping")
            is_flushed = server.flush and ask(f"{self.url(server.port)}{server.flush}").status in (200, 204)
            processes.stop(process, 0.0 if is_flushed else server.grace_s)
        if record.servers.pop(server.name, None) is not None:
            self.write(record)
        return runs

    def restart(self, name: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Stop one server, do something without it, start it again and wait until it is ready."""
        server = next(one for one in SERVERS if one.name == name)
        with self.alone():
            self.stop(server)
            meanwhile()
            self.start(server, build.have([server])[name], self.record())
        self.await_server(server, time.monotonic() + READY_S, READY_S)


def rules_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")}


def stores_overlays(stores: str) -> list[Path]:
    return [home.overlay(name) for name in OVERLAYS[stores]]


def variables(stores: str, overlays: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """What the servers' configurations, flags and these overlays ask of the environment."""
    flags = {name: environ[name] for server in STORES[stores] for name in server.environment if name in environ}
    return home.asked([*home.collector().glob("*.yaml"), *stores_overlays(stores), *map(Path, overlays)], environ) | flags


def usual(path: Path | None = None, tell: Tell = quiet) -> Native:
    """The stack of this user, or the one in another folder."""
    return Native(Home(path or home.state()), tell)
