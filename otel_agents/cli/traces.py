"""List recorded traces, newest first: agents, durations, tokens, cost, errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from otel_agents.analysis.traces import Summary
from otel_agents.cli import journal_options, screen

if TYPE_CHECKING:
    from rich.text import Text

SHOWN = 20
RUN = "invoke_agent "  # left out of the list: the agent's name is enough


def add_arguments(parser: argparse.ArgumentParser) -> None:
    journal_options.add_journal(parser)
    journal_options.add_filters(parser)
    parser.add_argument("--errors", action="store_true", help="only traces with an error or a process that died")
    parser.add_argument("--limit", type=journal_options.count, metavar="N", help=f"list at most N traces (default: {SHOWN}; with --json: all)")


def run(options: argparse.Namespace) -> int:
    """Print the list; returns 1 when there is nothing to list."""
    search, wanted = journal_options.search_of(options), journal_options.wanted_of(options)
    found = [one.summary for one in search.newest(wanted, limit_of(options))]
    if options.json:
        screen.print_json([screen.as_json(one) for one in found])
    if not found:
        journal_options.say_empty(search.folder, wanted)
        return 1
    if not options.json:
        show(found)
    journal_options.say_skipped(search.folder)
    return 0


def limit_of(options: argparse.Namespace) -> int | None:
    return SHOWN if options.limit is None and not options.json else options.limit


def show(found: list[Summary]) -> None:
    console = screen.console()
    wide = console.width >= screen.WIDE
    more = extras(found) if wide else {}
    columns = ("TIME", "TRACE", "NAME", *more, "TOOK", "SPANS", "TOKENS", "COST", "OUTCOME")
    rows = [cells(one, more, screen.outcome(one) if wide else screen.short_outcome(one)) for one in found]
    screen.print_table(console, columns, rows, right=("TOOK", "SPANS", "TOKENS", "COST"), flexible="NAME")


Extras = dict[str, Callable[[Summary], str]]


def extras(found: list[Summary]) -> Extras:
    """Further columns for a wide terminal, if any row would have something to show."""
    offered: Extras = {
        "AGENT": lambda one: one.agent,
        "MODEL": lambda one: one.models[0] + (f" +{len(one.models) - 1}" if one.models[1:] else "") if one.models else "",
        "CONVERSATION": lambda one: one.conversation_id,
    }
    return {column: read for column, read in offered.items() if any(read(one) not in ("", name(one)) for one in found)}


def name(found: Summary) -> str:
    return screen.one_line(found.name.removeprefix(RUN))


def cells(found: Summary, more: Extras, outcome: str) -> list[str | Text]:
    from rich.text import Text

    return [
        Text(screen.clock(found.start), "dim"),
        screen.short(found.trace_id),
        Text(name(found), "bold"),
        *(screen.one_line(read(found)) for read in more.values()),
        screen.lasted(found),
        str(found.spans),
        screen.tokens(found.totals),
        screen.cost(found.totals),
        Text(outcome, "yellow" if found.outcome == "ok" and found.errors else screen.COLOURS.get(found.outcome, "")),
    ]
