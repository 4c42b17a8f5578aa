"""Loki, Tempo and Grafana run as people's own servers: no file of the repository names a Go module of theirs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from modules import BANNED

ROOT = Path(__file__).parents[1]
MADE = {".git", ".venv", "__pycache__", "node_modules", "dist", "build"}


def files(folder: Path) -> Iterator[Path]:
    """Every file that belongs to the repository, as far as names tell."""
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if (name not in MADE and not name.startswith(".")) or name == ".ci"]
        yield from (Path(where) / name for name in names)


def test_no_file_names_a_module_of_loki_tempo_or_grafana() -> None:
    walked = list(files(ROOT))
    assert ROOT / "collector" / "servers" / "jaeger" / "go.sum" in walked
    assert [str(path) for path in walked if BANNED.search(path.read_bytes())] == []
