"""`otel-agents stack check --boards`: executes the queries of all dashboards and alerts, and shows those that are refused and those that return nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from otel_agents.cli import screen
from otel_agents.stack.board_check import EMPTY, ERROR, FIRING, QUIET, RESULTS, Answered, Report, check_boards, languages
from otel_agents.stack.board_queries import BoardQuery
from otel_agents.stack.stores import Stores

COLUMNS = ("BOARD", "QUERY", "STORE", "RESULT")
NOT_EXECUTED = "{count} not executed ({languages}): they need Loki and Tempo, and this stack keeps logs in {logs} and traces in {traces}"


def run(stores: Stores, folder: Path, *, as_json: bool) -> int:
    """Check the boards and rules in this folder; 1 when a query is refused. Raises Problem."""
    report = check_boards(stores, folder)
    if as_json:
        screen.print_json(json_of(report))
    else:
        show(report, stores)
    return int(any(one.state == ERROR for one in report.answered))


def show(report: Report, stores: Stores) -> None:
    listed = [one for state in (ERROR, EMPTY) for one in report.answered if one.state == state]
    if listed:
        screen.print_table(screen.console(), COLUMNS, list(map(cells, listed)), flexible="QUERY")
        print()
    for one in listed:
        if one.error:
            print(f"{one.query.board} · {name_of(one.query)}: {one.error}\n")
    print(summary(report))
    if report.not_executed:
        counts = ", ".join(f"{number} in {language}" for language, number in languages(report.not_executed).items())
        print(NOT_EXECUTED.format(count=len(report.not_executed), languages=counts, logs=stores.logs.name, traces=stores.traces.name))


def cells(one: Answered) -> tuple[str, ...]:
    return one.query.board, name_of(one.query), one.query.store, one.state


def name_of(query: BoardQuery) -> str:
    return " ".join(filter(None, (query.place, query.ref)))


def summary(report: Report) -> str:
    """`232 queries executed: 120 with results, 90 empty, 0 in error; 17 alerts: 1 firing, 0 in error`."""
    of_alerts = [one for one in report.answered if one.query.is_alert]
    states, alerts = (Counter(one.state for one in found) for found in ([one for one in report.answered if not one.query.is_alert], of_alerts))
    of_boards = f"{states.total()} queries: {states[RESULTS]} with results, {states[EMPTY]} empty, {states[ERROR]} in error"
    return f"{of_boards}; {alerts.total()} alerts: {alerts[FIRING]} firing, {alerts[QUIET]} not firing, {alerts[ERROR]} in error"


def json_of(report: Report) -> list[dict[str, Any]]:
    executed = [{**about(one.query), "state": one.state, "rows": len(one.rows), "error": one.error or None, "query": one.text} for one in report.answered]
    return executed + [{**about(query), "state": "not executed", "rows": None, "error": None, "query": query.text} for query in report.not_executed]


def about(query: BoardQuery) -> dict[str, Any]:
    return {"board": query.board, "place": query.place, "ref": query.ref or None, "store": query.store}
