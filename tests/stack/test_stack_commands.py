"""`otel-agents stack …`, as a user runs it: in a process of its own, from an installed package."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from modules import BANNED
from patience import until_it_holds
from processes import environment, run

from otel_agents.dashboards.render import BOARDS
from otel_agents.stack import home, processes
from otel_agents.stack.answers import ask
from otel_agents.stack.choice import choose
from otel_agents.stack.native import usual
from otel_agents.stack.processes import Process
from otel_agents.stack.servers import LOKI_TEMPO, OPEN, PORTS, STORES, servers_with

ROOT = Path(__file__).parents[2]
KIND = choose().stores
TRACES, LOGS = STORES[KIND]
ALL = {server.name for server in servers_with(KIND)}


@dataclass(frozen=True)
class User:
    """Somebody with a state folder of their own."""

    folder: Path
    python: Path = Path(sys.executable)

    def command(self, *words: str, **more: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.words(*words), env=self.environment(**more), capture_output=True, text=True, timeout=200, check=False, cwd=self.folder)

    def words(self, *words: str) -> list[str]:
        return [str(self.python), "-m", "otel_agents", "stack", *words]

    def environment(self, **more: str | None) -> dict[str, str]:
        return environment(self.folder / "journal", **{"XDG_STATE_HOME": str(self.folder), "XDG_CACHE_HOME": str(home.cache().parents[1]), **more})

    def json(self, *words: str) -> Any:
        done = self.command(*words, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    @property
    def record(self) -> Path:
        return self.folder / "otel-agents" / "stack" / "stack.json"

    def processes(self) -> dict[str, Process]:
        found = json.loads(self.record.read_text())["servers"] if self.record.exists() else {}
        return {name: Process(one["pid"], one["started"]) for name, one in found.items()}


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    made = User(tmp_path)
    yield made
    made.command("down")


@pytest.fixture
def newcomer(tmp_path: Path, fresh: Path) -> Iterator[User]:
    made = User(tmp_path, fresh)
    yield made
    made.command("down")


def test_the_wheel_names_no_module_of_loki_or_tempo(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        assert [name for name in archive.namelist() if BANNED.search(archive.read(name))] == []
        assert "otel_agents/stack/collector/servers/jaeger/go.mod" in archive.namelist()


def test_a_new_user_with_the_wheel_runs_up_check_down_twice_in_a_row(newcomer: User) -> None:
    user = newcomer
    for _ in range(2):
        up = user.command("up", "--native", "--free-ports")
        assert up.returncode == 0, up.stderr
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:" in up.stdout
        assert str(ROOT) not in up.stdout, "it runs what the wheel brought"
        check = user.command("check")
        assert check.returncode == 0, check.stdout
        assert [line.split()[:2] for line in check.stdout.splitlines()] == [["traces", "found"], ["metrics", "found"], ["logs", "found"]]
        running = user.processes()
        assert running.keys() == ALL
        down = user.command("down")
        assert (down.returncode, down.stdout) == (0, "stopped\n")
        assert not any(map(processes.lives, running.values()))
    assert user.command("down").stdout == "it was not running\n"


def test_up_is_idempotent_finishes_what_was_killed_and_survives_a_lost_record(user: User) -> None:
    first = user.json("up", "--native", "--free-ports")
    assert {one["name"] for one in first["servers"] if one["up"]} == ALL
    before = user.processes()
    assert user.command("up", "--native").returncode == 0
    assert user.processes() == before
    os.killpg(before[LOGS.name].pid, signal.SIGKILL)
    until_it_holds(lambda: not processes.lives(before[LOGS.name]))
    status = user.json("status")
    assert (status["up"], [(one["name"], one["problem"]) for one in status["servers"] if not one["up"]]) == (False, [(LOGS.name, "connection refused")])
    log = user.record.parent / "logs" / f"{LOGS.name}.log"
    for verb in ("status", "open"):
        assert user.command(verb).stderr == f"otel-agents stack: {LOGS.name} is not up. Why: {log}. Start it again: otel-agents stack up\n"
    assert user.command("up", "--native").returncode == 0
    assert {name for name, process in user.processes().items() if process != before[name]} == {LOGS.name}
    user.record.unlink()
    assert user.command("up", "--native", "--free-ports").returncode == 0
    assert not any(map(processes.lives, before.values())), "processes that no record names are ended"


def test_an_up_that_is_killed_in_between_is_recovered_from(user: User) -> None:
    started = subprocess.Popen(user.words("up", "--native", "--free-ports"), env=user.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until_it_holds(lambda: len(user.processes()) >= 2, every=0.01)
    started.kill()
    started.wait()
    up = user.command("up", "--native")
    assert up.returncode == 0, up.stderr
    assert user.command("check").returncode == 0
    ours = {process.pid for process in user.processes().values()}
    assert {process.pid for process in processes.marked(str(user.record.parent))} == ours


def test_a_pid_that_is_another_process_by_now_is_left_alone(user: User) -> None:
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        user.record.parent.mkdir(parents=True)
        stale = {"pid": sleeper.pid, "started": "1", "binary": "/x", "source": "PATH"}
        user.record.write_text(json.dumps({"ports": dict.fromkeys(PORTS, 1), "overlays": [], "variables": {}, "servers": {LOGS.name: stale}}))
        assert user.command("down").stdout == "it was not running\n"
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def test_status_shows_every_server_what_came_and_what_waits(user: User) -> None:
    user.command("up", "--native", "--free-ports")
    user.command("check")

    def counted() -> None:
        rows = {one["name"]: one for one in user.json("status")["servers"]}
        assert rows.keys() == ALL
        assert all(one["up"] and one["version"] for one in rows.values())
        assert {name: rows[name]["received_last_minute"] for name in ("otelcol", LOGS.name, TRACES.name)} == {"otelcol": 3, LOGS.name: 1, TRACES.name: 1}
        queued = ("otelcol", "prometheus", LOGS.name, TRACES.name)
        assert {name: rows[name]["queue_bytes"] for name in queued} == dict.fromkeys(queued, 0)
        assert re.findall(r"\d+ (?:item|line|span)s?\b", user.command("status").stdout) == ["3 items", "1 line", "1 span"]

    until_it_holds(counted, seconds=50, every=2)
    table = user.command("status").stdout
    assert table.splitlines()[0].split() == ["SERVER", "UP", "VERSION", "URL", "LAST", "MINUTE", "WAITING"]
    opened = user.json("open")
    assert opened["otlp/http"].startswith("http://127.0.0.1:")
    assert Path(opened["configuration"], "otelcol.yaml").exists()
    assert "There is no Grafana here" in user.command("open").stdout


def test_check_says_at_which_hop_items_got_lost(user: User) -> None:
    user.command("up", "--native", "--free-ports")
    running = user.processes()
    os.killpg(running[TRACES.name].pid, signal.SIGKILL)
    found = {one["signal"]: one for one in user.json("check", "--seconds", "8")}
    assert {signal: one["found"] for signal, one in found.items()} == {"traces": False, "metrics": True, "logs": True}
    assert found["traces"]["lost"].startswith(f"in the Collector's queue for {TRACES.name}")
    os.killpg(running["otelcol"].pid, signal.SIGKILL)
    done = user.command("check")
    assert done.returncode == 1
    assert "between here and the Collector" in done.stdout


def test_check_says_what_waits_for_who_stands_before_the_stores(user: User) -> None:
    user.command("up", "--native", "--free-ports", "--overlay", "kafka-agents", STACK_KAFKA="127.0.0.1:9")
    found = {one["signal"]: one["lost"] for one in user.json("check", "--seconds", "8")}
    assert found.keys() == {"traces", "metrics", "logs"}
    assert all(lost.startswith("in the Collector's queue for kafka") for lost in found.values()), found


def test_a_port_that_is_taken_is_named_with_what_to_do(user: User) -> None:
    with socket.socket() as held:
        try:
            held.bind(("127.0.0.1", 9090))
            held.listen()
        except OSError:
            pass  # somebody else holds it: as good
        done = user.command("up", "--native")
    assert done.returncode == 1
    assert "is taken by another program" in done.stderr
    assert "otel-agents stack up --free-ports" in done.stderr
    assert "Traceback" not in done.stderr


def test_with_neither_go_nor_docker_it_says_what_to_install(user: User) -> None:
    done = user.command("up", PATH="/nowhere", XDG_CACHE_HOME=str(user.folder / "empty"))
    assert done.returncode == 1
    assert "Go, which would build them, is not installed" in done.stderr
    assert "https://go.dev/dl" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_overlay_gets_its_variables_and_the_next_up_remembers_them(user: User) -> None:
    """The Collector reads the journal of a program that sends nothing, also after it was started again from a shell without the variable."""
    assert user.command("up", "--native", "--free-ports", "--overlay", "journal", "--overlay", "tenant", STACK_TENANT="team-a").returncode == 0
    assert user.record.parent.stat().st_mode & 0o777 == 0o700, "what agents said is in there"
    os.killpg(user.processes()["otelcol"].pid, signal.SIGKILL)
    assert user.command("up", "--native").returncode == 0
    given = Path(f"/proc/{user.processes()['otelcol'].pid}/environ").read_bytes().split(b"\0")
    assert {b"STACK_TENANT=team-a", f"OTEL_AGENTS_JOURNAL_DIR={user.folder / 'journal'}".encode()} <= set(given)
    code = "import otel_agents as oa\nwith oa.agent('reads'): pass"
    assert run("-c", code, journal=user.folder / "journal", OTEL_AGENTS_SHIP="false", OTEL_SERVICE_NAME="unsent").said == (0, "", "")
    stores = usual(user.record.parent).stores()
    until_it_holds(lambda: stores.value('sum(otel_agents_runs_total{service_name="unsent"})') == 1, seconds=40)
    other = user.command("up", "--native", STACK_TENANT="team-b")
    assert other.returncode == 1
    assert other.stderr == "otel-agents stack: the stack runs already, with another configuration. End it first: otel-agents stack down\n"


def slow(user: User) -> str:
    """The threshold of AgentSlow as the running Prometheus has it."""
    groups = ask(f"{usual(user.record.parent).stores().prometheus}/api/v1/rules").json["data"]["groups"]
    [expression] = [rule["query"] for group in groups for rule in group["rules"] if rule["name"] == "AgentSlow"]
    return str(re.findall(r"> (\S+) and", expression)[0])


def test_thresholds_reach_a_prometheus_that_runs_and_stay(user: User) -> None:
    settings = user.folder / "otel-agents.yaml"
    settings.write_text("alerts: { agent_slow: 7.5 }\n")
    assert user.command("up", "--native", "--free-ports").returncode == 0
    running = user.processes()
    assert slow(user) == "7.5"
    settings.write_text("alerts: { agent_slow: 9 }\n")
    assert user.command("render").returncode == 0
    until_it_holds(lambda: slow(user) == "9")
    settings.unlink()
    assert user.command("up", "--native").returncode == 0, "where no file has any, they stay"
    board = json.loads((user.record.parent / "grafana" / "dashboards" / "agent.json").read_text())
    assert '"value": 9' in json.dumps(board)
    assert slow(user) == "9"
    assert user.command("render").returncode == 0
    until_it_holds(lambda: slow(user) == "120")
    assert user.processes() == running


def test_a_grafana_of_ones_own_is_told_where_everything_is(user: User) -> None:
    """By the variable that `open` shows: each data source answers at its address, and the boards are where the provider looks."""
    user.command("up", "--native", "--free-ports")
    [folder] = re.findall(r"GF_PATHS_PROVISIONING=(\S+)", user.command("open").stdout)
    sources = yaml.safe_load(Path(folder, "datasources", "otel-agents.yaml").read_text())["datasources"]
    answers = {"jaeger": "/api/v3/services", **{server.name: server.ready for server in servers_with(LOKI_TEMPO)}}
    shown = ALL - {"otelcol", "victorialogs"}  # Grafana needs a plugin for VictoriaLogs
    assert {source["uid"]: ask(source["url"] + answers[source["uid"]]).status for source in sources} == dict.fromkeys(shown, 200)
    [provider] = yaml.safe_load(Path(folder, "dashboards", "otel-agents.yaml").read_text())["providers"]
    assert len(list(Path(provider["options"]["path"]).glob("*.json"))) == len(BOARDS)


def test_a_wrong_configuration_is_said_before_anything_starts(user: User) -> None:
    (user.folder / "otel-agents.yaml").write_text("alerts: { agent_slow: fast }\n")
    done = user.command("up", "--native", "--free-ports")
    assert (done.returncode, done.stderr) == (2, "otel-agents: otel-agents.yaml:1 alerts agent_slow.threshold is not a number\n")
    assert user.processes() == {}


NO_SECONDS = "is no number of seconds above 0"
WRONG_USE = {
    ("render", "--to", "/proc/nowhere"): (1, "otel-agents stack: /proc/nowhere can't be written: no such file or directory"),
    ("render", "--kubernetes"): (1, "otel-agents stack: where to? The stack reads no objects of a cluster: otel-agents stack render --kubernetes --to DIR"),
    ("up", "--native", "--home", "/proc/nowhere"): (1, "otel-agents stack: /proc/nowhere can't be written: no such file or directory"),
    ("check", "--seconds", "-1"): (2, f"otel-agents stack check: argument --seconds: '-1' {NO_SECONDS} (try: otel-agents stack check --help)"),
    ("build", "--home", "x"): (2, "otel-agents stack: unrecognized arguments: --home x (try: otel-agents stack --help)"),
}


@pytest.mark.parametrize("words", WRONG_USE, ids=" ".join)
def test_wrong_use_is_one_line_that_says_how(user: User, words: tuple[str, ...]) -> None:
    done = user.command(*words)
    assert (done.returncode, done.stdout, done.stderr.rstrip()) == (WRONG_USE[words][0], "", WRONG_USE[words][1])


WRONG_OVERLAYS = {
    "no-such": "there is no overlay 'no-such', and no such file. There are: agent-tier, ",
    "tenant": "STACK_TENANT is not set; the first lines of ",
    "broken.yaml": "the Collector does not take ",
}


@pytest.mark.parametrize("name", WRONG_OVERLAYS)
def test_a_wrong_overlay_is_refused_before_anything_starts(user: User, name: str) -> None:
    (user.folder / "broken.yaml").write_text("service: { pipelines: { traces: { exporters: [nowhere] } } }\n")
    done = user.command("up", "--native", "--free-ports", "--overlay", name)
    assert done.returncode == 1
    assert done.stderr.startswith(f"otel-agents stack: {WRONG_OVERLAYS[name]}")
    assert "starting" not in done.stderr
    assert user.processes() == {}


def test_it_says_which_stores_run_and_why_and_keeps_them(user: User) -> None:
    up = user.command("up", "--native", "--free-ports", "--stores", "open")
    assert up.returncode == 0, up.stderr
    assert "Jaeger and VictoriaLogs (asked for)" in up.stdout
    assert user.processes().keys() == {server.name for server in servers_with(OPEN)}
    opened = user.json("open")
    assert ask(opened["victorialogs"]).status == 200
    assert "<html" in ask(opened["victorialogs"] + "/").text.lower(), "a page"
    assert ask(opened["jaeger"] + "/api/v3/services").status == 200
    assert user.json("status")["stores"] == OPEN
    again = user.command("up", "--native")
    assert (again.returncode, "Jaeger and VictoriaLogs (asked for)" in again.stdout) == (0, True)
    other = user.command("up", "--native", "--stores", "loki-tempo")
    assert (other.returncode, other.stderr) == (
        1,
        "otel-agents stack: the stack runs already, with another configuration. End it first: otel-agents stack down\n",
    )
    user.command("down")
    assert user.command("status").stderr == "otel-agents stack: it is not running; start it with: otel-agents stack up\n"


def fake(folder: Path, name: str, version: str) -> None:
    """An executable that says its version and does nothing else: what is looked at before anything is started."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho {name}, version {version}\n")
    (folder / name).chmod(0o755)


