"""The Collector restarts, a store is away for a minute, another refuses a line: nothing is lost that can be kept, and the rest is counted."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import sent
from observed import finish, start
from patience import until_it_holds

from otel_agents.stack import build, processes
from otel_agents.stack.check import attribute
from otel_agents.stack.native import Native
from otel_agents.stack.servers import LOKI_TEMPO, OPEN, OTELCOL
from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

Eventually = Callable[..., None]
EXPORTERS = {"traces": "otlp_grpc", "logs": "otlp_http"}


@pytest.mark.parametrize(("signal", "away_s"), [("traces", 60.0), ("logs", 20.0)])
def test_a_store_that_is_away_and_a_restart_of_the_collector_lose_nothing(
    stack: Native, stores: Stores, journal: Path, eventually: Eventually, signal: str, away_s: float
) -> None:
    """The Collector is restarted while a store is away: what it holds for the store outlives it, and what the store had taken outlives the store."""
    name, before, during = stores.by_signal[signal], f"before-{signal}", f"during-{signal}"
    finish(start("many", 50, journal=journal / "before", stores=stores, OTEL_SERVICE_NAME=before))
    check_arrived(stores, journal / "before", before, eventually, calls=50)

    def meanwhile() -> None:
        began = time.monotonic()
        finish(start("many", 300, 5, journal=journal / "during", stores=stores, OTEL_SERVICE_NAME=during))
        assert stores.total(stores.otelcol, "otelcol_exporter_queue_size", exporter=f"{EXPORTERS[signal]}/{name}") > 0
        stack.stop(OTELCOL)
        stack.start(OTELCOL, build.have([OTELCOL])["otelcol"], stack.record())
        time.sleep(max(0.0, away_s - (time.monotonic() - began)))

    stack.restart(name, meanwhile)
    for folder, service, calls in (("before", before, 50), ("during", during, 300)):
        check_arrived(stores, journal / folder, service, eventually, calls=calls)


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_what_a_killed_store_had_taken_is_still_there(stack: Native, stores: Stores, journal: Path, eventually: Eventually, signal: str) -> None:
    name, service = stores.by_signal[signal], f"kept-{signal}"
    finish(start("many", 100, journal=journal, stores=stores, OTEL_SERVICE_NAME=service))
    check_arrived(stores, journal, service, eventually, calls=100)
    time.sleep(2)  # VictoriaLogs writes to disk every second
    process = stack.record().process(name)
    assert process is not None
    os.killpg(process.pid, SIGKILL)
    until_it_holds(lambda: not processes.lives(process))
    stack.restart(name)
    check_arrived(stores, journal, service, eventually, calls=100)


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
    eventually(lambda: len(stores.lines(service)) == len(logs), seconds=90)
    runs = next(metric for metric in Telemetry(journal).metrics["otel_agents.runs"])
    eventually(lambda: stores.value(f'sum(otel_agents_runs_total{{service_name="{service}"}})') == runs["value"])


TOO_LONG = {  # where it is counted: VictoriaLogs says it in its log only, so the Collector drops the line before it
    OPEN: (("otelcol", "otelcol_processor_filter_logs_filtered"),),
    LOKI_TEMPO: (("logs", "loki_discarded_samples"), ("otelcol", "otelcol_exporter_send_failed_log_records")),
}
TOO_OLD = {OPEN: (("logs", "vl_rows_dropped"),), LOKI_TEMPO: TOO_LONG[LOKI_TEMPO]}


def counted(stores: Stores, counters: tuple[tuple[str, str], ...]) -> list[float]:
    at = {"otelcol": stores.otelcol, "logs": stores.logs.url}
    return [stores.total(at[server], name) for server, name in counters]


def test_a_line_that_is_too_long_is_counted_and_its_neighbours_are_there(stores: Stores, eventually: Eventually) -> None:
    counters = TOO_LONG[stores.kind]
    before = counted(stores, counters)
    answer = stores.send("logs", batch(["short", "x" * (2 * 2**20 + 1), "short too"]))
    assert answer.status == 200
    eventually(lambda: sorted(line.text for line in stores.lines("refused")) == ["short", "short too"])
    eventually(lambda: counted(stores, counters[:1]) == [before[0] + 1])
    eventually(lambda: all(now > then for now, then in zip(counted(stores, counters), before, strict=True)))
    assert stores.send("logs", batch(["afterwards"])).status == 200
    eventually(lambda: len(stores.lines("refused")) == 3)


def test_a_line_older_than_what_is_kept_is_counted(stores: Stores, eventually: Eventually) -> None:
    before = counted(stores, TOO_OLD[stores.kind])
    assert stores.send("logs", batch(["long ago"], days_ago=40)).status == 200
    eventually(lambda: all(now > then for now, then in zip(counted(stores, TOO_OLD[stores.kind]), before, strict=True)))
    assert stores.lines("refused", contains="long ago", start=time.time() - 41 * 86400) == []


def batch(bodies: list[str], days_ago: float = 0) -> dict[str, Any]:
    now = time.time_ns() - int(days_ago * 86400 * 10**9)
    records = [{"timeUnixNano": str(now + place), "severityNumber": 9, "body": {"stringValue": body}} for place, body in enumerate(bodies)]
    return {"resourceLogs": [{"resource": {"attributes": [attribute("service.name", "refused")]}, "scopeLogs": [{"logRecords": records}]}]}


def test_a_credential_is_redacted_where_a_program_did_not(stores: Stores, eventually: Eventually) -> None:
    key = "sk-proj-" + "a1B2" * 8
    body = {"kvlistValue": {"values": [{"key": "said", "value": {"stringValue": f'{{"key": "{key}"}}'}}]}}
    record = {"timeUnixNano": str(time.time_ns()), "body": body, "attributes": [attribute("token", f"Bearer {key}")]}
    request = {"resourceLogs": [{"resource": {"attributes": [attribute("service.name", "leaky")]}, "scopeLogs": [{"logRecords": [record]}]}]}
    assert stores.send("logs", request).status == 200
    eventually(lambda: len(stores.lines("leaky")) == 1)
    [line] = stores.lines("leaky")
    assert json.loads(json.loads(line.text)["said"]) == {"key": "****"}
    assert line.labels["token"] == "Bearer ****"
