"""Draws one trace as a tree: operations with duration, tokens and cost, errors, events, log lines, captured messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.text import Text

from otel_agents import semconv as names
from otel_agents.analysis.content import Passage, passages
from otel_agents.analysis.items import Event, Log
from otel_agents.analysis.traces import INFERENCE, Node, Summary, Totals, Trace, summary
from otel_agents.cli import screen

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"invoke_agent": "bold cyan", "invoke_workflow": "bold cyan", "execute_tool": "magenta", "plan": "cyan"} | dict.fromkeys(INFERENCE, "blue")
MEMORY_STYLE = "green"
LEVELS = ((17, "red"), (13, "yellow"), (9, ""), (0, "dim"))
CONTENT_EVENTS = (names.EVENT_CLIENT_INFERENCE_OPERATION_DETAILS, names.EVENT_OA_TOOL_DETAILS)
BAR_WIDTH, WIDE = 24, 110
GUIDE_SHARE = 3  # guides take at most a third of the line


@dataclass(slots=True)
class Drawing:
    """A trace and what belongs to its spans: content and log lines by span id, totals."""

    trace: Trace
    logs: Iterable[Log] = ()
    with_logs: bool = False
    whole: bool = False
    content: dict[str, dict[str, Any]] = field(default_factory=dict)
    log_lines: dict[str, list[Log]] = field(default_factory=dict)
    totals: dict[str, Totals] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.totals = self.trace.totals()
        for log in self.logs:
            if log.event in CONTENT_EVENTS:
                self.content.setdefault(log.span_id, {}).update(log.attributes)
            elif self.with_logs and not log.event.startswith("otel_agents.run."):
                self.log_lines.setdefault(log.span_id, []).append(log)


@dataclass(slots=True)
class Line:
    """One line: guides and text on the left; a span's line has its numbers on the right."""

    guides: str
    text: Text
    node: Node | None = None


Part = Node | Log | Event | Text


# ------------------------------------------------------------------------------------------------ structure


def lines(drawing: Drawing) -> Iterator[Line]:
    """The lines of all trees, parents first. Iterative: agents may nest deeper than Python's recursion limit."""
    waiting: list[tuple[Part, str, str]] = [(root, "", "") for root in reversed(drawing.trace.roots)]
    while waiting:
        part, first, rest = waiting.pop()
        if not isinstance(part, Node):
            yield Line(first, text_of(part))
            continue
        yield Line(first, name_of(part), part)
        below = parts_of(part, drawing)
        branch = rest + ("│  " if below else "   ")
        for text in details(part, drawing):
            yield Line(branch, text)
        last = len(below) - 1
        placed = [(one, rest + ("└─ " if place == last else "├─ "), rest + ("   " if place == last else "│  ")) for place, one in enumerate(below)]
        waiting.extend(reversed(placed))


def parts_of(node: Node, drawing: Drawing) -> list[Part]:
    """Events, log lines and child spans of a span, in order of time."""
    logs = drawing.log_lines.get(node.span.span_id, [])
    timed: list[tuple[int, Part]] = [
        *((event.time, event) for event in node.span.events if event.name != "exception"),
        *((log.time, log) for log in logs),
        *((child.span.start, child) for child in node.children),
    ]
    return [part for _, part in sorted(timed, key=lambda pair: pair[0])]


def name_of(node: Node) -> Text:
    text = Text.assemble((screen.one_line(node.span.name), style_of(node)))
    if node.outcome not in ("ok", "error"):
        text.append(f"  {node.outcome}", screen.COLOURS.get(node.outcome, ""))
    elif node.span.failed:
        text.append("  ✗", "red")
    if note := note_of(node):
        text.append(f"  {note}", "dim")
    return text


def style_of(node: Node) -> str:
    if not node.was_recorded:
        return "dim italic"
    return STYLES.get(node.operation, MEMORY_STYLE if "memory" in node.operation or node.operation == "retrieval" else "")


def note_of(node: Node) -> str:
    """Notes beside the numbers: unusual finish reasons, cached tokens, time to the first chunk, records found."""
    given = node.span.attributes
    reasons = [str(reason) for reason in as_list(given.get(names.RESPONSE_FINISH_REASONS)) if reason not in ("stop", "error")]
    notes = [
        ", ".join(dict.fromkeys(reasons)),
        f"{screen.count(cached)} cached" if (cached := number(given.get(names.USAGE_CACHE_READ_INPUT_TOKENS))) else "",
        f"first {screen.duration(round(first * 1e9))}" if (first := number(given.get(names.RESPONSE_TIME_TO_FIRST_CHUNK))) else "",
        f"{records} found" if (records := given.get(names.MEMORY_RECORD_COUNT)) is not None and node.operation == "search_memory" else "",
    ]
    return " · ".join(note for note in notes if note)


def number(value: Any) -> Any:
    return value if isinstance(value, int | float) else 0


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def details(node: Node, drawing: Drawing) -> Iterator[Text]:
    """The lines below a span's own: its input, its error, its output."""
    span = node.span
    content = passages({**span.attributes, **drawing.content.get(span.span_id, {})})
    yield from (passage(one) for one in content if one.is_input)
    if span.failed:
        kind = str(span.attributes.get(names.ERROR_TYPE, "error"))
        yield Text(f"✗ {kind}: {span.message}" if span.message else f"✗ {kind}", "red")
    yield from (passage(one) for one in content if not one.is_input)


