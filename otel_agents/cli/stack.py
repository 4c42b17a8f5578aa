"""Run a whole stack for agents: Collector, Prometheus, Alertmanager, a store of traces and one of logs (and Grafana, with Docker).

  up      start it and wait until it is ready; programs then need OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318
  status  every server: its version, what it received in the last minute, what waits for it
  check   send a trace, a metric and a log line through, and find all three again; --boards: execute the queries of all dashboards and alerts
  open    say where everything is, and open Grafana where there is one
  build   build the servers' binaries that are missing, without starting any
  render  write dashboards, rules and provisioning anew, with the thresholds of the configuration file's `alerts:` section, and use them
  down    stop it; data stays, unless --delete-data

With a Docker engine it runs in containers, with Tempo for traces and Loki for logs. Without one (or with --native) the servers are processes of yours, on
loopback only: binaries from PATH, or built once with Go into the cache folder. Traces and logs then go to Jaeger and VictoriaLogs, unless tempo and loki are
on PATH.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_agents.cli import screen
from otel_agents.stack import build, compose, home, native
from otel_agents.stack.answers import ask
from otel_agents.stack.check import Result, check
from otel_agents.stack.choice import SHOWN, choose
from otel_agents.stack.compose import Compose
from otel_agents.stack.home import Home
from otel_agents.stack.native import Native
from otel_agents.stack.problem import Problem, writing
from otel_agents.stack.servers import GRAFANA_PORT, LOKI_TEMPO, OPEN, PORTS, STORES, servers_with
from otel_agents.stack.status import Standing, as_json, standings

if TYPE_CHECKING:
    from otel_agents.stack.build import Tell

NOT_UP = "otel-agents stack: it is not running; start it with: otel-agents stack up"
GRAFANA = f"http://localhost:{GRAFANA_PORT}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="{" + ",".join(SUMMARIES) + "}")
    for verb, summary in SUMMARIES.items():
        one = verbs.add_parser(verb, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        one.add_argument("--json", action="store_true", help="print JSON for programs")
        if verb != "build":
            one.add_argument("--home", type=Path, metavar="DIR", help="the folder of the stack (default: the user's state folder)")
        for name, given in OPTIONS.get(verb, {}).items():
            one.add_argument(name, **given)


SUMMARIES = {
    "up": "start the stack and wait until it is ready",
    "status": "show every server: up, version, received in the last minute, queue",
    "check": "send a trace, a metric and a log line through, and find them again",
    "open": "say where everything is, and open Grafana where there is one",
    "build": "build the servers' binaries that are missing",
    "render": "write dashboards, alert rules and provisioning files anew",
    "down": "stop the stack",
}


def seconds(text: str) -> float:
    """A number above 0."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return found


WHICH = "where traces and logs go: open (Jaeger, VictoriaLogs) or loki-tempo (default: loki-tempo where both are installed)"
OVERLAY = "a further Collector configuration: a name in collector/overlays, or a file (native only)"
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "up": {
        "--native": {"action": "store_true", "help": "processes instead of containers, also where Docker is there"},
        "--stores": {"choices": tuple(STORES), "help": f"{WHICH} (native only)"},
        "--free-ports": {"action": "store_true", "help": "listen on free ports instead of the usual ones (native only)"},
        "--overlay": {"action": "append", "default": [], "metavar": "NAME", "help": OVERLAY},
    },
    "build": {"--stores": {"choices": tuple(STORES), "help": WHICH}},
    "check": {
        "--seconds": {"type": seconds, "default": 30.0, "metavar": "N", "help": "how long to look for each (default: 30)"},
        "--boards": {"action": "store_true", "help": "instead, execute every query of the dashboards and alerts: which are refused, which return nothing"},
    },
    "render": {
        "--to": {"type": Path, "metavar": "DIR", "help": "for use elsewhere (default: for the stack, whose Prometheus reads the rules again)"},
        "--kubernetes": {"action": "store_true", "help": "for a cluster: a folder of ConfigMaps, one with a PrometheusRule, each for kubectl apply -k"},
    },
    "down": {"--delete-data": {"action": "store_true", "help": "delete what the servers stored and logged, too"}},
}


def run(options: argparse.Namespace) -> int:
    """Run one verb; 1 when the answer is bad: not up, not found, could not start."""
    try:
        return VERBS[options.verb](options)
    except Problem as problem:
        screen.say(f"otel-agents stack: {problem}")
        return 1


def stack_of(options: argparse.Namespace, tell: Tell = native.quiet) -> Native | Compose:
    """The stack that runs, or that `up` would start."""
    own = native.usual(options.home, tell)
    if options.home is not None or getattr(options, "native", False) or own.is_up():
        return own
    return Compose(own.home.grafana) if compose.engine_answers() else own


def home_of(options: argparse.Namespace) -> Home:
    return native.usual(options.home).home


def ports_of(stack: Native | Compose) -> Mapping[str, int]:
    return stack.record().ports if isinstance(stack, Native) else PORTS


# ------------------------------------------------------------------------------------------------ up, down, build


