"""The figures of RELIABILITY.md: a test says what it saw, and `pytest tests/faults --figures` writes it into docs/reliability.md, between two markers.

def test_it(figure):
    ...
    figure("R5", "kill -9 at 200 spans/s", f"{lost} of {ended:,} ended spans lost", "up to 376 lost")

A figure counts once its test has passed. Those of tests that did not run this time, or not with all their parameters, stay as they were.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: written by `pytest tests/faults --figures`, never by hand -->", "<!-- end of figures -->"
HEAD = "| row | case | others today | ours | shown by |\n|---|---|---|---|---|\n"
CELL = re.compile(r"(?<!\\)\|")
SAID = pytest.StashKey["list[Figure]"]()
Figure_ = Callable[[str, str, object, str], None]


@dataclass(frozen=True)
class Figure:
    """One line of the table; `bar` is what the best known SDKs were measured to do in the same case."""

    row: str
    case: str
    bar: str
    ours: str
    test: str

    @property
    def key(self) -> tuple[str, str]:
        return self.row, self.case

    @property
    def place(self) -> tuple[int, str, str]:
        number = re.search(r"\d+", self.row)
        return int(number[0]) if number else 99, self.row, self.case

    def line(self) -> str:
        return f"| {' | '.join(escaped(part) for part in (self.row, self.case, self.bar, self.ours, f'`{self.test}`'))} |\n"


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def read(page: str) -> list[Figure]:
    """The figures between the markers."""
    table = page.partition(BEGIN)[2].partition(END)[0].strip().splitlines()[2:]
    rows = [[cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]] for line in table]
    return [Figure(row, case, bar, ours, test.strip("`")) for row, case, bar, ours, test in rows]


def written(page: str, seen: list[Figure], partly: Collection[str] = ()) -> str:
    """The page with these figures in the place of those of the same row and case. partly: tests that have more cases than were run."""
    told = {figure.test for figure in seen}.difference(partly)
    kept = {figure.key: figure for figure in read(page) if figure.test not in told}
    figures = sorted((kept | {figure.key: figure for figure in seen}).values(), key=lambda figure: figure.place)
    before, after = (page.partition(BEGIN)[0], page.partition(END)[2]) if BEGIN in page else (f"{page}\n", "\n")
    return f"{before}{BEGIN}\n\n{HEAD}{''.join(figure.line() for figure in figures)}\n{END}{after}"


class Figures:
    """What the tests of this session have said; under pytest-xdist, what those of all workers have."""

    def __init__(self, *, writes: bool) -> None:
        self.writes, self.seen, self.partly = writes, list[Figure](), set[str]()

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.partly |= {function_of(item) for item in items}

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["partly"] = sorted(self.partly)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.partly |= set(getattr(node, "workeroutput", {}).get("partly", ()))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        report = yield
        report.figures = [astuple(one) for one in item.stash.get(SAID, [])]  # type: ignore[attr-defined]  # travels to the process that prints the summary
        return report

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.when == "call" and report.passed:
            self.seen += [Figure(*one) for one in report.figures]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.seen:
            terminalreporter.section("figures of RELIABILITY.md")
        for figure in sorted(self.seen, key=lambda figure: figure.place):
            terminalreporter.write_line(f"{figure.row:6}{figure.case}: {figure.ours} (others: {figure.bar})")
        if self.seen and self.writes:
            PAGE.write_text(written(PAGE.read_text(), self.seen, self.partly))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", action="store_true", help="write the figures of RELIABILITY.md into docs/reliability.md")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Figures(writes=config.getoption("--figures")))


def function_of(item: pytest.Item) -> str:
    """The test without its parameters, and without the group that pytest-xdist appends."""
    return re.split(r"[\[@]", item.nodeid, maxsplit=1)[0]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure_:
    """Say a figure: the row, the case in a few words, what was seen, and what others do there today."""
    said = request.node.stash.setdefault(SAID, [])
    test = function_of(request.node)

    def say(row: str, case: str, ours: object, bar: str = "–") -> None:
        said.append(Figure(row, case, bar, str(ours), test))

    return say
