"""Where settings come from: call arguments, the environment, a file; read into flat names (`journal_dir`), each value with the place a person would correct.

A file's groups are the same names in parts: `journal: {dir: …}` is `journal_dir`. Nothing here decides what a value means (parsers.py, settings.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from otel_agents.config import parsers
from otel_agents.config.otel_variables import CAPTURE, DISABLED, VARIABLES
from otel_agents.redaction.messages import word, wrong

Place = tuple[str, ...]  # the keys that lead to a value in a file: ("journal", "dir")

PREFIX = "OTEL_AGENTS_"
YAML_FILES = ("otel-agents.yaml", "otel-agents.yml")
PROJECT, TABLE = "pyproject.toml", "tool.otel-agents"
SECTIONS = ("agents", "models", "experiments", "alerts")
WHOLE = (*SECTIONS, "headers", "otlp_headers", "otlp_traces_headers", "otlp_metrics_headers", "otlp_logs_headers")  # their keys are the user's own words
ALIASES = {
    "endpoint": "otlp_endpoint",
    "protocol": "otlp_protocol",
    "headers": "otlp_headers",
    "journal_enabled": "journal",
    "content_mode": "content",
    "ship_enabled": "ship",
    "logs_enabled": "logs",
    "logs_level": "log_level",
    "service": "service_name",
    "metrics_old": "old_metrics",
    "metrics_interval": "metric_interval",
    "metrics_timeout": "metric_timeout",
    "metrics_cardinality": "metric_cardinality",
    "metrics_temporality": "metric_temporality",
    "metrics_histogram": "metric_histogram",
}
CAPTURED = {
    "no_content": (),
    "false": (),
    "span_only": ("spans",),
    "event_only": ("events",),
    "true": ("events",),
    "span_and_event": ("spans", "events"),
}


class Given(NamedTuple):
    """A value and where it stands: `label` is what a person looks for, `shown` what they wrote there."""

    value: Any
    label: str
    shown: Any


Layer = dict[str, Given]


@dataclass
class Found:
    """What the sources say, the strongest layer first; `problems` are lines about what could not even be read."""

    layers: list[Layer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    file: Path | None = None
    lines: Mapping[Place, int] = field(default_factory=dict)  # of the file: where each key stands

    def merged(self) -> Layer:
        return {name: given for layer in reversed(self.layers) for name, given in layer.items()}

    def drop(self, name: str) -> None:
        """Forget the strongest value of a name, so that the next source's counts."""
        next(layer for layer in self.layers if name in layer).pop(name)


class Known(NamedTuple):
    """The names that exist; `switches` are those for which an empty text means off."""

    names: frozenset[str]
    switches: frozenset[str]

    def name(self, written: str) -> str | None:
        name = written.lower().replace("-", "_")
        name = ALIASES.get(name, name)
        return name if name in self.names else None

    def nearest(self, written: str) -> str:
        from difflib import get_close_matches

        return next(iter(get_close_matches(written.lower(), sorted(self.names), n=1, cutoff=0.5)), "")


def gather(known: Known, overrides: Mapping[str, Any], environ: Mapping[str, str]) -> Found:
    """Read every source; nothing raises, what can't be read becomes a line in `problems`."""
    found = Found()
    arguments, environment = called(known, overrides, found.problems), environment_of(known, environ, found.problems)
    named = (environment.pop("config_file", None), arguments.pop("config_file", None))
    file = filed(known, named[1] or named[0], found)
    found.layers = [disabled(environ), arguments, environment, file, conventional(environ)]
    return found


def disabled(environ: Mapping[str, str]) -> Layer:
    """OTEL_SDK_DISABLED, which wins over everything: only the word true counts (specification)."""
    word = environ.get(DISABLED, "")
    return {"enabled": Given(False, DISABLED, word)} if word.strip().lower() == "true" else {}


def called(known: Known, overrides: Mapping[str, Any], problems: list[str]) -> Layer:
    given = {name: Given(value, f"argument {name}", value) for name, value in overrides.items() if value is not None}
    problems += [unknown(f"argument {word(name)}", known.nearest(name)) for name in given if known.name(name) is None]
    return {name: value for written, value in given.items() if (name := known.name(written))}


