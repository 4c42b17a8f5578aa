"""The Collector restarts, Tempo is away for a minute, Loki refuses a line: nothing is lost that can be kept, and the rest is counted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sent
from observed import finish, start

from otel_agents.stack import build
from otel_agents.stack.check import attribute
from otel_agents.stack.native import Native
from otel_agents.stack.servers import SERVERS
from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

Eventually = Callable[..., None]
AWAY_S = 60.0


def test_a_minute_without_tempo_and_a_restart_of_the_collector_lose_nothing(stack: Native, stores: Stores, journal: Path, eventually: Eventually) -> None:
    """The Collector is stopped and started while Tempo is away: what it holds for Tempo outlives it, and what Tempo had taken outlives Tempo."""
    collector = next(server for server in SERVERS if server.name == "otelcol")
    finish(start("many", 50, journal=journal / "before", stores=stores, OTEL_SERVICE_NAME="before"))
    check_arrived(stores, journal / "before", "before", eventually, calls=50)

    def meanwhile() -> None:
        began = time.monotonic()
        finish(start("many", 300, 5, journal=journal / "during", stores=stores))
        assert stores.total(stores.otelcol, "otelcol_exporter_queue_size", exporter="otlp_grpc/tempo") > 0
        stack.stop(collector)
        stack.start(collector, build.have([collector])["otelcol"], stack.record())
        time.sleep(max(0.0, AWAY_S - (time.monotonic() - began)))

    stack.restart("tempo", meanwhile)
    for folder, service, calls in (("before", "before", 50), ("during", "many", 300)):
        check_arrived(stores, journal / folder, service, eventually, calls=calls)


def test_a_restart_of_the_collector_in_the_middle_of_a_run_loses_nothing(stack: Native, stores: Stores, journal: Path, eventually: Eventually) -> None:
    program = start("many", 200, 8, journal=journal, stores=stores, OTEL_SERVICE_NAME="restarted")
    time.sleep(3)
    stack.restart("otelcol", lambda: time.sleep(2))
    finish(program)
    check_arrived(stores, journal, "restarted", eventually, calls=200)


def check_arrived(stores: Stores, journal: Path, service: str, eventually: Eventually, *, calls: int) -> None:
    """Everything of a run of so many tool calls is in its store."""
    made = sent.spans(journal)
    assert len(made) == calls + 1
    trace_ids = {span.trace_id for span in made.values()}
    logs = Telemetry(journal).logs
    eventually(lambda: sent.stored_spans(stores, trace_ids).keys() == made.keys(), seconds=90)
    eventually(lambda: len(stores.lines(f'{{service_name="{service}"}}')) == len(logs), seconds=90)
    runs = next(metric for metric in Telemetry(journal).metrics["otel_agents.runs"])
    eventually(lambda: stores.value(f'sum(otel_agents_runs_total{{service_name="{service}"}})') == runs["value"])


def test_a_line_that_loki_refuses_is_counted_and_its_neighbours_are_there(stores: Stores, eventually: Eventually) -> None:
    before = stores.total(stores.otelcol, "otelcol_exporter_send_failed_log_records")
    discarded = stores.total(stores.loki, "loki_discarded_samples")
    answer = stores.send("logs", batch(["short", "x" * (2 * 2**20 + 1), "short too"]))
    assert answer.status == 200
    eventually(lambda: sorted(line.text for line in stores.lines('{service_name="refused"}')) == ["short", "short too"])
    eventually(lambda: stores.total(stores.loki, "loki_discarded_samples") == discarded + 1)
    eventually(lambda: stores.total(stores.otelcol, "otelcol_exporter_send_failed_log_records") > before)
    assert stores.send("logs", batch(["afterwards"])).status == 200
    eventually(lambda: len(stores.lines('{service_name="refused"}')) == 3)


def batch(bodies: list[str]) -> dict[str, Any]:
    now = time.time_ns()
    records = [{"timeUnixNano": str(now + place), "severityNumber": 9, "body": {"stringValue": body}} for place, body in enumerate(bodies)]
    return {"resourceLogs": [{"resource": {"attributes": [attribute("service.name", "refused")]}, "scopeLogs": [{"logRecords": records}]}]}


def test_a_credential_is_redacted_where_a_program_did_not(stores: Stores, eventually: Eventually) -> None:
    key = "sk-proj-" + "a1B2" * 8
    body = {"kvlistValue": {"values": [{"key": "said", "value": {"stringValue": f'{{"key": "{key}"}}'}}]}}
    record = {"timeUnixNano": str(time.time_ns()), "body": body, "attributes": [attribute("token", f"Bearer {key}")]}
    request = {"resourceLogs": [{"resource": {"attributes": [attribute("service.name", "leaky")]}, "scopeLogs": [{"logRecords": [record]}]}]}
    assert stores.send("logs", request).status == 200
    eventually(lambda: len(stores.lines('{service_name="leaky"}')) == 1)
    [line] = stores.lines('{service_name="leaky"}')
    assert json.loads(json.loads(line.text)["said"]) == {"key": "****"}
    assert line.labels["token"] == "Bearer ****"
