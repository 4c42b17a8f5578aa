"""What grafana/README.md says of executed queries is what grafana/verified.json shows for the boards of today."""

from __future__ import annotations

import re
from dataclasses import replace

import verified
from rendered_boards import GRAFANA

from otel_agents.dashboards.render import BOARDS


def test_the_readme_says_how_many_queries_of_each_board_were_executed() -> None:
    counted = verified.by_board(verified.load())
    rows = re.findall(r"^\| (\w+) \| .* \| (.*) \|$", (GRAFANA / "README.md").read_text().partition("## Alerts")[0], re.MULTILINE)
    said = {f"oa-{board.key}": "{} of {}".format(*counted[f"oa-{board.key}"]) if f"oa-{board.key}" in counted else "none needed" for board in BOARDS}
    assert {f"oa-{name}": text for name, text in rows if name != "dashboard"} == said


def test_every_mark_has_a_server_and_a_day() -> None:
    marks = [mark for texts in verified.load().values() for mark in texts.values()]
    assert marks
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", mark["version"]) and re.fullmatch(r"\d{4}-\d\d-\d\d", mark["date"]) for mark in marks)


def test_a_query_whose_text_changes_is_no_longer_verified() -> None:
    executed = verified.load()
    query = next(query for query in verified.queries() if verified.is_executed(query, executed))
    assert not verified.is_executed(replace(query, text=query.text.replace("service", "Service", 1)), executed)
    assert not verified.is_executed(replace(query, store="prometheus"), executed)
