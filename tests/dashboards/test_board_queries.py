"""The queries of boards and rules are found, all of them, and filled as Grafana fills them."""

from __future__ import annotations

from collections import Counter

import yaml
from rendered_boards import GRAFANA, dashboards

from otel_agents.stack.board_queries import BoardQuery, all_queries, of_board

QUERIES = all_queries(GRAFANA)


def test_every_query_is_found() -> None:
    boards = list(dashboards())
    targets = sum(len(panel.get("targets", [])) for board in boards for panel in board["panels"])
    variables = sum(variable["type"] == "query" for board in boards for variable in board["templating"]["list"])
    rules = [rule for path in GRAFANA.glob("rules/*") for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]
    assert len([query for query in QUERIES if query.ref]) == targets == 110
    assert len([query for query in QUERIES if query.place.startswith("variable ")]) == variables > 20
    assert len([query for query in QUERIES if query.place.startswith("annotation ")]) == 2 * len(boards)
    assert sum(query.is_alert or query.board == "recording rules" for query in QUERIES) == len(rules)


def test_what_comes_back_is_known() -> None:
    assert Counter((query.store, query.returns) for query in QUERIES if query.ref and query.store != "prometheus") == {
        ("loki", "instant"): 7,
        ("loki", "range"): 1,
        ("loki", "lines"): 6,
        ("tempo", "spans"): 6,
        ("tempo", "trace"): 1,
    }


def test_variables_are_filled() -> None:
    query = BoardQuery(
        "a",
        "b",
        "A",
        "prometheus",
        "range",
        'x{a=~"$agent",b="${env}",c=~"x$"}[$__rate_interval] + y[$__range] $other',
        defaults={"agent": ".*", "env": "prod"},
    )
    assert query.filled({}, 90.2) == 'x{a=~".*",b="prod",c=~"x$"}[4m] + y[91s] $other'
    assert query.filled({"agent": "seller"}, 60) == 'x{a=~"seller",b="prod",c=~"x$"}[4m] + y[60s] $other'


def test_a_board_opens_with_all_and_with_what_is_typed() -> None:
    conversations = next(board for board in dashboards() if board["uid"] == "oa-conversations")
    defaults = next(of_board(conversations)).defaults
    assert defaults == {"env": ".*", "service": ".*", "agent": ".*", "conversation": ".*", "trace": "", "search": ""}


def test_nothing_is_left_to_fill() -> None:
    assert [query for query in QUERIES if "$" in query.filled({}, 60)] == []
