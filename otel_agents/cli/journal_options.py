"""What all commands that read the journal have in common: their options, where the journal is, which programs still live, what to say when it is empty."""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import time
from collections import defaultdict
from datetime import datetime
from functools import cached_property
from pathlib import Path

from otel_agents.analysis.folder import Folder
from otel_agents.analysis.search import Search, Wanted
from otel_agents.cli.screen import plural, say
from otel_agents.otlp.segment_names import owner_of

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
SECOND = 10**9


def add_journal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--journal", type=Path, metavar="DIR", help="read this journal folder (default: OTEL_AGENTS_JOURNAL_DIR, or the user's state folder)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=moment, default=0, metavar="AGE", help="only what went on since: 90s, 15m, 2h, 7d, or a time such as 2026-11-21T09:30")
    parser.add_argument("--session", metavar="ID", help="only this conversation")
    parser.add_argument("--agent", metavar="NAME", help="only where this agent took part")


def seconds(text: str) -> int:
    """An age such as 90s, 15m, 2h, 7d, 1w in seconds."""
    found = re.fullmatch(r"(\d+)([smhdw])", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age; write it as 90s, 15m, 2h, 7d or 1w")
    return int(found[1]) * UNITS[found[2]]


def count(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no count; write a whole number from 1 up")
    return int(text)


def moment(text: str) -> int:
    """A point in time, given as an age or as an ISO time, in nanoseconds since the epoch."""
    if re.fullmatch(r"\d+\w", text.strip()):
        return time.time_ns() - seconds(text) * SECOND
    try:
        return int(datetime.fromisoformat(text.strip()).timestamp() * SECOND)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an age (90s, 15m, 2h, 7d) nor a time (2026-11-21T09:30)") from None


def journal_of(options: argparse.Namespace) -> Path:
    """The journal folder that was named, or that the settings name."""
    if options.journal is not None:
        return Path(options.journal)
    from otel_agents.config.settings import load_forgiving  # as the programs read them: what else is wrong there is doctor's to say

    return load_forgiving()[0].journal_dir


def search_of(options: argparse.Namespace) -> Search:
    folder = Folder(journal_of(options))
    return Search(folder, Living(folder).has)


def wanted_of(options: argparse.Namespace) -> Wanted:
    return Wanted(options.since, options.session, options.agent, getattr(options, "errors", False))


class Living:
    """Which segments belong to a process that still lives: it holds the lock of at least one of its own."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.known: dict[str, bool] = {}

    def has(self, segment: str) -> bool:
        owner = owner_of(Path(segment))
        if owner not in self.known:
            self.known[owner] = any(is_locked(path) for path in self.paths[owner])
        return self.known[owner]

    @cached_property
    def paths(self) -> dict[str, list[Path]]:
        """The segments by the process that wrote them, read once for all."""
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for segment in self.folder.segments():
            found[segment.owner].append(segment.path)
        return found


def is_locked(path: Path) -> bool:
    """Whether somebody writes to the file; asked with a shared lock, which no other reader minds."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def say_empty(folder: Folder, wanted: Wanted | None = None) -> None:
    """Say why there is nothing to show, and what to do about it."""
    for path, problem in folder.unreadable.items():
        say(f"otel-agents: {path} can't be read: {problem}")
    if wanted is not None and wanted != Wanted() and folder.segments("traces"):
        say("otel-agents: no trace matches; `otel-agents traces` without filters lists them all.")
    elif not folder.unreadable:
        say(EMPTY.format(folder.path))


EMPTY = """otel-agents: nothing has been recorded in {} yet.
  see it work:            otel-agents demo
  record your program:    OTEL_AGENTS_ENABLED=true python your_program.py
  why nothing is there:   otel-agents doctor"""


def say_skipped(folder: Folder) -> None:
    """Say what could not be read of what was there."""
    if folder.skipped:
        say(f"otel-agents: left out what could not be read in {folder.path}: {plural(folder.skipped, 'line')}, torn or not OTLP/JSON.")
    for path, problem in folder.unreadable.items():
        say(f"otel-agents: {path} can't be read: {problem}")
