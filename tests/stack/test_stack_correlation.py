"""From a metric's exemplar to its trace, to the trace's log lines, to the series of the agent: each hop followed as Grafana's links do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from observed import run

from otel_agents.stack.stores import Stores

Eventually = Callable[..., None]
ORDINARY, ZEROES = "7c9d1f4e5a6b8c0d2e3f405162738495", "000d1f4e5a6b8c0d2e3f405162738495"


@pytest.mark.parametrize("trace_id", [ORDINARY, ZEROES])
def test_exemplar_trace_lines_series(stores: Stores, journal: Path, eventually: Eventually, trace_id: str) -> None:
    service = f"hops-{trace_id[:3]}"
    run("joined", trace_id, journal=journal, stores=stores, OTEL_SERVICE_NAME=service)
    found: dict[str, Any] = {}

    def exemplar() -> None:
        now = time.time()
        [one] = stores.exemplars(f'gen_ai_client_inference_duration_seconds_bucket{{service_name="{service}"}}', now - 600, now + 60)
        found["exemplar"] = one["exemplars"][0]["labels"]

    eventually(exemplar)
    assert found["exemplar"]["trace_id"] == trace_id

    def its_trace() -> None:
        found["spans"] = stores.trace(found["exemplar"]["trace_id"])
        assert {span["name"] for span in found["spans"]} == {"invoke_agent joiner", "chat gpt-4o-mini"}

    eventually(its_trace)

    def its_search() -> None:
        [found["searched"]] = {span["traceId"] for span in stores.spans(service)}

    eventually(its_search)
    assert found["searched"] == trace_id

    def its_lines() -> None:
        lines = stores.lines(trace_id=trace_id)
        assert [line.text for line in lines if not line.labels.get("event_name")] == ["asking why?"]

    eventually(its_lines)
    agent = next(value["value"]["stringValue"] for span in found["spans"] for value in span["attributes"] if value["key"] == "gen_ai.agent.name")
    assert stores.value(f'sum(otel_agents_runs_total{{service_name="{service}",gen_ai_agent_name="{agent}"}})') == 1
