"""Send the journal to a Collector once, including what was only kept locally and what another endpoint has received.

What was sent is remembered per endpoint: a second replay sends only what is new (--again sends everything). Segments that are already on their way to this
endpoint are left to the programs' own shippers.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Any

from otel_agents.analysis.folder import Folder
from otel_agents.analysis.folder import Segment as Kept
from otel_agents.cli import journal_options, screen
from otel_agents.config.settings import Endpoint, Settings, load
from otel_agents.journal.batches import Line, batches, lines_of
from otel_agents.journal.delivery import FAILING, SignalSender
from otel_agents.journal.files import Segment, is_locked
from otel_agents.journal.tally import Offsets, Tally, Warnings
from otel_agents.otlp.segment_names import as_sent
from otel_agents.otlp.signals import SIGNALS
from otel_agents.redaction.urls import without_credentials

PATIENCE_S = 60.0
NOWHERE = "otel-agents replay: no endpoint is set; name one: otel-agents replay --to http://localhost:4318"
WITHOUT_HEADERS = "otel-agents replay: OTEL_EXPORTER_OTLP_HEADERS is meant for {}, so its headers are not sent to {}."
BUSY = "otel-agents replay: another replay to this endpoint is running."
GAVE_UP = "otel-agents replay: can't send {} to {}: {}. What was sent is remembered; run it again when the endpoint is back."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    journal_options.add_journal(parser)
    parser.add_argument("--to", metavar="URL", help="the endpoint, such as http://localhost:4318 (default: OTEL_EXPORTER_OTLP_ENDPOINT)")
    parser.add_argument(
        "--since", type=journal_options.moment, default=0, metavar="AGE", help="only files written to since then: 2h, 7d, or a time such as 2026-11-21T09:30"
    )
    parser.add_argument("--again", action="store_true", help="send again what an earlier replay sent to this endpoint")
    parser.add_argument("--dry-run", action="store_true", help="send nothing, only show how much would be sent")
    parser.add_argument(
        "--patience",
        type=journal_options.seconds,
        default=PATIENCE_S,
        metavar="AGE",
        help="how long to keep trying when the endpoint fails (default: 60s)",
    )


def run(options: argparse.Namespace) -> int:
    """Returns 0 when everything was sent, 1 when something could not be sent."""
    settings = settings_of(options.to)
    endpoints = {signal: endpoint for signal in SIGNALS if (endpoint := settings.endpoint(signal)) is not None}
    if not endpoints:
        screen.say(NOWHERE)
        return 2
    folder = Folder(journal_options.journal_of(options))
    if not folder.path.is_dir():
        journal_options.say_empty(folder)
        return 1
    with replayed(folder, settings.destination) as memory:
        if memory is None:
            screen.say(BUSY)
            return 1
        if options.again:
            memory.sent.clear()
        outcome = replay(Replay(folder, endpoints, memory, options, settings.destination))
    show(outcome, options)
    return int(bool(outcome.problems))


def settings_of(to: str | None) -> Settings:
    """The settings, with the endpoint replaced by `to` if given; headers meant for another host are dropped."""
    if to is None:
        return load()
    given = load()
    meant_for = given.endpoint("traces")
    routed = {f"otlp_{signal}_endpoint": None for signal in SIGNALS if given.otlp.get(f"{signal}_endpoint")}
    if meant_for is None or place(meant_for.url) == place(to if "://" in to else f"http://{to}") or not meant_for.headers:
        return load(otlp_endpoint=to, **routed)
    screen.say(WITHOUT_HEADERS.format(place(meant_for.url), place(to)))
    return load(otlp_endpoint=to, otlp_headers={}, **routed)


def place(url: str) -> str:
    """Scheme, host and port."""
    from urllib.parse import urlsplit

    parts = urlsplit(without_credentials(url))
    return f"{parts.scheme}://{parts.netloc}"


# ------------------------------------------------------------------------------------------------ what earlier replays sent


@contextmanager
def replayed(folder: Folder, destination: str) -> Iterator[Offsets | None]:
    """What earlier replays sent to this destination, locked for this one; None while another replay holds the lock."""
    path = folder.path / f"replayed-{sha256(destination.encode()).hexdigest()[:16]}.json"
    with path.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield None
            return
        yield Offsets.read(path)


# ------------------------------------------------------------------------------------------------ sending


@dataclass(slots=True)
class Replay:
    """One replay: the folder, the endpoints, what was sent before."""

    folder: Folder
    endpoints: dict[str, Endpoint]
    memory: Offsets
    options: argparse.Namespace
    destination: str
    tally: Tally = field(default_factory=lambda: Tally(lambda signal, reason, items: None))

    def waiting(self) -> list[tuple[Kept, int]]:
        """Segments with something left to send and the offset to start from, oldest first."""
        kept = self.folder.segments(*self.endpoints, since=self.options.since)
        found = [(one, min(self.memory.sent.get(one.key, 0), one.size)) for one in reversed(kept)]
        return [(one, offset) for one, offset in found if offset < one.size and not self.is_on_its_way(one)]

    def is_on_its_way(self, one: Kept) -> bool:
        """Whether a program's shipper sends it to this same destination anyway."""
        return one.destination == self.destination and not one.is_sent

    def forget_gone(self) -> None:
        there = {one.key for one in self.folder.segments()}
        self.memory.sent = {key: offset for key, offset in self.memory.sent.items() if key in there}


@dataclass(slots=True)
class Outcome:
    """What was sent: items by signal, bytes, files; and by signal, why something was not."""

    items: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    files: int = 0
    total: int = 0
    lost: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


