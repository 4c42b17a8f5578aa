"""Checks all that the suite records at the end of each test: every capture(), every journal that a test reads, what is collected in memory.

Names that a test's program gives itself (`oa.current().attributes(…)`, `oa.session(…)`) are learned as it says them, others are listed:
`@pytest.mark.own_attributes("tenant")`. What a test's program does to our spans through the API on purpose: `@pytest.mark.meant_beside_conventions("…")`.
`--conventions` prints what of the conventions was covered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conformance import registry
from conformance.checker import Checked, Coverage, check
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agents.journal.encode import Lines
from otel_agents.otlp.signals import SIGNALS
from otel_agents.telemetry.setters import Setters
from otel_agents.testing import Telemetry
from otel_agents.verbs.session import session

Json = dict[str, Any]


@dataclass
class Suite:
    """What the whole session has recorded so far."""

    coverage: Coverage = field(default_factory=Coverage)
    captures: int = 0
    findings: int = 0
    waiting: list[Telemetry] = field(default_factory=list)
    own: set[str] = field(default_factory=set)

    def check(self, more: frozenset[str]) -> list[str]:
        """What was recorded since the last check."""
        found: list[str] = []
        for telemetry in self.waiting:
            if any(telemetry.lines(signal) for signal in SIGNALS):
                checked = check(telemetry, frozenset(self.own) | more)
                self.take(checked)
                found += checked.findings
        self.waiting.clear()
        self.own.clear()
        return found

    def take(self, checked: Checked) -> None:
        self.captures += 1
        self.coverage.add(checked.coverage)

    def totals(self) -> Json:
        """What a worker of pytest-xdist sends to the process that prints the summary."""
        return {"captures": self.captures, "findings": self.findings, "seen": {what: dict(names) for what, names in self.coverage.seen.items()}}

    def add(self, totals: Json) -> None:
        self.captures += totals["captures"]
        self.findings += totals["findings"]
        for what, names in totals["seen"].items():
            self.coverage.seen[what].update(names)


suite = Suite()


class Collected(Telemetry):
    """Spans that a test collected in memory, as lines."""

    def __init__(self, spans: Any) -> None:
        super().__init__(Path("nowhere"))
        lines = Lines(lambda text, name="": text)
        self._lines = {"traces": [lines.span(span) for span in spans]}


def listen() -> None:
    """Learn of all telemetry that a test looks at, and of every name that a program gives an attribute of its own."""
    make, export, attributes, begin = Telemetry.__init__, InMemorySpanExporter.export, Setters.attributes, session.__init__

    def made(self: Telemetry, journal: Path) -> None:
        make(self, journal)
        suite.waiting.append(self)

    def exported(self: InMemorySpanExporter, spans: Any) -> Any:
        Collected(spans)
        return export(self, spans)

    def said(self: Setters, values: Any = None, **more: Any) -> None:
        suite.own.update(more, values if isinstance(values, Mapping) else ())
        attributes(self, values, **more)

    def opened(self: session, /, conversation: str | None = None, **more: Any) -> None:
        suite.own.update(more)
        begin(self, conversation, **more)

    Telemetry.__init__, InMemorySpanExporter.export = made, exported  # type: ignore[method-assign]  # for the session
    Setters.attributes, session.__init__ = said, opened  # type: ignore[assignment,method-assign]  # for the session


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--conventions", action="store_true", help="say what of the GenAI conventions this run has covered")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "own_attributes(*names): attributes that this test's program writes and the conventions don't know")
    config.addinivalue_line("markers", "meant_beside_conventions(*parts): findings with one of these words are what this test's program does to our spans")
    listen()


@pytest.fixture(autouse=True)
def keeps_to_the_conventions(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test whose telemetry, or that of its fixtures, does not keep to the conventions."""
    yield
    named, meant = (
        frozenset(word for marker in request.node.iter_markers(name) for word in marker.args) for name in ("own_attributes", "meant_beside_conventions")
    )
    found = [finding for finding in suite.check(named) if not any(part in finding for part in meant)]
    suite.findings += len(found)
    assert not found, "telemetry beside the conventions:\n" + "\n".join(dict.fromkeys(found))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["conventions"] = suite.totals()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if totals := getattr(node, "workeroutput", {}).get("conventions"):  # a worker that crashed has none
        suite.add(totals)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if suite.captures:
        terminalreporter.section("conventions")
        for line in report(full=config.getoption("conventions")):
            terminalreporter.write_line(line)


def report(*, full: bool) -> Iterator[str]:
    """What was covered, and of the conventions' names what was not."""
    seen = suite.coverage.seen
    count = {what: sum(seen[what].values()) for what in ("span types", "metrics", "events")}
    yield f"{suite.captures} recordings, {count['span types']} spans, {count['metrics']} metrics, {count['events']} events checked: {suite.findings} findings"
    if full:
        for what, known in (("span types", registry.SOURCE["spans"]), ("metrics", registry.SOURCE["metrics"]), ("events", registry.SOURCE["events"])):
            yield f"{what} covered: {', '.join(sorted(seen[what]))}"
            yield f"{what} not covered: {', '.join(sorted(set(known) - set(seen[what]))) or 'none'}"
        for name, one in registry.SOURCE["spans"].items():
            if name in seen["span types"]:
                yield from attributes_of_type(name, one["attributes"], seen[f"attributes of {name}"])


def attributes_of_type(name: str, levels: Mapping[str, str], found: Mapping[str, int]) -> Iterator[str]:
    seen = {registry.VARIABLE if one.startswith(f"{registry.VARIABLE}.") else one for one in found}
    covered, left = [one for one in levels if one in seen], [one for one in levels if one not in seen]
    yield f"{name}: {len(covered)} of {len(levels)} attributes: {', '.join(covered)}"
    if left:
        yield f"{name}, not covered: {', '.join(left)}"
    if more := [one for one in seen if one not in levels]:
        yield f"{name}, besides: {', '.join(sorted(more))}"
