"""`otel-agents stack check --boards` on a stack that runs, as a user calls it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from otel_agents.cli.app import main
from otel_agents.cli.rendering import give
from otel_agents.stack.native import Native
from otel_agents.stack.servers import LOKI_TEMPO

PANEL = "Runs by agent"


@pytest.fixture
def boards(stack: Native) -> Path:
    """The folder with the boards that this stack was given."""
    give(stack, stack.home, {})
    return stack.home.grafana / "dashboards"


def check(stack: Native, *words: str) -> int:
    return main(["stack", "check", "--boards", "--home", str(stack.home.path), *words])


def test_no_query_is_refused(stack: Native, boards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is empty is no error. LogQL and TraceQL are executed where Loki and Tempo are, and else said not to be."""
    assert check(stack, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    not_executed = Counter(one["store"] for one in found if one["state"] == "not executed")
    assert not_executed == ({} if stack.stores().kind == LOKI_TEMPO else {"loki": 14, "tempo": 7})
    assert {one["state"] for one in found} <= {"results", "empty", "firing", "not firing", "not executed"}
    assert {one["board"] for one in found} >= {"alerts", "recording rules", *(f"oa-{path.stem}" for path in boards.glob("*.json"))}
    assert len(found) > 160


def test_people_read_what_is_empty_and_how_much_was_executed(stack: Native, boards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(stack) == 0
    out = capsys.readouterr().out
    assert " 0 in error; 17 alerts: " in out
    if stack.stores().kind != LOKI_TEMPO:
        assert "21 not executed (14 in LogQL, 7 in TraceQL): they need Loki and Tempo, and this stack keeps logs in victorialogs and traces in jaeger\n" in out


def test_a_query_that_is_refused_is_named(stack: Native, boards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board: Any = json.loads((boards / "fleet.json").read_text())
    [panel] = [panel for panel in board["panels"] if panel["title"] == PANEL]
    panel["targets"][0]["expr"] += ")"
    (boards / "fleet.json").write_text(json.dumps(board))
    assert check(stack, "--json") == 1
    [wrong] = [one for one in json.loads(capsys.readouterr().out) if one["state"] == "error"]
    assert (wrong["board"], wrong["place"], wrong["ref"]) == ("oa-fleet", PANEL, "A")
    assert wrong["error"].startswith("HTTP 400: invalid parameter")
    assert check(stack) == 1
    out = capsys.readouterr().out
    assert re.search(rf"^oa-fleet +{PANEL} A +prometheus +error *$", out, re.MULTILINE)
    assert f"oa-fleet · {PANEL} A: {wrong['error']}\n" in out
    assert " 1 in error; 17 alerts: " in out


def test_a_stack_that_is_down_has_no_boards_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stack", "check", "--boards", "--home", str(tmp_path)]) == 1
    assert "it is not running" in capsys.readouterr().err


def test_without_boards_it_says_how_to_write_them(stack: Native, boards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in boards.glob("*.json"):
        path.unlink()
    assert check(stack) == 1
    assert "there are no dashboards" in capsys.readouterr().err
    give(stack, stack.home, {})