def up(options: argparse.Namespace) -> int:
    from otel_agents.cli.rendering import give, thresholds

    with Progress(options) as tell:
        stack, own = stack_of(options, tell), home_of(options)
        if isinstance(stack, Compose) and (options.free_ports or options.overlay or options.stores):
            raise Problem("--free-ports, --overlay and --stores are for the native stack; add --native")
        wanted = thresholds(own)
        give(stack, own, wanted)
        if isinstance(stack, Native):
            stack.up(stores=options.stores, free_ports=options.free_ports, overlays=options.overlay)
            give(stack, own, wanted)  # its ports are known by now
        else:
            stack.up()
    if options.json:
        return print_status(stack, options)
    show_places(stack)
    return 0


def down(options: argparse.Namespace) -> int:
    with Progress(options) as tell:
        stack = stack_of(options, tell)
        was_up = stack.is_up()
        stack.down(delete=options.delete_data)
    if options.json:
        screen.print_json({"stopped": was_up, "deleted": options.delete_data})
    else:
        print("stopped" + (", data deleted" if options.delete_data else "") if was_up else "it was not running")
    return 0


def build_missing(options: argparse.Namespace) -> int:
    began = time.monotonic()
    with Progress(options) as tell:
        found = build.have(servers_with(choose(options.stores).stores), tell=tell)
    if options.json:
        screen.print_json([{"name": name, "binary": str(one.binary), "source": one.source, "seconds": round(one.seconds, 1)} for name, one in found.items()])
        return 0
    rows = [(name, one.source, f"{one.seconds:.0f} s" if one.seconds else "there", str(one.binary)) for name, one in found.items()]
    screen.print_table(screen.console(), ("SERVER", "FROM", "TOOK", "BINARY"), rows, flexible="BINARY")
    print(f"in {time.monotonic() - began:.0f} s")
    return 0


def render_files(options: argparse.Namespace) -> int:
    """Write the files and name them."""
    from otel_agents.config.settings import load
    from otel_agents.dashboards.render import render

    if options.to is not None:
        with writing():
            paths = render(options.to, load().alerts, kubernetes=options.kubernetes)
    elif options.kubernetes:
        raise Problem("where to? The stack reads no objects of a cluster: otel-agents stack render --kubernetes --to DIR")
    else:
        paths = render_for(stack_of(options), home_of(options))
    if options.json:
        screen.print_json([str(path) for path in paths])
    else:
        print("\n".join(map(str, paths)))
    return 0


def render_for(stack: Native | Compose, own: Home) -> list[Path]:
    """Give the stack what it reads anew, with exactly the thresholds of the configuration file."""
    from otel_agents.cli.rendering import give
    from otel_agents.config.settings import load

    paths = give(stack, own, load().alerts)
    if stack.is_up():
        stack.take_rules()
    return paths