CHOICES = {  # what is installed → which stores and why
    (): (OPEN, "tempo is not on PATH; loki is not on PATH"),
    ("loki 3.7.8",): (OPEN, "tempo is not on PATH"),
    ("loki 2.9.1", "tempo 2.9.0"): (OPEN, "{folder}/loki is 2.9.1, older than 3.4"),
    ("loki 3.7.8", "tempo 3.0.3"): (LOKI_TEMPO, "both are installed"),
}


@pytest.mark.parametrize("installed", CHOICES, ids=", ".join)
def test_loki_and_tempo_are_used_where_both_are_installed(installed: tuple[str, ...], tmp_path: Path) -> None:
    for one in installed:
        fake(tmp_path / "bin", *one.split())
    stores, why = CHOICES[installed]
    for variable in ("PATH", home.BINARIES_VARIABLE):
        assert choose(environ={variable: str(tmp_path / "bin")}) == (stores, why.format(folder=tmp_path / "bin"))


def test_loki_and_tempo_that_are_asked_for_and_missing_are_named(user: User) -> None:
    done = user.command("up", "--native", "--free-ports", "--stores", "loki-tempo", PATH="/nowhere", OTEL_AGENTS_STACK_BIN=None)
    assert (done.returncode, user.processes()) == (1, {})
    assert done.stderr.startswith("otel-agents stack: tempo is not on PATH; loki is not on PATH. They are not built here: install them")


def test_nothing_runs_is_said_with_what_to_do(user: User) -> None:
    for verb in ("status", "open"):
        done = user.command(verb, PATH="/nowhere")
        assert (done.returncode, done.stderr) == (1, "otel-agents stack: it is not running; start it with: otel-agents stack up\n")
    assert "between here and the Collector" in user.command("check", PATH="/nowhere").stdout


def test_data_outlives_down_and_goes_when_asked(user: User) -> None:
    user.command("up", "--native", "--free-ports")
    assert user.command("check").returncode == 0
    data = user.record.parent / "data"
    user.command("down")
    assert sum(file.stat().st_size for file in (data / LOGS.name).rglob("*")) > 100
    assert user.command("down", "--delete-data").returncode == 0
    assert not data.exists()


def test_every_verb_has_help(user: User) -> None:
    for verb in ("up", "status", "check", "open", "build", "render", "down"):
        done = user.command(verb, "--help")
        assert done.returncode == 0
        assert "--json" in done.stdout
        assert "grafana" not in done.stdout, "a name has its capital"
