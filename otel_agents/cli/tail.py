"""Follow running programs live: spans as they end, log records, runs as they start. Ctrl-C stops it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from otel_agents import semconv as names
from otel_agents.analysis.folder import Folder
from otel_agents.analysis.follow import Follower
from otel_agents.analysis.items import Item, Log, Span
from otel_agents.cli import journal_options, screen, trace

if TYPE_CHECKING:
    from rich.text import Text

POLL_S = 0.25
REST_RATIO = 10  # sleep at least ten times as long as a poll took, however many files there are
HIDDEN_EVENTS = (names.EVENT_CLIENT_INFERENCE_OPERATION_DETAILS, names.EVENT_OA_TOOL_DETAILS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    journal_options.add_journal(parser)
    journal_options.add_filters(parser)
    parser.add_argument("-n", "--lines", type=int, default=10, metavar="N", help="start with the last N items (default: 10), or with everything --since")


def run(options: argparse.Namespace) -> int:
    """Print until interrupted; Ctrl-C is the normal way to stop."""
    folder = Folder(journal_options.journal_of(options))
    chosen = Filter(options.session, options.agent)
    show = show_json if options.json else show_text
    try:
        follower = Follower(folder)
        screen.say(f"otel-agents: following {folder.path}; press Ctrl-C to stop")
        for items in item_batches(follower, options):
            show(chosen.of(items))
    except KeyboardInterrupt:
        return 0
    return 0


def item_batches(follower: Follower, options: argparse.Namespace) -> Iterator[list[Item]]:
    """The latest existing items, then new ones, for ever."""
    yield follower.before(options.lines, options.since)
    while True:
        began = time.monotonic()
        yield follower.poll()
        time.sleep(max(POLL_S, REST_RATIO * (time.monotonic() - began)))


class Filter:
    """Filters by conversation and agent. Once one item of a trace matches, all its later items do."""

    def __init__(self, session: str | None, agent: str | None) -> None:
        self.wanted = {name: value for name, value in ((names.CONVERSATION_ID, session), (names.AGENT_NAME, agent)) if value is not None}
        self.traces: set[str] = set()

    def of(self, items: Iterable[Item]) -> list[Span | Log]:
        return [item for item in items if isinstance(item, Span | Log) and self.has(item)]

    def has(self, item: Span | Log) -> bool:
        if all(item.attributes.get(name) == value for name, value in self.wanted.items()):
            self.traces.add(item.trace_id)
            return True
        return bool(item.trace_id) and item.trace_id in self.traces


def show_json(items: list[Span | Log]) -> None:
    for item in items:
        screen.print_json_line(as_json(item))


def as_json(item: Span | Log) -> dict[str, Any]:
    if isinstance(item, Log):
        return {"signal": "log", **trace.log_as_json(item)}
    return {"signal": "span", **trace.span_as_json(item)}


def show_text(items: list[Span | Log]) -> None:
    console = screen.console()
    for item in items:
        if isinstance(item, Span) or is_worth_a_line(item):
            console.print(line(item), no_wrap=True, overflow="ellipsis", crop=True)


def is_worth_a_line(log: Log) -> bool:
    """Whether it says something its span does not: details are content, and the end of a run is its span, unless the process died."""
    ended = log.event == names.EVENT_OA_RUN_ENDED and log.attributes.get(names.OA_OUTCOME) != "died"
    return log.event not in HIDDEN_EVENTS and not ended


def line(item: Span | Log) -> Text:
    """One line: time, trace, the item, its result."""
    from rich.text import Text

    when = item.time if isinstance(item, Log) else item.end or item.start
    begin = Text.assemble((f"{screen.local(when):%H:%M:%S.%f}"[:-3], "dim"), f"  {screen.short(item.trace_id) or '-' * 8}  ")
    return begin.append_text(of_log(item) if isinstance(item, Log) else of_span(item))


def of_span(span: Span) -> Text:
    from otel_agents.analysis.traces import Node, totals_of
    from otel_agents.cli import tree

    totals = totals_of(span)
    numbers = (screen.duration((span.end or span.start) - span.start), screen.tokens(totals), screen.cost(totals))
    text = tree.name_of(Node(span)).append("  " + "  ".join(number for number in numbers if number))
    if span.failed:
        text.append(f"  {span.attributes.get(names.ERROR_TYPE, 'error')}: {screen.one_line(span.message)}".removesuffix(": "), "red")
    return text


def of_log(log: Log) -> Text:
    from rich.text import Text

    from otel_agents.cli import tree

    if log.event in (names.EVENT_OA_RUN_STARTED, names.EVENT_OA_RUN_ENDED):
        outcome = str(log.attributes.get(names.OA_OUTCOME, "started"))
        return Text(f"{'▶' if outcome == 'started' else '■'} {log.attributes.get(names.AGENT_NAME, 'run')} {outcome}", screen.COLOURS.get(outcome, "cyan"))
    return tree.text_of(log)