class ReplayWarnings(Warnings):
    """The sender's messages, except that the endpoint is failing: replay waits for it, and reports it at the end."""

    def once(self, what: str, message: str, *values: object) -> None:
        if not what.startswith(FAILING):
            super().once(what, message, *values)


def replay(task: Replay) -> Outcome:
    """Send every waiting segment, and remember each batch that was accepted."""
    waiting = task.waiting()
    outcome = Outcome(total=sum(one.size - offset for one, offset in waiting), files=len(waiting))
    if task.options.dry_run or not waiting:
        return outcome
    senders = {signal: SignalSender(signal, endpoint, task.tally, ReplayWarnings()) for signal, endpoint in task.endpoints.items()}
    with Progress(outcome, task.options) as progress:
        for one, offset in waiting:
            if one.signal not in outcome.problems and (problem := send(task, senders[one.signal], one, offset, outcome, progress)):
                outcome.problems[one.signal] = problem
    for sender in senders.values():
        sender.close()
    task.forget_gone()
    task.memory.save()
    outcome.lost = task.tally.all()
    return outcome


def send(task: Replay, sender: SignalSender, one: Kept, offset: int, outcome: Outcome, progress: Callable[[], None]) -> str:
    """Send one segment from the offset on; returns why it stopped, empty when all of it was sent."""
    with opened(one, offset) as segment:
        if segment is None:  # pruned meanwhile
            return ""
        is_complete = not is_locked(one.path)  # a program is still writing: an unfinished line is left to the next replay
        for batch in batches(lines_of(segment, segment.fd, segment.size, is_complete=is_complete)):
            if problem := deliver(sender, batch, task.options.patience):
                return problem
            outcome.items[one.signal] = outcome.items.get(one.signal, 0) + sum(line.raw is not None for line in batch)
            outcome.bytes += batch[-1].end - segment.offset
            task.memory.sent[one.key] = segment.offset = batch[-1].end
            task.memory.save()
            progress()
    return ""


def deliver(sender: SignalSender, batch: list[Line], patience: float) -> str:
    """Send the lines, backing off when the endpoint asks for it; returns why it gave up after `patience` seconds without progress."""
    lines = [line.raw for line in batch if line.raw is not None]
    until = time.monotonic() + patience
    while lines:
        if done := sender.deliver(lines):
            lines, until = lines[done:], time.monotonic() + patience
        elif time.monotonic() > until:
            return GAVE_UP.format(sender.signal, place(sender.endpoint.url), sender.last_error)
        else:
            wait(sender, until)
    return ""


def wait(sender: SignalSender, until: float) -> None:
    while not sender.is_due() and time.monotonic() <= until:
        time.sleep(0.05)


@contextmanager
def opened(one: Kept, offset: int) -> Iterator[Segment | None]:
    """The file as a complete segment; it may have been sent, and so renamed, since it was listed."""
    for path in (one.path, as_sent(one.path)):
        with suppress(FileNotFoundError):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                status = os.fstat(fd)
                yield Segment(one.signal, path, fd, status.st_dev, status.st_ino, offset=offset, size=status.st_size, rotated_at=0.0)
            finally:
                os.close(fd)
            return
    yield None


# ------------------------------------------------------------------------------------------------ output


class Progress:
    """A progress bar on a terminal, otherwise a line every few seconds; nothing with --json."""

    EVERY_S = 5.0

    def __init__(self, outcome: Outcome, options: argparse.Namespace) -> None:
        self.outcome, self.silent = outcome, options.json
        self.bar: Any = None
        self.next = time.monotonic() + self.EVERY_S

    def __enter__(self) -> Callable[[], None]:
        if not self.silent and sys.stderr.isatty():
            from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
            from rich.progress import Progress as Bars

            columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self.bar = Bars(*columns, console=screen.console(to_stderr=True), transient=True)
            self.bar.add_task("", total=self.outcome.total)
            self.bar.start()
        return self.update

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def update(self) -> None:
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.outcome.bytes)
        elif not self.silent and time.monotonic() > self.next:
            self.next = time.monotonic() + self.EVERY_S
            screen.say(f"  {screen.size(self.outcome.bytes)} of {screen.size(self.outcome.total)}")


def show(outcome: Outcome, options: argparse.Namespace) -> None:
    if options.json:
        screen.print_json(as_json(outcome, options))
    elif options.dry_run:
        print(f"would send {screen.size(outcome.total)} in {screen.plural(outcome.files, 'file')}")
    elif not outcome.total:
        print("nothing to replay: everything was sent there before, or is about to be sent by its own program")
    else:
        print(f"sent {summary(outcome)}")
    for problem in outcome.problems.values():
        screen.say(problem)
    for signal, reasons in outcome.lost.items():
        for reason, items in reasons.items():
            screen.say(f"otel-agents replay: {screen.plural(items, 'item')} of {signal} lost: {reason}")


def summary(outcome: Outcome) -> str:
    nouns = {"traces": "span", "metrics": "metric", "logs": "log record"}
    counted = ", ".join(screen.plural(outcome.items[signal], noun) for signal, noun in nouns.items() if signal in outcome.items)
    return f"{counted or 'nothing'}: {screen.size(outcome.bytes)} of {screen.size(outcome.total)}"


def as_json(outcome: Outcome, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "dry_run": options.dry_run,
        "files": outcome.files,
        "bytes": outcome.total if options.dry_run else outcome.bytes,
        "total_bytes": outcome.total,
        "items": outcome.items,
        "lost": outcome.lost,
        "problems": outcome.problems,
    }
