"""A journal folder read by the Collector itself, our shipper off; and one that is replayed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sent
from collectors import collector
from observed import finish, run, start
from processes import environment

from otel_agents.stack.log_lines import Line
from otel_agents.stack.native import Native
from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

Eventually = Callable[..., None]
EACH = (333, 333, 331)  # tool calls: with the three runs around them a thousand spans


def test_a_thousand_spans_of_three_processes_arrive_once(stack: Native, stores: Stores, journal: Path, tmp_path: Path, eventually: Eventually) -> None:
    given = {"OTEL_AGENTS_SHIP": "false", "OTEL_AGENTS_JOURNAL_ROTATE_BYTES": "100kB", "OTEL_SERVICE_NAME": "read"}
    with collector(stack, tmp_path / "collector", "journal", OTEL_AGENTS_JOURNAL_DIR=str(journal)) as reader:
        programs = [start("many", calls, 2, journal=journal, stores=None, **given) for calls in EACH]
        for program in programs:
            finish(program)
        made, logs = sent.spans(journal), Telemetry(journal).logs
        assert len(made) == 1000
        assert len(list(journal.rglob("traces-*.jsonl"))) > len(EACH), "nothing was rotated"
        trace_ids = {span.trace_id for span in made.values()}
        eventually(lambda: sent.stored_spans(stores, trace_ids).keys() == made.keys(), seconds=60)
        told = {
            (record["event_name"], record["body"], record["span_id"]) for record in logs
        }  # that a run goes on is told again in each segment, alike: once in Loki
        eventually(lambda: len(distinct(stores.lines("read"))) == len(told))
        for name, samples in sent.samples(journal).items():
            total = sum(value for _, value in samples)
            eventually(lambda name=name, total=total: abs((stores.value(f'sum({name}{{service_name="read"}})') or 0) - total) < 1e-9)
        taken = {item: stores.total(reader, f"otelcol_receiver_accepted_{item}") for item in ("spans", "log_records")}
        refused = {item: stores.total(reader, f"otelcol_receiver_refused_{item}") for item in ("spans", "log_records", "metric_points")}
    assert taken == {"spans": 1000, "log_records": len(logs)}
    assert set(refused.values()) == {0.0}
    found = {span_id: str(span) for span_id, span in sent.stored_spans(stores, trace_ids).items()}
    assert found == {span_id: str(sent.as_kept(span, stores)) for span_id, span in made.items()}


def distinct(lines: list[Line]) -> set[tuple[int, str, str]]:
    return {(line.at, line.text, json.dumps(line.labels, sort_keys=True)) for line in lines}


def test_a_reader_that_is_restarted_goes_on_where_it_was(stack: Native, stores: Stores, journal: Path, tmp_path: Path, eventually: Eventually) -> None:
    given = {"OTEL_AGENTS_SHIP": "false", "OTEL_SERVICE_NAME": "reread"}
    for times in (1, 2):
        with collector(stack, tmp_path / "collector", "journal", OTEL_AGENTS_JOURNAL_DIR=str(journal)) as reader:
            run("many", 20, journal=journal, stores=None, **given)
            eventually(lambda: stores.total(reader, "otelcol_receiver_accepted_spans") == 21)  # called before the loop goes on
            eventually(lambda times=times: len(stores.lines("reread", event="")) == 20 * times)
    texts = [line.text for line in stores.lines("reread", event="")]
    assert sorted(texts) == sorted(f"number {number}" for number in range(20) for _ in range(2))


def test_a_local_journal_is_replayed_once(stores: Stores, journal: Path, eventually: Eventually) -> None:
    telemetry = run("many", 30, journal=journal, stores=None, OTEL_SERVICE_NAME="replayed")
    assert replay(journal, stores)["items"] == {signal: len(telemetry.lines(signal)) for signal in ("traces", "logs", "metrics")}
    assert replay(journal, stores)["items"] == {}
    made = sent.spans(journal)
    eventually(lambda: sent.stored_spans(stores, {span.trace_id for span in made.values()}).keys() == made.keys())
    eventually(lambda: len(stores.lines("replayed")) == len(telemetry.logs))
    eventually(lambda: stores.value('sum(otel_agents_runs_total{service_name="replayed"})') == 1)


def replay(journal: Path, stores: Stores) -> dict[str, object]:
    command = [sys.executable, "-m", "otel_agents", "replay", "--json", "--journal", str(journal), "--to", stores.otlp]
    return dict(json.loads(subprocess.run(command, env=environment(journal), capture_output=True, text=True, check=True).stdout))


def test_what_is_days_old_is_replayed_beside_what_is_new(stores: Stores, tmp_path: Path, eventually: Eventually) -> None:
    """Three days back, while the same service says new things: no store refuses it, and it is found where it happened."""
    old, new = tmp_path / "old", tmp_path / "new"
    run("many", 10, journal=old, stores=None, OTEL_SERVICE_NAME="aged")
    for file in old.rglob("*.jsonl"):
        aged = re.sub(rb'(UnixNano":")(\d{19})', lambda found: found[1] + str(int(found[2]) - 3 * 86400 * 10**9).encode(), file.read_bytes())
        file.write_bytes(aged)
    run("many", 10, journal=new, stores=stores, OTEL_SERVICE_NAME="aged")
    eventually(lambda: len(stores.lines("aged")) == len(Telemetry(new).logs))
    assert replay(old, stores)["lost"] == {}
    then = time.time() - 3 * 86400
    eventually(lambda: len(stores.lines("aged", start=then - 3600, end=then + 3600)) == len(Telemetry(old).logs))
    eventually(lambda: len(stores.query('otel_agents_runs_total{service_name="aged"}', at=then + 60)) == 1)
    [trace_id] = {span["trace_id"] for span in Telemetry(old).spans}
    eventually(lambda: len(stores.trace(trace_id)) == 11)
    window = {"start": then - 3600, "end": then + 3600}
    eventually(lambda: [span["traceId"] for span in stores.spans("aged", name="invoke_agent many", **window)] == [trace_id])