class Progress:
    """Tells how servers come along: one line each that changes on a terminal, a line a change elsewhere; nothing with --json."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.silent = options.json
        self.said: dict[str, str] = {}
        self.live: Any = None

    def __enter__(self) -> Tell:
        if self.silent:
            return native.quiet
        if sys.stderr.isatty():
            from rich.live import Live

            self.live = Live(console=screen.console(to_stderr=True), refresh_per_second=4, transient=True)
            self.live.start()
        return self.tell

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()

    def tell(self, server: str, text: str) -> None:
        if self.live is None and self.is_news(server, text):
            screen.say(f"  {server:<13} {text}")
        self.said[server] = text
        if self.live is not None:
            self.live.update("\n".join(f"  {name:<13} {what}" for name, what in self.said.items()))

    def is_news(self, server: str, text: str) -> bool:
        """Seconds that pass are none, but each minute is."""
        before = self.said.get(server, "")
        return text.rpartition(",")[0] != before.rpartition(",")[0] or text.endswith((" 60 s", "20 s", "40 s", "00 s")) or "," not in text


# ------------------------------------------------------------------------------------------------ status, check, open


def status(options: argparse.Namespace) -> int:
    return print_status(stack_of(options), options)


def print_status(stack: Native | Compose, options: argparse.Namespace) -> int:
    """The table, or JSON; 1 when a server is missing."""
    found = standings(stack.servers(), ports_of(stack), stack.stores())
    if options.json:
        screen.print_json(
            {"up": all(one.is_up for one in found), "runs": runs_as(stack), "stores": stack.stores().kind, "servers": [as_json(one) for one in found]}
        )
    elif not any(one.is_up for one in found):
        screen.say(NOT_UP)
    else:
        screen.print_table(screen.console(), COLUMNS, list(map(cells, found)), right=COLUMNS[-2:], flexible="UP")
        if isinstance(stack, Native):
            print(f"\nlogs           {stack.home.path / 'logs'}\ndata           {stack.home.path / 'data'}\nconfiguration  {home.collector()}")
        say_missing(stack, [one.name for one in found if not one.is_up])
    return int(not all(one.is_up for one in found))


MISSING = "otel-agents stack: {name} is not up. Why: {log}. Start it again: otel-agents stack up"


def say_missing(stack: Native | Compose, names: Iterable[str]) -> None:
    for name in names:
        screen.say(MISSING.format(name=name, log=log_of(stack, name)))


def log_of(stack: Native | Compose, name: str) -> str:
    return str(stack.home.log(name)) if isinstance(stack, Native) else " ".join(stack.words("logs", name))


def runs_as(stack: Native | Compose) -> str:
    return "processes" if isinstance(stack, Native) else "containers"


COLUMNS = ("SERVER", "UP", "VERSION", "URL", "LAST MINUTE", "WAITING")


def cells(one: Standing) -> tuple[str, ...]:
    is_up = "yes" if one.is_up else ": ".join(filter(None, ("no", one.problem)))
    received = "" if one.received is None else screen.plural(round(one.received), one.counted)
    queue = "" if one.queue is None else screen.size(int(one.queue))
    return one.name, is_up, one.version, one.url, received, queue


def check_all(options: argparse.Namespace) -> int:
    """Say for each signal whether it came through; 1 when one did not."""
    if options.boards:
        return check_boards(options)
    results = check(stack_of(options).stores(), options.seconds)
    if options.json:
        screen.print_json([{"signal": one.signal, "found": one.found, "seconds": round(one.seconds, 3), "lost": one.lost or None} for one in results])
    else:
        print("\n".join(map(line_of, results)))
    return int(not all(one.found for one in results))


def check_boards(options: argparse.Namespace) -> int:
    from otel_agents.cli import board_check

    stack = stack_of(options)
    if not stack.is_up():
        screen.say(NOT_UP)
        return 1
    return board_check.run(stack.stores(), boards_of(stack), as_json=options.json)


def boards_of(stack: Native | Compose) -> Path:
    return stack.home.grafana if isinstance(stack, Native) else stack.grafana


def line_of(one: Result) -> str:
    return f"{one.signal:<8} found after {one.seconds:.1f} s" if one.found else f"{one.signal:<8} lost {one.lost}"


def open_up(options: argparse.Namespace) -> int:
    stack = stack_of(options)
    if not stack.is_up():
        screen.say(NOT_UP)
        return 1
    if options.json:
        screen.print_json(places(stack))
        return 0
    show_places(stack)
    say_missing(stack, [server.name for server in reversed(stack.servers()) if isinstance(stack, Native) and server.name not in stack.living()])
    if grafana_answers() and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(GRAFANA)
    return 0


def grafana_answers() -> bool:
    return ask(f"{GRAFANA}/api/health", timeout=2.0).status == 200


def places(stack: Native | Compose) -> dict[str, str]:
    """Where programs send to, where people look."""
    stores, given = stack.stores(), ports_of(stack)
    known = {"otlp/http": stores.otlp, "otlp/grpc": f"http://127.0.0.1:{given['otlp_grpc']}", "prometheus": stores.prometheus}
    known |= {store.name: f"{store.url}{PAGES.get(store.name, '')}" for store in (stores.logs, stores.traces)} | {"alertmanager": stores.alertmanager}
    return {**({"grafana": GRAFANA} if grafana_answers() else {}), **known, "configuration": str(home.collector()), "dashboards": str(boards_of(stack))}


PAGES = {"victorialogs": "/select/vmui"}  # a Jaeger that is built from its module has an API only


def show_places(stack: Native | Compose) -> None:
    found, stores = places(stack), stack.stores()
    print("\n".join(f"{name:<14} {place}" for name, place in found.items()))
    if isinstance(stack, Native):
        print(f"{'stores':<14} {SHOWN[stores.kind]} ({stack.record().why})")
    print(f"\nsend to it:     OTEL_AGENTS_ENABLED=true OTEL_EXPORTER_OTLP_ENDPOINT={found['otlp/http']} python your_program.py")
    if "grafana" not in found:
        queries = QUERIES[stores.kind].format(prometheus=stores.prometheus, logs=stores.logs.url, traces=stores.traces.url)
        print(WITHOUT_GRAFANA.format(queries=queries, what=IN_GRAFANA[stores.kind], dashboards=found["dashboards"]))


WITHOUT_GRAFANA = """
There is no Grafana here. What was recorded is read with `otel-agents traces` and `trace`; the stores answer queries:
{queries}
A Grafana of yours has {what} when it is started with
  GF_PATHS_PROVISIONING={dashboards}/provisioning"""
OF_METRICS = "  curl '{prometheus}/api/v1/query?query=sum+by+(gen_ai_agent_name)(otel_agents_runs_total)'\n"
QUERIES = {
    OPEN: OF_METRICS + "  curl '{logs}/select/logsql/query?query=*&limit=20'\n  curl '{traces}/api/v3/services'",
    LOKI_TEMPO: OF_METRICS
    + "  curl -G '{logs}/loki/api/v1/query_range' --data-urlencode 'query={{service_name=~\".+\"}}'\n  curl '{traces}/api/search?limit=20'",
}
IN_GRAFANA = {
    OPEN: "the boards (their panels of metrics; those of logs and traces ask Loki and Tempo) and these stores",
    LOKI_TEMPO: "the boards and these stores",
}

VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "up": up,
    "status": status,
    "check": check_all,
    "open": open_up,
    "build": build_missing,
    "render": render_files,
    "down": down,
}