def environment_of(known: Known, environ: Mapping[str, str], problems: list[str]) -> Layer:
    """OTEL_AGENTS_* over OTEL_*; an empty OTEL_* variable is an unset one (specification), an empty switch of ours is off."""
    layer: Layer = {}
    for variable in reversed(VARIABLES):
        written = environ.get(variable.name, "").strip()
        if written and variable.setting and variable.name not in (DISABLED, CAPTURE):
            layer[variable.setting] = Given(written + variable.unit, variable.name, written)
    layer |= captured(environ, problems)
    for name in [name for name in environ if name.startswith(PREFIX)]:
        layer |= ours(known, name, environ[name], problems)
    return layer


def ours(known: Known, variable: str, written: str, problems: list[str]) -> Layer:
    name = known.name(variable.removeprefix(PREFIX))
    if name is None:
        near = known.nearest(variable.removeprefix(PREFIX))
        problems.append(unknown(PREFIX + word(variable.removeprefix(PREFIX)), near and PREFIX + near.upper()))
        return {}
    return {name: Given(written, variable, written)} if written.strip() or name in known.switches else {}


def captured(environ: Mapping[str, str], problems: list[str]) -> Layer:
    """Where content goes, as the conventional variable says it."""
    written = environ.get(CAPTURE, "").strip()
    places = CAPTURED.get(written.lower())
    if written and places is None:
        problems.append(f"{CAPTURE}={wrong('content_in', written)} is not known here: use NO_CONTENT, SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT")
    return {"content_in": Given(places, CAPTURE, written)} if places else {}


def conventional(environ: Mapping[str, str]) -> Layer:
    """Content switched on by the conventional variable: the weakest source, because our own knob decides how."""
    written = environ.get(CAPTURE, "").strip()
    return {"content": Given("full", CAPTURE, written)} if CAPTURED.get(written.lower()) else {}


def unknown(label: str, near: str) -> str:
    hint = f"did you mean {near}?" if near else "`otel-agents config show` lists them"
    return f"{label} is no setting of otel-agents; {hint}"


# the file


class Written(NamedTuple):
    """A file's content, and the line that each key stands on."""

    content: Any
    lines: Mapping[Place, int]


def filed(known: Known, named: Given | None, found: Found) -> Layer:
    try:
        found.file = named_file(named) or nearby_file()
        return read_layer(known, found, found.file, named) if found.file else {}
    except (OSError, ValueError) as problem:
        found.problems.append(str(problem))
        return {}


def read_layer(known: Known, found: Found, file: Path, named: Given | None) -> Layer:
    """The file's settings, and the file itself: which one it was is a setting too."""
    label = named.label if named else "found here"
    return {"config_file": Given(file, label, str(file)), **layer_of(known, found, file)}


def read_file(known: Known, file: Path) -> Found:
    """One file alone, as `config check FILE` judges it."""
    found = Found(file=file)
    found.layers = [filed(known, Given(str(file), "FILE", str(file)), found)]
    return found


def named_file(named: Given | None) -> Path | None:
    if named is None:
        return None
    file = parsers.path(named.value)
    if not file.is_file():
        raise ValueError(f"{named.label}={wrong('config_file', named.shown)} is no file: create it, or leave the name out")
    return file


def nearby_file() -> Path | None:
    """otel-agents.yaml of the working directory, else the nearest pyproject.toml if it speaks of us."""
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # it was deleted under us
        return None
    here = next((folder / name for name in YAML_FILES if (folder / name).is_file()), None)
    return here or next((file for file in nearest_project(folder) if speaks_of_us(file)), None)


def nearest_project(folder: Path) -> Iterator[Path]:
    yield from [file for parent in (folder, *folder.parents) if (file := parent / PROJECT).is_file()][:1]


def speaks_of_us(project: Path) -> bool:
    try:
        return TABLE.encode() in project.read_bytes()
    except OSError:  # somebody else's file: not ours to complain about
        return False


