"""Which tests a bare `pytest` runs: all that need nothing but this process and its children. The rest waits for its marker.

`pytest -m stack`, or a path inside the marked place (`pytest tests/stack`), runs what is marked; `pytest --everything` runs all; `--no-skips` fails a run in
which a test is skipped or expected to fail. What is left out is said at the end, a line for each marker.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MARKERS = {
    "stack": "the servers of the stack; those that are missing are built first",
    "faults": "killed processes, full disks, endpoints that are away",
    "kafka": "a Kafka broker between agent and gateway",
    "served": "programs under gunicorn, uvicorn and Celery",
    "model": "a language model on this machine; llama.cpp is compiled first",
    "releases": "the oldest and newest releases of each library",
}  # the more specific marker comes later
PLACES = {  # a test has every marker whose place its node id begins with
    "tests/stack/": "stack",
    "tests/stack/test_stack_overlays.py::test_kafka": "kafka",
    "tests/faults/": "faults",
    "tests/faults/test_served.py": "served",
    "tests/test_real_model.py": "model",
    "tests/instrumentors/test_versions.py": "releases",
    "tests/sdk/test_releases.py": "releases",
}
NEEDS = {"promtool": "stack"}  # fixtures, and what a test that asks for them is marked with
ALONE = ("stack", "served", "model")  # what costs a minute to start is started in one worker
LEFT_OUT = pytest.StashKey["Counter[str]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--everything", action="store_true", help="run all tests, also those whose markers are left out by default")
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped, or expected to fail, fails the run")


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.stash[LEFT_OUT] = Counter()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One file is run where pytest runs: starting workers takes longer than most files do."""
    return 0 if len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file() else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for name in sorted(markers_of(item)):
            item.add_marker(name)
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
    left_out = {} if config.getoption("--everything") else {item: reason for item in items if (reason := left_out_for(item, config))}
    if left_out:
        config.stash[LEFT_OUT].update(left_out.values())
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))


def markers_of(item: pytest.Item) -> set[str]:
    """By the place of the test, and by the fixtures that it asks for."""
    fixtures = getattr(item, "fixturenames", ())
    return {name for place, name in PLACES.items() if item.nodeid.startswith(place)} | {name for fixture, name in NEEDS.items() if fixture in fixtures}


def group_of(item: pytest.Item) -> str | None:
    """Tests of one group run in one worker: those with servers in common, and those of a module with a fixture in common."""
    alone = next((name for name in ALONE if item.get_closest_marker(name)), None)
    definitions = item._fixtureinfo.name2fixturedefs.values() if hasattr(item, "_fixtureinfo") else ()
    in_common = any(one.scope in ("module", "class") and one.baseid not in ("", "tests") for found in definitions for one in found)
    return alone or (item.path.relative_to(ROOT).as_posix() if in_common else None)


def left_out_for(item: pytest.Item, config: pytest.Config) -> str | None:
    """The marker for which this test is left out, if nobody has asked for it."""
    marked = [name for name in MARKERS if item.get_closest_marker(name)]
    places = [place for place in PLACES if item.nodeid.startswith(place)]
    is_wanted = any(is_in_expression(name, config) for name in marked) or any(item.path == path for path in named(config)) or is_named(places, config)
    return None if is_wanted or not marked else marked[-1]


def is_asked_for(marker: str, config: pytest.Config) -> bool:
    """As far as the command line tells, tests with this marker are run."""
    places = [place for place, name in PLACES.items() if name == marker]
    return config.getoption("--everything") or is_in_expression(marker, config) or is_named(places, config)


def is_in_expression(marker: str, config: pytest.Config) -> bool:
    return re.search(rf"(?<!not )\b{marker}\b", config.option.markexpr) is not None


def is_named(places: list[str], config: pytest.Config) -> bool:
    """Somebody has written the path of one of these places, or of something in it."""
    return any(path.is_relative_to(ROOT / place) for path in named(config) for place in places)


def named(config: pytest.Config) -> list[Path]:
    return [Path(word.partition("::")[0]).absolute() for word in config.args]


# ------------------------------------------------------------------------------------------------ said at the end


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker has collected the same."""
    counts = node.config.stash[LEFT_OUT]
    counts.update(Counter(getattr(node, "workeroutput", {}).get("left_out", {})) - counts)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name in MARKERS:
        if number := config.stash[LEFT_OUT][name]:
            terminalreporter.write_line(f"left out: {name} ({number} {'test' if number == 1 else 'tests'}: {MARKERS[name]}), run by: pytest -m {name}")


# ------------------------------------------------------------------------------------------------ no skips


def forbidden(report: Any) -> Any:
    """A skip, an expected failure or an unexpected pass as the failure that it is where none is allowed."""
    if report.skipped or hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", report.longrepr)
        report.outcome, report.longrepr = "failed", f"skipped or expected to fail, which --no-skips forbids: {reason}"
        vars(report).pop("wasxfail", None)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    return forbidden(report) if item.config.getoption("--no-skips") else report  # type: ignore[return-value]  # pluggy's protocol


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    return forbidden(report) if collector.config.getoption("--no-skips") else report  # type: ignore[return-value]  # pluggy's protocol
