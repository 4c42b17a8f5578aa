"""The rendered boards as data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from otel_agents.dashboards.render import BOARDS
from otel_agents.stack.board_queries import LOKI, PROMETHEUS, BoardQuery, all_queries

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "grafana"
Json = dict[str, Any]


def dashboards() -> Iterator[Json]:
    """The committed dashboards, which test_rendered.py holds equal to the code."""
    for board in BOARDS:
        yield orjson.loads((GRAFANA / "dashboards" / f"{board.key}.json").read_bytes())


def panels() -> list[tuple[str, Json]]:
    """Every panel with the name of its board."""
    return [(f"{board['uid']} · {panel['title']}", panel) for board in dashboards() for panel in board["panels"]]


def asked(store: str) -> dict[str, BoardQuery]:
    """Every query of boards, alerts and links to a store, by a name for tests."""
    found = [*all_queries(GRAFANA), *of_links()]
    return {f"{query.board} · {query.place} {query.ref}".rstrip(): query for query in found if query.store == store}


def of_links() -> Iterator[BoardQuery]:
    """The queries of the links between data sources, as Grafana reads the file (`$$` is its `$`), with what Grafana takes from a span."""
    text = (GRAFANA / "provisioning" / "datasources" / "otel-agents.yaml").read_text().replace("$$", "$")
    of_span = {"__trace.traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "__tags": 'gen_ai_agent_name="travel_assistant"'}
    for source in yaml.safe_load(text)["datasources"]:
        settings = source["jsonData"]
        if to_logs := settings.get("tracesToLogsV2"):
            yield BoardQuery("links", f"{source['uid']} to logs", "", LOKI, "lines", to_logs["query"], limit=200, defaults=of_span)
        for number, query in enumerate(settings.get("tracesToMetrics", {}).get("queries", ())):
            yield BoardQuery("links", f"{source['uid']} to metrics", str(number), PROMETHEUS, "range", query["query"], defaults=of_span)


def queries() -> list[str]:
    """Every query that a panel or an alert asks Prometheus."""
    return [query.text for query in asked(PROMETHEUS).values() if query.returns != "values"]
