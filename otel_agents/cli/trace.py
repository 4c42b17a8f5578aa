"""Show one trace as a tree: durations, tokens, cost, errors, events, log lines, and captured messages."""

from __future__ import annotations

import argparse
from typing import Any

from otel_agents.analysis.folder import Folder
from otel_agents.analysis.items import Event, Log, Span
from otel_agents.analysis.search import Search, logs_of
from otel_agents.analysis.traces import Node, Trace, summary
from otel_agents.cli import journal_options, screen

LAST = "last"
LISTED = 5  # ids shown when a prefix is ambiguous


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", nargs="?", default=LAST, help="a trace id, or the start of one as `otel-agents traces` shows it (default: last, the newest trace)"
    )
    journal_options.add_journal(parser)
    journal_options.add_filters(parser)
    parser.add_argument("--logs", action="store_true", help="show the program's log lines in place")
    parser.add_argument("--full", action="store_true", help="show content and messages in full, not just one line of each")


def run(options: argparse.Namespace) -> int:
    """Print the tree; returns 1 when there is no such trace."""
    search = journal_options.search_of(options)
    trace = newest(search, options) if options.id == LAST else by_id(search, options.id)
    if trace is None:
        return 1
    logs = logs_of(search.folder, trace.trace_id)
    if options.json:
        screen.print_json(as_json(trace, logs))
    else:
        show(trace, logs, with_logs=options.logs, whole=options.full)
    journal_options.say_skipped(search.folder)
    return 0


def newest(search: Search, options: argparse.Namespace) -> Trace | None:
    wanted = journal_options.wanted_of(options)
    found = search.newest(wanted, 1)
    if not found:
        journal_options.say_empty(search.folder, wanted)
    return found[0].trace if found else None


def by_id(search: Search, wanted: str) -> Trace | None:
    prefix = wanted.strip().lower()
    ids = search.by_prefix(prefix) if prefix else []
    if len(ids) != 1:
        say_not_unique(wanted, ids, search.folder)
        return None
    return search.trace(ids[0])


def say_not_unique(wanted: str, ids: list[str], folder: Folder) -> None:
    if not ids:
        screen.say(f"otel-agents: no trace id in {folder.path} starts with {wanted!r}; `otel-agents traces` lists them.")
        return
    some = "\n".join(f"  {trace_id}" for trace_id in ids[:LISTED])
    screen.say(f"otel-agents: {len(ids)} trace ids start with {wanted!r}; give more digits:\n{some}")


def show(trace: Trace, logs: list[Log], *, with_logs: bool = False, whole: bool = False) -> None:
    from otel_agents.cli import tree

    tree.show(screen.console(), tree.Drawing(trace, logs, with_logs, whole))


# ------------------------------------------------------------------------------------------------ for programs


def as_json(trace: Trace, logs: list[Log]) -> dict[str, Any]:
    spans = [span_as_json(node.span) for node in trace.recorded()]
    return {"summary": screen.as_json(summary(trace)), "spans": spans, "logs": [log_as_json(log) for log in logs]}


def span_as_json(span: Span) -> dict[str, Any]:
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_id or None,
        "name": span.name,
        "kind": span.kind,
        "start": screen.iso(span.start),
        "start_unix_nano": span.start,
        "end_unix_nano": span.end,
        "duration_s": None if span.end is None else round((span.end - span.start) / screen.SECOND, 9),
        "outcome": Node(span).outcome,
        "error": {"type": span.attributes.get("error.type"), "message": span.message} if span.failed else None,
        "attributes": dict(span.attributes),
        "events": [event_as_json(event) for event in span.events],
        "links": [dict(link) for link in span.links],
        "resource": dict(span.origin.resource),
        "scope": span.origin.scope,
    }


def event_as_json(event: Event) -> dict[str, Any]:
    return {"time_unix_nano": event.time, "name": event.name, "attributes": dict(event.attributes)}


def log_as_json(log: Log) -> dict[str, Any]:
    return {
        "time": screen.iso(log.time),
        "time_unix_nano": log.time,
        "severity": log.severity or None,
        "severity_number": log.level,
        "event": log.event or None,
        "body": log.body,
        "trace_id": log.trace_id or None,
        "span_id": log.span_id or None,
        "attributes": dict(log.attributes),
        "resource": dict(log.origin.resource),
        "scope": log.origin.scope,
    }
