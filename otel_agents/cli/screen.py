"""Output that all commands share: durations, tokens, money, times, tables that fit any terminal, JSON for programs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Container, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from otel_agents.analysis.traces import Summary, Totals
from otel_agents.redaction.messages import line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PIPED_WIDTH = 120
WIDE = 100
COLOURS = {"ok": "green", "error": "red", "died": "red", "running": "cyan", "cancelled": "yellow", "interrupted": "yellow"}
SECOND = 10**9


def console(*, to_stderr: bool = False) -> Console:
    """A console on stdout: colours and width of the terminal; in a pipe no colours, and wide enough to keep lines whole for `| grep`."""
    from rich.console import Console

    made = Console(stderr=to_stderr, highlight=False, emoji=False, markup=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED_WIDTH
    return made


def say(text: str) -> None:
    """Print a message for a person on stderr: stdout carries only the requested output."""
    print(line(text), file=sys.stderr)


def print_json(value: Any) -> None:
    """Print the value as indented JSON, never coloured."""
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode())


def print_json_line(value: Any) -> None:
    print(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode(), flush=True)


def print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: Container[str] = (), flexible: str = "") -> None:
    """Print a table without borders; only the `flexible` column shrinks when the terminal is narrow."""
    from rich.table import Table

    gap = 2 if console.width >= WIDE else 1
    made = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
    widths = [max(len(column), *(len(row[place]) for row in rows)) for place, column in enumerate(columns)]
    for column, width in zip(columns, widths, strict=True):
        free = console.width - sum(widths) - gap * len(widths) + width if column == flexible else width
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True, overflow="ellipsis", width=max(len(column), min(width, free)))
    for row in rows:
        made.add_row(*row)
    console.print(made)


# ------------------------------------------------------------------------------------------------ numbers for people


def duration(nanoseconds: int) -> str:
    """`0.4 ms`, `840 ms`, `2.31 s`, `1 m 04 s`, `2 h 03 m`."""
    seconds = max(0, nanoseconds) / SECOND
    if seconds < 0.9995:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    if seconds < 59.995:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} m {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} m"


def count(number: int) -> str:
    """`950`, `1,204`, `12.3k`, `4.1M`."""
    if number < 10_000:
        return f"{number:,}"
    return f"{number / 1000:.1f}k" if number < 999_950 else f"{number / 1e6:.1f}M"


def tokens(totals: Totals) -> str:
    """Input → output tokens; empty when neither is known."""
    used, produced = totals.tokens.get("input_tokens"), totals.tokens.get("output_tokens")
    if used is None and produced is None:
        return ""
    return f"{'?' if used is None else count(used)} → {'?' if produced is None else count(produced)}"


def money(dollars: float | None) -> str:
    """US dollars with two significant figures; empty when the price is unknown."""
    if dollars is None:
        return ""
    if dollars >= 0.995 or dollars == 0:
        return f"${dollars:,.2f}" if dollars else "$0"
    return f"${dollars:.{2 - leading_zeros(dollars)}f}"


def cost(totals: Totals) -> str:
    """The cost, with a plus sign when the price of some calls is unknown."""
    return money(totals.cost) + ("+" if totals.unpriced and totals.cost is not None else "")


def leading_zeros(fraction: float) -> int:
    """The zeros between the decimal point and the first significant digit, as a negative number: 0.012 → -1."""
    return int(f"{fraction:.1e}".partition("e")[2]) + 1


def size(number: int) -> str:
    """Bytes as `0 B`, `12 kB`, `3.4 MB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            amount = number / factor
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    return f"{number} B"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def local(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / SECOND).astimezone()


def clock(nanoseconds: int) -> str:
    """The local time, with the date if it is not today."""
    moment = local(nanoseconds)
    return f"{moment:%H:%M:%S}" if moment.date() == datetime.now().date() else f"{moment:%m-%d %H:%M}"


def iso(nanoseconds: int) -> str:
    """RFC 3339 with microseconds and the local offset."""
    return local(nanoseconds).isoformat(timespec="microseconds")


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which could move the terminal's cursor."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def short(trace_id: str) -> str:
    return trace_id[:8]


def outcome(found: Summary) -> str:
    """The outcome, with the number of errors the trace recovered from."""
    return f"{found.outcome}, {plural(found.errors, 'error')}" if found.errors and found.outcome != "error" else found.outcome


def short_outcome(found: Summary) -> str:
    return f"{found.outcome} {found.errors}✗" if found.errors and found.outcome != "error" else found.outcome


def took(found: Summary) -> int:
    """Duration in nanoseconds; of a running trace, the time since it started."""
    return (time.time_ns() if found.outcome == "running" else found.end) - found.start


def lasted(found: Summary) -> str:
    """The duration for display; empty for a run that died before anything else was recorded."""
    return "" if found.outcome == "died" and found.end == found.start else duration(took(found))


def as_json(found: Summary) -> dict[str, Any]:
    """A trace's summary for programs: seconds, US dollars, tokens by kind."""
    return {
        "trace_id": found.trace_id,
        "name": found.name,
        "agent": found.agent or None,
        "agents": list(found.agents),
        "service": found.service or None,
        "conversation_id": found.conversation_id or None,
        "start": iso(found.start),
        "end": None if found.outcome == "running" else iso(found.end),
        "duration_s": round((found.end - found.start) / SECOND, 9),
        "outcome": found.outcome,
        "errors": found.errors,
        "spans": found.spans,
        "model_calls": found.model_calls,
        "tool_calls": found.tool_calls,
        "models": list(found.models),
        "tools": list(found.tools),
        "usage": dict(found.totals.tokens),
        "cost_usd": found.totals.cost,
        "unpriced_calls": found.totals.unpriced,
    }
