"""Delete old journal files. Never touches files that a program is writing to; keeps what has not been delivered yet, unless --all is given."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from otel_agents.analysis.folder import Folder, Segment
from otel_agents.cli import journal_options, screen
from otel_agents.journal.caps import LEFTOVER_S, acknowledged
from otel_agents.journal.files import OFFSETS_FILE, UNFINISHED_FILE, is_locked, lines_after, locked
from otel_agents.otlp.segment_names import owner_of

LOCAL = "local"
IN_USE, UNSENT, RECENT, REFUSED = "in use", "not sent yet", "too recent", "refused by the system"
NOTES = {
    IN_USE: "a program is writing to it",
    UNSENT: "not delivered to its endpoint yet; --all deletes it anyway",
    REFUSED: "check the permissions",
}


@dataclass(frozen=True, slots=True)
class Fate:
    """One segment and the reason to keep it; without a reason it is deleted."""

    segment: Segment
    kept_for: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    journal_options.add_journal(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--older-than", type=journal_options.seconds, metavar="AGE", help="delete files last written to longer ago than this: 12h, 7d, 4w")
    which.add_argument("--all", action="store_true", help="delete everything that no program is writing to, even if it was not sent yet")
    parser.add_argument("--dry-run", action="store_true", help="delete nothing, only show what would be deleted")


def run(options: argparse.Namespace) -> int:
    """Delete and show what was deleted, or would be; returns 1 when something could not be deleted."""
    folder = Folder(journal_options.journal_of(options))
    chosen = options.all or options.older_than is not None
    dry = options.dry_run or not chosen
    fates = [fate(segment, options) for segment in ours(folder)]
    if not dry:
        fates = [deleted(one) for one in fates]
        for destination in {one.segment.path.parent for one in fates}:
            sweep(destination)
    if options.json:
        screen.print_json(as_json(folder, fates, dry=dry))
    else:
        show(folder, fates, dry=dry, chosen=chosen)
    return int(any(one.kept_for == REFUSED for one in fates))


def ours(folder: Folder) -> list[Segment]:
    """The segments in folders of destinations; symbolic links are left alone."""
    return [one for one in folder.segments() if one.path.parent != folder.path and not one.path.is_symlink()]


# ------------------------------------------------------------------------------------------------ what is deleted


def fate(segment: Segment, options: argparse.Namespace) -> Fate:
    return Fate(segment, next((reason for reason, keeps in KEEP.items() if keeps(segment, options)), ""))


def is_recent(segment: Segment, options: argparse.Namespace) -> bool:
    return options.older_than is not None and time.time() - segment.modified / 1e9 < options.older_than


def is_in_use(segment: Segment, options: argparse.Namespace) -> bool:
    return is_locked(segment.path)


def is_unsent(segment: Segment, options: argparse.Namespace) -> bool:
    return not options.all and segment.destination != LOCAL and not segment.is_sent and waiting(segment.path) > 0


KEEP = {RECENT: is_recent, IN_USE: is_in_use, UNSENT: is_unsent}


def waiting(path: Path) -> int:
    """How many lines of the segment have not been acknowledged by the endpoint."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return lines_after(fd, acknowledged(path))
    finally:
        os.close(fd)


def deleted(one: Fate) -> Fate:
    """Delete the segment while holding its lock, so that no process adopts it meanwhile."""
    if one.kept_for:
        return one
    fd = locked(one.segment.path)
    if fd is None:
        return replace(one, kept_for=IN_USE if one.segment.path.exists() and os.access(one.segment.path, os.R_OK) else REFUSED)
    try:
        one.segment.path.unlink()
    except OSError:
        return replace(one, kept_for=REFUSED)
    finally:
        os.close(fd)
    return one


def sweep(destination: Path) -> None:
    """Delete what dead processes left beside their segments, and the folder itself when it is empty."""
    owners = {owner_of(path) for path in destination.glob("*.jsonl")}
    with suppress(OSError):  # what stays is small, and goes at the next prune
        for path in leftovers(destination, owners):
            path.unlink()
        if not any(destination.iterdir()):
            destination.rmdir()


def leftovers(destination: Path, owners: set[str]) -> Iterator[Path]:
    for path in destination.iterdir():
        is_alone = OFFSETS_FILE.fullmatch(path.name) is not None and path.name.partition(".")[0] not in owners
        if is_alone or (UNFINISHED_FILE.fullmatch(path.name) and time.time() - path.stat().st_mtime > LEFTOVER_S):
            yield path


# ------------------------------------------------------------------------------------------------ output


def as_json(folder: Folder, fates: list[Fate], *, dry: bool) -> dict[str, Any]:
    gone = [one for one in fates if not one.kept_for]
    return {
        "journal": str(folder.path),
        "dry_run": dry,
        "deleted": [described(one.segment) for one in gone],
        "deleted_bytes": sum(one.segment.size for one in gone),
        "kept": [{**described(one.segment), "reason": one.kept_for} for one in fates if one.kept_for],
    }


def described(segment: Segment) -> dict[str, Any]:
    return {
        "path": str(segment.path),
        "destination": segment.destination,
        "signal": segment.signal,
        "bytes": segment.size,
        "sent": segment.is_sent,
        "modified": screen.iso(segment.modified),
    }


def show(folder: Folder, fates: list[Fate], *, dry: bool, chosen: bool) -> None:
    if not fates:
        screen.say(f"otel-agents: nothing to delete in {folder.path}.")
        return
    show_table(fates, dry=dry)
    kept = Counter(one.kept_for for one in fates if one.kept_for)
    for reason, files in kept.items():
        print(f"kept, {reason}: {screen.plural(files, 'file')}" + (f" ({NOTES[reason]})" if reason in NOTES else ""))
    if not chosen:
        print("nothing was deleted; choose what to delete: --older-than 7d, or --all")


def show_table(fates: list[Fate], *, dry: bool) -> None:
    columns = ("DESTINATION", "SIGNAL", "FILES", "SIZE", "LAST WRITTEN", "WOULD DELETE" if dry else "DELETED")
    groups: dict[tuple[str, str], list[Fate]] = {}
    for one in fates:
        groups.setdefault((one.segment.destination, one.segment.signal), []).append(one)
    rows = [(*group, *figures(members)) for group, members in sorted(groups.items())]
    screen.print_table(screen.console(), columns, rows, right=("FILES", "SIZE", "WOULD DELETE", "DELETED"), flexible="DESTINATION")


def figures(members: list[Fate]) -> tuple[str, ...]:
    gone = [one.segment.size for one in members if not one.kept_for]
    written = screen.clock(max(one.segment.modified for one in members))
    return str(len(members)), screen.size(sum(one.segment.size for one in members)), written, f"{screen.plural(len(gone), 'file')}, {screen.size(sum(gone))}"