def read(file: Path) -> Written:
    try:
        source = file.read_text(encoding="utf-8")
    except OSError as problem:
        raise ValueError(f"{label_of(file)}: can't be read ({problem.strerror}); make it readable, or name another in OTEL_AGENTS_CONFIG_FILE") from problem
    except UnicodeDecodeError as problem:
        raise ValueError(f"{label_of(file)}: is not UTF-8 text (byte {problem.start}); save it as UTF-8") from problem
    return from_toml(file, source) if file.suffix == ".toml" else from_yaml(file, source)


def from_yaml(file: Path, source: str) -> Written:
    import yaml

    try:
        loader = yaml.SafeLoader(source)
        node = loader.get_single_node()
        return Written(None if node is None else loader.construct_document(node), dict(key_lines(node)))
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f":{mark.line + 1}" if mark else ""
        raise ValueError(f"{label_of(file)}{where}: is not YAML ({unquoted(problem.problem or problem.context)}); correct that line") from problem
    except (yaml.YAMLError, RecursionError) as problem:
        raise ValueError(f"{label_of(file)}: is not YAML ({str(problem).splitlines()[0]}); correct it") from problem


def unquoted(complaint: str | None) -> str:
    """What the parser says without the words of the file, which may be a password that begins with a sign; its own are in angles."""
    import re

    return re.sub(r"'(?!<)[^']{2,}'", "…", complaint or "")


def key_lines(node: Any, parents: Place = ()) -> Iterator[tuple[Place, int]]:
    """Where each key of a YAML document stands; anchors that contain themselves end with the fourth level, deeper than any setting."""
    for key, value in node.value if getattr(node, "id", "") == "mapping" else ():
        place = (*parents, str(key.value))
        yield place, key.start_mark.line + 1
        if len(place) < 4:
            yield from key_lines(value, place)


def from_toml(file: Path, source: str) -> Written:
    import tomllib

    try:
        content = tomllib.loads(source)
    except tomllib.TOMLDecodeError as problem:
        raise ValueError(f"{label_of(file)}: is not TOML ({problem}); correct it") from problem
    if file.name != PROJECT:
        return Written(content, {})
    return Written(content.get("tool", {}).get("otel-agents", {}), {})


def layer_of(known: Known, found: Found, file: Path) -> Layer:
    written = read(file)
    found.lines = written.lines
    if written.content is None:
        return {}
    if not isinstance(written.content, Mapping):
        raise ValueError(f"{label_of(file)}: is no table of settings; write `name: value` lines")
    return {name: given for place, value in leaves(written.content, ()) for name, given in one(known, found, file, place, value)}


def one(known: Known, found: Found, file: Path, place: Place, value: Any) -> Iterator[tuple[str, Given]]:
    label, flat = labelled(file, found.lines, place), "_".join(place)
    name = known.name(flat)
    if name is None:
        found.problems.append(unknown(label, dotted(known.nearest(flat), place)))
    elif value is not None:
        yield name, Given(value, label, value)


def leaves(content: Mapping[Any, Any], parents: Place) -> Iterable[tuple[Place, Any]]:
    for key, value in content.items():
        place = (*parents, str(key))
        whole = "_".join(place).lower().replace("-", "_") in WHOLE
        if isinstance(value, Mapping) and not whole and len(place) < 4:
            yield from leaves(value, place)
        else:
            yield place, value


def labelled(file: Path, lines: Mapping[Place, int], place: Place) -> str:
    """The file, the line of the key (or of the nearest key above it), and the key."""
    known = next((lines[place[:end]] for end in range(len(place), 0, -1) if place[:end] in lines), None)
    table = f"[{TABLE}] " if file.name == PROJECT else ""
    return f"{label_of(file)}{f':{known}' if known else ''} {table}{'.'.join(place)}"


def label_of(file: Path) -> str:
    """A file of the working directory by its name alone, others in full."""
    try:
        return file.name if file.parent == Path.cwd() else str(file)
    except FileNotFoundError:
        return str(file)


def dotted(name: str, place: Place) -> str:
    """A suggestion written as the wrong key was: in a group, or alone."""
    return name.replace("_", ".", 1) if len(place) > 1 else name
