"""What commands that read the journal share: options, the journal's folder, which programs are still running, what to say when it is empty."""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from datetime import datetime
from functools import cached_property
from pathlib import Path

from otel_agents.analysis.folder import Folder
from otel_agents.analysis.search import Search, Wanted
from otel_agents.cli.screen import plural, say
from otel_agents.config.parsers import SECONDS
from otel_agents.journal.files import is_locked
from otel_agents.otlp.segment_names import owner_of

SECOND = 10**9


def add_journal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--journal", type=Path, metavar="DIR", help="read this journal folder (default: OTEL_AGENTS_JOURNAL_DIR, or the user's state folder)")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=moment, default=0, metavar="AGE", help="only what ran since then: 90s, 15m, 2h, 7d, or a time such as 2026-11-21T09:30")
    parser.add_argument("--session", metavar="ID", help="only this conversation")
    parser.add_argument("--agent", metavar="NAME", help="only where this agent took part")


def seconds(text: str) -> int:
    """An age such as 90s, 15m, 2h, 7d or 1w, in seconds."""
    found = re.fullmatch(r"(\d+)([a-z]+)", text.strip())
    if found is None or found[2] not in SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age (write 90s, 15m, 2h, 7d or 1w)")
    return int(int(found[1]) * SECONDS[found[2]])


def count(text: str) -> int:
    """A whole number, at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count (write a whole number, 1 or more)")
    return int(text)


def moment(text: str) -> int:
    """A point in time in nanoseconds since the epoch, from an age or an ISO 8601 time."""
    if re.fullmatch(r"\d+[a-z]+", text.strip()):
        return time.time_ns() - seconds(text) * SECOND
    try:
        return int(datetime.fromisoformat(text.strip()).timestamp() * SECOND)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an age (write 90s, 15m, 2h or 7d) nor a time (write 2026-11-21T09:30)") from None


def journal_of(options: argparse.Namespace) -> Path:
    """The journal folder given on the command line, or else by the settings."""
    if options.journal is not None:
        return Path(options.journal)
    from otel_agents.config.settings import load_forgiving  # as programs do: other mistakes in the settings are for doctor to report

    return load_forgiving()[0].journal_dir


def search_of(options: argparse.Namespace) -> Search:
    folder = Folder(journal_of(options))
    return Search(folder, Running(folder).has)


def wanted_of(options: argparse.Namespace) -> Wanted:
    return Wanted(options.since, options.session, options.agent, getattr(options, "errors", False))


class Running:
    """Tells which segments belong to a running process: one that holds the lock of at least one of its segments."""

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
        """Segments by the process that wrote them; the folder is listed once."""
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for segment in self.folder.segments():
            found[segment.owner].append(segment.path)
        return found


def say_empty(folder: Folder, wanted: Wanted | None = None) -> None:
    """Explain why there is nothing to show, and what to do."""
    for path, problem in folder.unreadable.items():
        say(f"otel-agents: {path} can't be read: {problem}")
    if wanted is not None and wanted != Wanted() and folder.segments("traces"):
        say("otel-agents: no trace matches the filters; `otel-agents traces` without filters lists them all.")
    elif not folder.unreadable:
        say(EMPTY.format(folder.path))


EMPTY = """otel-agents: nothing has been recorded in {} yet.
  see it work:            otel-agents demo
  record your program:    OTEL_AGENTS_ENABLED=true python your_program.py
  find out why:           otel-agents doctor"""


def say_skipped(folder: Folder) -> None:
    """Report lines and files that could not be read."""
    if folder.skipped:
        say(f"otel-agents: skipped {plural(folder.skipped, 'line')} in {folder.path}: torn, or not OTLP/JSON.")
    for path, problem in folder.unreadable.items():
        say(f"otel-agents: {path} can't be read: {problem}")
