"""grafana/verified.json: the LogQL and TraceQL queries that real Loki and Tempo have executed, by their text. A query that is changed is no longer in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from rendered_boards import GRAFANA, asked

from otel_agents.stack.board_queries import LOKI, TEMPO, BoardQuery

FILE = GRAFANA / "verified.json"
Executed = Mapping[str, Mapping[str, Mapping[str, str]]]  # data source → text → which server, when


def queries() -> list[BoardQuery]:
    """All queries of the boards and links to Loki and Tempo."""
    return [query for store in (LOKI, TEMPO) for query in asked(store).values()]


def load() -> Executed:
    found: Executed = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def is_executed(query: BoardQuery, executed: Executed) -> bool:
    return query.text in executed.get(query.store, {})


def by_board(executed: Executed) -> dict[str, tuple[int, int]]:
    """How many of each board's queries to Loki and Tempo have been executed, and how many there are."""
    boards = {query.board: [one for one in queries() if one.board == query.board] for query in queries()}
    return {board: (sum(is_executed(query, executed) for query in found), len(found)) for board, found in boards.items()}


def write(answered: Iterable[BoardQuery], versions: Mapping[str, str], date: str) -> None:
    """Write the file anew: what was answered now, and of what it has already, all that the boards still ask. date: as 2026-11-30."""
    before, current = load() if FILE.exists() else {}, queries()
    kept = {
        store: {query.text: before[store][query.text] for query in current if query.store == store and is_executed(query, before)} for store in (LOKI, TEMPO)
    }
    for query in answered:
        kept[query.store][query.text] = {"version": versions[query.store], "date": date}
    in_order = {store: dict(sorted(kept[store].items())) for store in kept}
    FILE.write_text(json.dumps(in_order, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