def passage(one: Passage) -> Text:
    text = Text("◂ " if one.is_input else "▸ ", "dim")
    if one.by:
        text.append(f"{one.by}: ", "dim")
    return text.append(one.text)


def text_of(part: Log | Event | Text) -> Text:
    if isinstance(part, Text):
        return part
    if isinstance(part, Event):
        return Text(f"· {part.name}  {fields(part.attributes)}".rstrip(), "yellow")
    style = next(style for level, style in LEVELS if part.level >= level)
    return Text(f"{part.severity or 'LOG'}  {part.event or part.body}", style)


def fields(attributes: Any) -> str:
    return "  ".join(f"{name}={value}" for name, value in attributes.items())


# ------------------------------------------------------------------------------------------------ layout


def show(console: Console, drawing: Drawing) -> None:
    """Print the heading and the tree, fitted to the console's width."""
    for text in heading(summary(drawing.trace), console.width):
        console.print(text)
    rows = list(lines(drawing))
    layout = Layout(drawing, rows, console.width)
    for row in rows:
        for text in layout.laid_out(row):
            console.print(text, no_wrap=True, overflow="crop", crop=True)


def heading(found: Summary, width: int) -> list[Text]:
    title = Text.assemble(("trace ", "dim"), (found.trace_id, "bold"))
    known = (screen.local(found.start).strftime("%Y-%m-%d %H:%M:%S"), found.service, f"conversation {found.conversation_id}" if found.conversation_id else "")
    about = [Text(line, "dim") for line in folded([screen.one_line(one) for one in known if one], width)]
    result = [Text(line) for line in folded([screen.outcome(found), *figures(found)], width)]
    result[0].stylize(f"bold {screen.COLOURS.get(found.outcome, '')}".strip(), 0, len(screen.outcome(found)))
    return [title, *about, *result, Text("")]


def folded(parts: list[str], width: int) -> list[str]:
    """The parts joined with dots, wrapped to the width."""
    lines = [parts[0]]
    for part in parts[1:]:
        longer = f"{lines[-1]} · {part}"
        lines[-1:] = [longer] if len(longer) <= width else [lines[-1], part]
    return lines


def figures(found: Summary) -> list[str]:
    """The totals of the trace, in words."""
    used, cached = screen.tokens(found.totals), found.totals.tokens.get("cache_read_input_tokens")
    known = [
        screen.lasted(found),
        screen.plural(found.spans, "span"),
        screen.plural(found.model_calls, "model call") if found.model_calls else "",
        screen.plural(found.tool_calls, "tool call") if found.tool_calls else "",
        f"{used} tokens" + (f" ({screen.count(cached)} cached)" if cached else "") if used else "",
        screen.money(found.totals.cost),
        f"{screen.plural(found.totals.unpriced, 'call')} without a known price" if found.totals.unpriced else "",
    ]
    return [one for one in known if one]


class Layout:
    """Lays lines out in columns that are as wide as this trace needs."""

    def __init__(self, drawing: Drawing, rows: list[Line], width: int) -> None:
        self.drawing, self.width = drawing, width
        self.start, self.span = drawing.trace.start, max(1, drawing.trace.end - drawing.trace.start)
        self.cells = {id(row): self.numbers(row.node) for row in rows if row.node is not None}
        self.widths = [max((len(cells[column]) for cells in self.cells.values()), default=0) for column in range(3)]
        self.bars = BAR_WIDTH if width >= WIDE else 0
        self.left = width - sum(one + 2 for one in (*self.widths, self.bars) if one)

    def numbers(self, node: Node) -> tuple[str, str, str]:
        totals = self.drawing.totals[node.span.span_id]
        lasted = screen.duration(node.span.end - node.span.start) if node.span.end is not None else ""
        return lasted, screen.tokens(totals), screen.cost(totals)

    def laid_out(self, row: Line) -> list[Text]:
        """The row as one line, or as several when content is shown in full."""
        guides = Text.assemble((self.within(row.guides), "dim"))
        if row.node is None:
            return [guides.copy().append_text(line) for line in self.folded(row.text, self.width - len(guides))]
        left = guides.append_text(row.text)
        left.truncate(self.left, overflow="ellipsis", pad=True)
        line = left.append_text(self.right(row))
        line.rstrip()
        return [line]

    def within(self, guides: str) -> str:
        """The guides, shortened so that the text has room however deep the tree is."""
        most = self.width // GUIDE_SHARE
        return guides if len(guides) <= most else "⋯" + guides[-most + 1 :]

    def folded(self, text: Text, width: int) -> list[Text]:
        if not self.drawing.whole:
            line = Text(screen.one_line(text.plain), text.style, spans=text.spans)
            line.truncate(width, overflow="ellipsis")
            return [line]
        from rich.console import Console

        return list(text.wrap(Console(width=width), width, overflow="fold"))

    def right(self, row: Line) -> Text:
        text = Text()
        for cell, width in zip(self.cells[id(row)], self.widths, strict=True):
            if width:
                text.append("  " + cell.rjust(width))
        return text.append("  " + self.bar(row.node), bar_style(row.node)) if self.bars and row.node else text

    def bar(self, node: Node) -> str:
        """A bar that shows when the span ran within the trace."""
        end = node.span.end or self.start + self.span
        first = min(self.bars - 1, (node.span.start - self.start) * self.bars // self.span)
        last = max(first + 1, -(-(end - self.start) * self.bars // self.span))
        return " " * first + "━" * (last - first)


def bar_style(node: Node) -> str:
    return "red" if node.span.failed else style_of(node).removeprefix("bold ")
