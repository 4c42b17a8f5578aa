"""Check what is installed, active and instrumented, where telemetry goes, what is waiting and what was lost; and say how to fix what is wrong.

The exit status is 1 if something is wrong.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import Any

from otel_agents.analysis.folder import Folder
from otel_agents.cli import checks, journal_options, screen
from otel_agents.cli.checks import NOTE, OK, WRONG, Fact, Section
from otel_agents.redaction import messages

MARKS = {OK: ("✓", "green"), NOTE: ("·", "dim"), WRONG: ("✗", "bold red")}
LABEL = 19


def add_arguments(parser: argparse.ArgumentParser) -> None:
    journal_options.add_journal(parser)
    parser.add_argument("--offline", action="store_true", help="don't contact the endpoint")


def run(options: argparse.Namespace) -> int:
    """Print the result of every check; 1 if something is wrong."""
    sections = examine(options)
    wrong = [fact for section in sections for fact in section.facts if fact.state == WRONG]
    if options.json:
        screen.print_json(as_json(sections, wrong))
    else:
        show(sections, wrong)
    return int(bool(wrong))


def examine(options: argparse.Namespace) -> list[Section]:
    from otel_agents.config.settings import load_forgiving

    settings, problems = load_forgiving()
    folder = Folder(options.journal or settings.journal_dir)
    if not options.json:
        screen.say("otel-agents: starting a Python process and importing the libraries; this takes a few seconds …")
    seen = checks.probe()
    found = [
        checks.installation(),
        checks.activation(seen, os.environ),
        checks.libraries(seen),
        checks.configuration(settings, problems),
        checks.journal(settings, folder),
        checks.destinations(settings, offline=options.offline),
        checks.lost(folder),
    ]
    return [presentable(section) for section in found]


def presentable(section: Section) -> Section:
    """The section with every text redacted: it may quote settings or error messages."""
    facts = [replace(fact, text=messages.line(fact.text), fix=messages.line(fact.fix)) for fact in section.facts]
    return Section(section.title, facts, messages.public("", section.data))


def as_json(sections: list[Section], wrong: list[Fact]) -> dict[str, Any]:
    found = {section.title.lower().replace(" ", "_"): section.data for section in sections}
    return {"ok": not wrong, "problems": [{"what": f"{fact.label}: {fact.text}", "fix": fact.fix} for fact in wrong], **found}


def show(sections: list[Section], wrong: list[Fact]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    console = screen.console()
    for section in sections:
        console.print(Text(section.title, "bold"))
        for fact, above in zip(section.facts, [None, *section.facts], strict=False):
            console.print(Padding(line(fact, says_fix=above is None or above.fix != fact.fix), (0, 0, 0, 2)))
        console.print()
    console.print(Text(f"{screen.plural(len(wrong), 'problem')} to fix" if wrong else "Everything is in order.", "bold red" if wrong else "bold green"))


def line(fact: Fact, *, says_fix: bool = True) -> Any:
    """Mark, label and text; below, the fix, unless the line above has the same one."""
    from rich.table import Table
    from rich.text import Text

    mark, style = MARKS[fact.state]
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(width=LABEL)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, style), Text(fact.label, "dim"), Text(fact.text, "dim" if fact.state == NOTE else ""))
    if fact.fix and fact.state != OK and says_fix:
        grid.add_row("", "", Text(f"→ {fact.fix}", "yellow"))
    return grid
