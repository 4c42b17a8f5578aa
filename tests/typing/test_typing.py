"""What type checkers say of programs that use otel-agents: nothing of right.py, and of wrong.py what stands beside each of its lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_overloads, get_type_hints

import pytest

from otel_agents.config import arguments
from otel_agents.config.values import KNOWN
from otel_agents.verbs import decorators, signatures
from otel_agents.verbs.table import ROWS, Row

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXPECTED = re.compile(r"# mypy: ([\w -]+), pyright: ([\w ]+)$")
SHORT_NAMES = {"endpoint", "protocol", "headers"}  # of the three OTLP settings that most programs give
Found = dict[int, list[str]]  # the codes of what is reported, by line


def checked(command: str, *words: str, cwd: Path) -> str:
    """What a type checker of this environment says, without a network."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "npm_config_offline": "true"}
    done = subprocess.run([Path(sys.executable).with_name(command), *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def by_line(reports: list[tuple[int, str]]) -> Found:
    found: Found = {}
    for line, code in sorted(reports):
        found.setdefault(line, []).append(code)
    return found


def mypy(program: str, folder: Path) -> Found:
    words = ["--strict", "--hide-error-context", "--no-error-summary", f"--cache-dir={folder / 'mypy'}", f"--config-file={os.devnull}"]
    told = checked("mypy", *words, "--no-incremental", str(HERE / program), cwd=ROOT)
    reports = re.findall(rf"{program}:(\d+): error: .*\[([\w-]+)\]$", told, re.M)
    assert len(reports) == told.count(": error: "), told
    return by_line([(int(line), code) for line, code in reports])


def pyright(program: str, folder: Path) -> Found:
    settings = {"include": [program], "typeCheckingMode": "strict", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    (folder / program).write_text((HERE / program).read_text())
    told = json.loads(checked("pyright", "--project", ".", "--pythonpath", sys.executable, "--outputjson", cwd=folder))
    assert told["summary"]["filesAnalyzed"] == 1
    return by_line([(each["range"]["start"]["line"] + 1, each["rule"]) for each in told["generalDiagnostics"]])


CHECKERS = (mypy, pyright)


@pytest.mark.parametrize("checker", CHECKERS)
def test_nothing_is_reported_of_a_right_program(checker: Callable[[str, Path], Found], tmp_path: Path) -> None:
    assert checker("right.py", tmp_path) == {}


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_mistake_is_reported_where_it_is(checker: Callable[[str, Path], Found], tmp_path: Path) -> None:
    lines = (HERE / "wrong.py").read_text().splitlines()
    expected = {number: found[1 + CHECKERS.index(checker)].split() for number, line in enumerate(lines, 1) if (found := EXPECTED.search(line))}
    assert len(expected) > 30
    assert checker("wrong.py", tmp_path) == expected


def test_the_right_program_runs(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    code = (HERE / "right.py").read_text().replace("/tmp/journal", str(tmp_path)).replace("http://localhost:4318", "http://127.0.0.1:9")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ------------------------------------------------------------------------------------------------ signatures and tables are equal


def options_of(verb: str) -> dict[str, object]:
    """The options of a verb as its signature has them: those of its last overload, and of the documented function itself."""
    hints = get_type_hints(get_overloads(getattr(signatures, verb))[-1])
    assert list(get_type_hints(getattr(signatures, verb))) == list(hints)
    return {name: hint for name, hint in hints.items() if name != "return"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.verb)
def test_a_verb_has_the_options_of_its_row(row: Row) -> None:
    selects = {row.selects} if row.selects else set()
    assert set(options_of(row.verb)) == {"name", *selects, *row.options}
    if row.choices is not None:
        assert get_args(options_of(row.verb)[row.selects]) == tuple(row.choices)


def test_every_verb_has_a_signature_and_a_docstring_that_names_each_option() -> None:
    for row in ROWS:
        described = re.findall(r"^        (\w+)(?: \(\w+\))?: ", getattr(signatures, row.verb).__doc__ or "", re.M)
        assert set(options_of(row.verb)) | {"TypeError"} == set(described) - {"ValueError"}


def test_start_takes_every_setting() -> None:
    assert set(arguments.Arguments.__annotations__) == set(KNOWN) | SHORT_NAMES


def test_an_option_that_a_verb_does_not_have_is_a_type_error() -> None:
    for row in ROWS:
        with pytest.raises(TypeError, match=rf"oa\.{row.verb}\(\) has no option 'colour'"):
            getattr(decorators, row.verb)(colour="red")
