"""Run a Python program with otel-agents switched on, as if OTEL_AGENTS_ENABLED=true had been set for it.

  otel-agents run app.py ARGS…            a file
  otel-agents run -m package.module …     a module, as with python -m
  otel-agents run celery worker …         a command of this environment
  otel-agents run -- python -X dev app.py any other command line

The program replaces this process: it receives all signals, and its exit status is passed on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import site
import sys
from collections.abc import Mapping
from pathlib import Path

from otel_agents.cli.layer import LAYER
from otel_agents.cli.screen import say

SWITCH = "OTEL_AGENTS_ENABLED"
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # a shell's exit statuses


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "otel-agents run [-m MODULE | PROGRAM | -- COMMAND] [ARGS…]"
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, metavar="MODULE", help="run a module, with its arguments")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="PROGRAM", help="a .py file or a command, with its arguments")


def run(options: argparse.Namespace) -> int:
    """Replace this process by the program; returns only if it can't be started."""
    words = command(options.words, options.module)
    if not words:
        say("otel-agents run: which program? For example: otel-agents run app.py, or: otel-agents run -m package.module")
        return 2
    program = found(words[0])
    if program is None:
        say(f"otel-agents run: no program {words[0]!r}: neither an executable file nor a command on PATH. For a module: otel-agents run -m MODULE")
        return NOT_FOUND
    try:
        os.execve(program, words, environment(os.environ))
    except OSError as problem:
        say(f"otel-agents run: {program} can't be started: {problem.strerror}")
        return NOT_EXECUTABLE


def command(words: list[str], module: list[str] | None = None) -> list[str]:
    """The command line to execute: Python files and modules with this interpreter, anything else unchanged."""
    if module is not None:
        return [sys.executable, "-m", *module] if module else []
    plain = words[1:] if words[:1] == ["--"] else words
    return [sys.executable, *plain] if plain and is_python(Path(plain[0])) else plain


def is_python(path: Path) -> bool:
    return path.suffix in (".py", ".pyz", ".pyc") or (path.is_dir() and (path / "__main__.py").exists())


def found(program: str) -> str | None:
    """The program's path. This environment's commands come first: its `bin` folder may not be on PATH."""
    beside = os.path.dirname(sys.executable)
    return shutil.which(program, path=os.pathsep.join((beside, os.environ.get("PATH", os.defpath))))


# ------------------------------------------------------------------------------------------------ what switches it on


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment with otel-agents enabled; where Python reads no .pth file of ours, the layer is put on PYTHONPATH."""
    return switched(given, *(() if pth_files() else (LAYER, LAYER.parent.parent)))


def switched(given: Mapping[str, str], *folders: Path) -> dict[str, str]:
    """The environment with otel-agents enabled, and these folders first on PYTHONPATH."""
    paths = [path for path in (*map(str, folders), given.get("PYTHONPATH", "")) if path] if folders else []
    return {**given, SWITCH: "true"} | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})


def pth_files() -> list[Path]:
    """Our start-up files in this interpreter's site-packages folders."""
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    names = ("otel_agents.start", "otel_agents.pth") if sys.version_info >= (3, 15) else ("otel_agents.pth",)
    return [path for folder in folders for name in names if (path := Path(folder) / name).exists()]
