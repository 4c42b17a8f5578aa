"""The file of settings: which one counts, and its content with the line of every key. Read before anything else is, so it imports little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Place = tuple[str, ...]  # the keys that lead to a value: ("journal", "dir")

YAML_FILES = ("otel-agents.yaml", "otel-agents.yml")
PROJECT, TABLE = "pyproject.toml", "tool.otel-agents"


class Written(NamedTuple):
    """A file's content, and the line that each key stands on."""

    content: Any
    lines: Mapping[Place, int]


def nearby_file() -> Path | None:
    """otel-agents.yaml of the working directory, else the nearest pyproject.toml if it has a table for us."""
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # it was deleted meanwhile
        return None
    here = next((folder / name for name in YAML_FILES if (folder / name).is_file()), None)
    return here or next((file for file in nearest_project(folder) if has_our_table(file)), None)


def nearest_project(folder: Path) -> Iterator[Path]:
    yield from [file for parent in (folder, *folder.parents) if (file := parent / PROJECT).is_file()][:1]


def has_our_table(project: Path) -> bool:
    try:
        return TABLE.encode() in project.read_bytes()
    except OSError:  # another project's file: not ours to complain about
        return False


def read(file: Path) -> Written:
    try:
        source = file.read_text(encoding="utf-8")
    except OSError as problem:
        raise ValueError(
            f"{label_of(file)}: cannot be read ({problem.strerror}); make it readable, or name another file in OTEL_AGENTS_CONFIG_FILE"
        ) from problem
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
    """The parser's message without what it quotes from the file, which may be a password that begins with a special character; its own terms are in <>."""
    import re

    return re.sub(r"'(?!<)[^']{2,}'", "…", complaint or "")


def key_lines(node: Any, parents: Place = ()) -> Iterator[tuple[Place, int]]:
    """The line of each key of a YAML document; four levels, deeper than any setting, end anchors that contain themselves."""
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


def label_of(file: Path) -> str:
    """A file of the working directory by its name, others by their full path."""
    try:
        return file.name if file.parent == Path.cwd() else str(file)
    except FileNotFoundError:
        return str(file)
