"""Where settings come from: call arguments, the environment, a file; read into flat names (`journal_dir`), each with the place where a person would correct it.

A file's groups are the same names in parts: `journal: {dir: …}` is `journal_dir`. What a value means is decided in parsers.py and values.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from otel_agents.config import parsers
from otel_agents.config.files import PROJECT, TABLE, Place, label_of, nearby_file, read
from otel_agents.config.otel_variables import CAPTURE, DISABLED, VARIABLES
from otel_agents.config.values import KNOWN, SECTIONS, SWITCHES
from otel_agents.redaction.messages import word, wrong

PREFIX = "OTEL_AGENTS_"
WHOLE = (*SECTIONS, "headers", "otlp_headers", "otlp_traces_headers", "otlp_metrics_headers", "otlp_logs_headers")  # their keys are names of the user's own
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
    """A value and where it was written: `label` is what a person looks for, `shown` what they wrote there."""

    value: Any
    label: str
    shown: Any


Layer = dict[str, Given]


@dataclass
class Found:
    """What the sources say, the strongest layer first; `problems` are lines about what could not be used."""

    layers: list[Layer] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    file: Path | None = None
    lines: Mapping[Place, int] = field(default_factory=dict)  # of the file: where each key stands

    def merged(self) -> Layer:
        return {name: given for layer in reversed(self.layers) for name, given in layer.items()}

    def origins(self) -> dict[str, str]:
        return {name: given.label for name, given in self.merged().items()}

    def drop(self, name: str) -> None:
        """Forget the strongest value of a setting, so that the next source's counts."""
        next(layer for layer in self.layers if name in layer).pop(name)


def known(written: str) -> str | None:
    """The setting that somebody's spelling means."""
    name = written.lower().replace("-", "_")
    name = ALIASES.get(name, name)
    return name if name in KNOWN else None


def nearest(written: str) -> str:
    from difflib import get_close_matches

    return next(iter(get_close_matches(written.lower(), sorted(KNOWN), n=1, cutoff=0.5)), "")


def gather(overrides: Mapping[str, Any], environ: Mapping[str, str]) -> Found:
    """Read every source; nothing raises, what cannot be read becomes a line in `problems`."""
    found = Found()
    arguments, environment = arguments_of(overrides, found.problems), environment_of(environ, found.problems)
    named = (environment.pop("config_file", None), arguments.pop("config_file", None))
    file = layer_of_file(named[1] or named[0], found)
    found.layers = [disabled(environ), arguments, environment, file, conventional(environ)]
    return found


def disabled(environ: Mapping[str, str]) -> Layer:
    """OTEL_SDK_DISABLED, which wins over everything: only the word true counts (specification)."""
    word = environ.get(DISABLED, "")
    return {"enabled": Given(False, DISABLED, word)} if word.strip().lower() == "true" else {}


def arguments_of(overrides: Mapping[str, Any], problems: list[str]) -> Layer:
    given = {name: Given(value, f"argument {name}", value) for name, value in overrides.items() if value is not None}
    problems += [unknown(f"argument {word(name)}", nearest(name)) for name in given if known(name) is None]
    return {name: value for written, value in given.items() if (name := known(written))}


def environment_of(environ: Mapping[str, str], problems: list[str]) -> Layer:
    """OTEL_AGENTS_* over OTEL_*; an empty OTEL_* variable is an unset one (specification), an empty switch of ours is off."""
    layer: Layer = {}
    for variable in reversed(VARIABLES):
        written = environ.get(variable.name, "").strip()
        if written and variable.setting and variable.name not in (DISABLED, CAPTURE):
            layer[variable.setting] = Given(written + variable.unit, variable.name, written)
    layer |= captured(environ, problems)
    for name in [name for name in environ if name.startswith(PREFIX)]:
        layer |= ours(name, environ[name], problems)
    return layer


def ours(variable: str, written: str, problems: list[str]) -> Layer:
    name = known(variable.removeprefix(PREFIX))
    if name is None:
        near = nearest(variable.removeprefix(PREFIX))
        problems.append(unknown(PREFIX + word(variable.removeprefix(PREFIX)), near and PREFIX + near.upper()))
        return {}
    return {name: Given(written, variable, written)} if written.strip() or name in SWITCHES else {}


def captured(environ: Mapping[str, str], problems: list[str]) -> Layer:
    """Where content goes, as the conventional variable says it."""
    written = environ.get(CAPTURE, "").strip()
    places = CAPTURED.get(written.lower())
    if written and places is None:
        problems.append(f"{CAPTURE}={wrong('content_in', written)} is not a valid choice: use NO_CONTENT, SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT")
    return {"content_in": Given(places, CAPTURE, written)} if places else {}


def conventional(environ: Mapping[str, str]) -> Layer:
    """Content switched on by the conventional variable: the weakest source, because our own setting decides how."""
    written = environ.get(CAPTURE, "").strip()
    return {"content": Given("full", CAPTURE, written)} if CAPTURED.get(written.lower()) else {}


def unknown(label: str, near: str) -> str:
    hint = f"did you mean {near}?" if near else "`otel-agents config show` lists them"
    return f"{label} is not a setting of otel-agents; {hint}"


# the file


def named_file(named: Given | None) -> Path | None:
    if named is None:
        return None
    file = parsers.path(named.value)
    if not file.is_file():
        raise ValueError(f"{named.label}={wrong('config_file', named.shown)} does not exist: create it, or leave the name out")
    return file


def layer_of_file(named: Given | None, found: Found) -> Layer:
    """The file's settings, and the file itself: which one it is counts as a setting too."""
    try:
        found.file = named_file(named) or nearby_file()
        if found.file is None:
            return {}
        label = named.label if named else "found here"
        return {"config_file": Given(found.file, label, str(found.file)), **settings_of(found.file, found)}
    except (OSError, ValueError) as problem:
        found.problems.append(str(problem))
        return {}


def read_file(file: Path) -> Found:
    """One file alone, as `config check FILE` judges it."""
    found = Found(file=file)
    found.layers = [layer_of_file(Given(str(file), "FILE", str(file)), found)]
    return found


def settings_of(file: Path, found: Found) -> Layer:
    written = read(file)
    found.lines = written.lines
    if written.content is None:
        return {}
    if not isinstance(written.content, Mapping):
        raise ValueError(f"{label_of(file)}: is not a table of settings; write `name: value` lines")
    return {name: given for place, value in leaves(written.content, ()) for name, given in one(file, found, place, value)}


def one(file: Path, found: Found, place: Place, value: Any) -> Iterator[tuple[str, Given]]:
    label, flat = labelled(file, found.lines, place), "_".join(place)
    name = known(flat)
    if name is None:
        found.problems.append(unknown(label, dotted(nearest(flat), place)))
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


def dotted(name: str, place: Place) -> str:
    """A suggestion written as the wrong key was: in a group, or alone."""
    return name.replace("_", ".", 1) if len(place) > 1 else name
