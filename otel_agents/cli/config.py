"""Show every setting, its value and where it came from; check the settings, those of this shell and folder or those of one FILE; print the file's JSON schema.

Values win in this order: arguments of oa.start(), OTEL_AGENTS_* and OTEL_* variables, otel-agents.yaml or [tool.otel-agents] in pyproject.toml, defaults.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_agents.cli import screen
from otel_agents.config.definitions import dangling
from otel_agents.config.model import judged, schema
from otel_agents.config.parsers import LEVELS
from otel_agents.config.sources import Found, gather, labelled, read_file
from otel_agents.config.values import KNOBS, KNOWN, OTLP_KNOBS, SECTIONS, Endpoint, Settings
from otel_agents.otlp.signals import SIGNALS
from otel_agents.redaction.messages import address, line, public, wrong

if TYPE_CHECKING:
    from rich.text import Text

DEFAULT = "default"
BYTES = {"GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "bytes": 1}
SECONDS = {"d": 86400, "h": 3600, "min": 60, "s": 1, "ms": 0.001}
UNSET = {
    "service_name": "the program's",
    "instrument": "every library found",
    "disable": "none",
    "traces_exporter": "otlp, where an endpoint is set",
    "metrics_exporter": "otlp, where an endpoint is set",
    "logs_exporter": "otlp, where an endpoint is set",
    "id_generator": "random",
    "config_file": "none found",
}
FILES = ("certificate", "client_key", "client_certificate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    does = parser.add_subparsers(dest="does", required=True, metavar="{show,check,schema}")
    show = does.add_parser("show", help="every setting, its value, where it came from")
    check = does.add_parser("check", help="say what is wrong with the settings; status 1 if anything is")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="judge this file alone (default: what programs started here would use)")
    does.add_parser("schema", help="print the JSON schema of otel-agents.yaml, by which editors complete and check it")
    for parser_of_one in (show, check):
        parser_of_one.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """0, or 1 when something is wrong with the settings."""
    if options.does == "schema":
        screen.print_json(schema())
        return 0
    file = options.file if options.does == "check" else None
    found = gather({}, os.environ) if file is None else read_file(file)
    settings, problems = judged(found)
    if options.does == "show":
        show(settings, problems, as_json=options.json)
    else:
        problems += map(line, (*dangling_names(settings, found), *missing_files(settings)))
        judge(settings, problems, as_json=options.json)
    return 1 if problems else 0


# show


def show(settings: Settings, problems: list[str], *, as_json: bool) -> None:
    if as_json:
        screen.print_json(report(settings, problems))
        return
    console = screen.console()
    screen.print_table(console, ("SETTING", "VALUE", "FROM"), [cells(row) for row in rows(settings)], flexible="VALUE")
    console.print()
    screen.print_table(console, ("SIGNAL", "GOES TO", "AS"), [(signal, *route(settings, signal)) for signal in SIGNALS], flexible="GOES TO")
    for one in (*problems, *settings.notices):
        screen.say(one)


def cells(row: dict[str, Any]) -> list[str | Text]:
    """What is set stands out from the defaults."""
    from rich.text import Text

    is_default = row["from"] == DEFAULT
    return [row["setting"], Text(worded(row["setting"], row["value"]), "" if is_default else "bold"), Text(row["from"], "dim" if is_default else "")]


def report(settings: Settings, problems: list[str]) -> dict[str, Any]:
    endpoints = {signal: settings.endpoint(signal) for signal in SIGNALS}
    return {
        "file": settings.config_file,
        "settings": {row["setting"]: {"value": row["value"], "from": row["from"]} for row in rows(settings)},
        "endpoints": {signal: endpoint and plain(endpoint) for signal, endpoint in endpoints.items()},
        "destination": settings.destination,
        "notices": list(settings.notices),
        "problems": problems,
    }


def rows(settings: Settings) -> Iterator[dict[str, Any]]:
    """Every setting; those of OTLP and the file's sections only where they are set."""
    for name in KNOBS:
        if name in KNOWN and (name not in SECTIONS or getattr(settings, name)):
            yield {"setting": name, "value": public(name, getattr(settings, name)), "from": line(settings.origins.get(name, DEFAULT))}
    for knob in OTLP_KNOBS:
        if knob in settings.otlp:
            yield {"setting": f"otlp_{knob}", "value": public(knob, settings.otlp[knob]), "from": line(settings.origins[f"otlp_{knob}"])}


def plain(endpoint: Endpoint) -> dict[str, Any]:
    return {name: public("endpoint" if name == "url" else name, getattr(endpoint, name)) for name in Endpoint.__dataclass_fields__}


def route(settings: Settings, signal: str) -> tuple[str, str]:
    endpoint = settings.endpoint(signal)
    if not settings.exports(signal):
        return "nowhere", f"OTEL_{signal.upper()}_EXPORTER=none"
    if endpoint is None:
        return "the local journal", "OTLP/JSON lines"
    return address(endpoint.url), endpoint.protocol or "http/json, else http/protobuf"


def worded(name: str, value: Any) -> str:
    """A value for people: on and off, sizes and times with units, names with commas."""
    if value is None or value == ():
        return UNSET.get(name, "")
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return ", ".join(value)
    if isinstance(value, tuple):
        return ", ".join(value)
    return united(name, value)


def united(name: str, value: Any) -> str:
    if name == "log_level":
        return next((word for word, number in LEVELS.items() if number == value), str(value))
    units = BYTES if name.endswith("_bytes") else SECONDS if isinstance(value, float) else {}
    whole = ((value / amount, unit) for unit, amount in units.items())
    return next((f"{round(number)} {unit}" for number, unit in whole if number >= 1 and abs(number - round(number)) < 1e-6), str(value))


# check


def judge(settings: Settings, problems: list[str], *, as_json: bool) -> None:
    if as_json:
        screen.print_json({"file": settings.config_file, "problems": problems, "notices": list(settings.notices)})
        return
    for one in (*problems, *settings.notices):
        print(one)
    if not problems:
        given = screen.plural(len(settings.origins.keys() - {"config_file"}), "value")
        print(f"{settings.config_file or 'settings'}: nothing wrong ({given} given{defined(settings)})")


def defined(settings: Settings) -> str:
    return "".join(f", {screen.plural(len(content), title.removesuffix('s'))}" for title in SECTIONS if (content := getattr(settings, title)))


def dangling_names(settings: Settings, found: Found) -> Iterator[str]:
    """Names in the file that refer to nothing, each with its line."""
    for place, message in dangling(settings.agents, settings.models, settings.experiments):
        yield f"{labelled(found.file, found.lines, place) if found.file else '.'.join(place)} {message}"


def missing_files(settings: Settings) -> Iterator[str]:
    for knob, value in settings.otlp.items():
        if knob.endswith(FILES) and not Path(value).is_file():
            yield f"{settings.origins[f'otlp_{knob}']}={wrong(knob, value)} does not exist: correct the path"
