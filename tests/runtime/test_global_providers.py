"""A program's own providers are never taken: whenever it sets them they win, its processors get everything, and everything is in our journal once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from otlp_server import http_receiver
from processes import Done, ran, run, written

PROGRAM = Path(__file__).parents[1] / "programs" / "providers_program.py"
SPANS = ["early-1", "late-1", "step ours-1"]
LOGS = ["early-log-1", "log-1"]
BEFORE = {"spans": ["early-0", "late-0", "step ours-0"], "logs": ["early-log-0", "log-0"]}


def started(tmp_path: Path, *words: str, **more: str | None) -> Done:
    done = run("-W", "error", PROGRAM, *words, journal=tmp_path / "journal", OTEL_AGENTS_ENABLED=None, **more)
    assert (done.status, done.err) == (0, "")
    return done


def bodies(done: Done) -> list[str]:
    return sorted(log["body"] for log in done.telemetry.logs if log["body"])


def values(done: Done) -> dict[str, int]:
    return {name: sum(point["value"] for point in points) for name, points in done.telemetry.metrics.items() if name in ("early", "late")}


@pytest.mark.parametrize("when", ["before", "between"])
@pytest.mark.parametrize("signals", ["traces,metrics,logs", "traces", "metrics", "logs", ""])
def test_providers_that_are_set_before_the_first_item(tmp_path: Path, when: str, signals: str) -> None:
    done = started(tmp_path, when, signals)
    assert (done.spans, bodies(done), values(done)) == (SPANS, LOGS, {"early": 1, "late": 1})
    seen = json.loads(done.out)
    assert seen["clean"]
    assert seen["theirs"]
    assert seen["spans"] == (SPANS if "traces" in signals else [])
    assert seen["logs"] == (LOGS if "logs" in signals else [])
    assert set(seen["metrics"]) >= ({"early", "late", "otel_agents.step.duration"} if "metrics" in signals else set())


@pytest.mark.parametrize("signals", ["traces,metrics,logs", "traces", "metrics", "logs"])
def test_providers_that_are_set_after_the_first_item(tmp_path: Path, signals: str) -> None:
    """What was taken from ours before (a tracer, an open span) tells theirs from then on."""
    done = started(tmp_path, "after", signals)
    assert done.spans == sorted([*BEFORE["spans"], *SPANS, "open", "stale"])
    assert bodies(done) == sorted([*BEFORE["logs"], *LOGS])
    seen = json.loads(done.out)
    assert seen["clean"]
    assert seen["theirs"]
    assert seen["spans"] == (sorted([*SPANS, "open", "stale"]) if "traces" in signals else [])
    assert seen["logs"] == (LOGS if "logs" in signals else [])
    assert set(seen["metrics"]) >= ({"early", "late", "otel_agents.step.duration"} if "metrics" in signals else set())


FOREIGN = """
    from opentelemetry import trace
    class Provider(trace.TracerProvider):
        def get_tracer(self, *args, **kwargs):
            return trace.NoOpTracer()
    provider = Provider()
    trace.set_tracer_provider(provider)
    import otel_agents as oa
    with oa.agent("ours"), trace.get_tracer("theirs").start_as_current_span("theirs"):
        pass
    print(trace.get_tracer_provider() is provider)
"""


def test_a_provider_that_is_not_the_sdks_is_left_alone(tmp_path: Path) -> None:
    done = ran(tmp_path, FOREIGN)
    assert (done.said, done.spans) == ((0, "True\n", ""), ["invoke_agent ours"])


EXPORTING = """
    import sys
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    import otel_agents as oa
    own, later = sys.argv[1], sys.argv[2] == "later"
    provider = TracerProvider()
    trace.set_tracer_provider(provider)
    if later:
        oa.current()
        with oa.step("first"):
            pass
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(own)))
    with oa.step("second"):
        pass
"""


@pytest.mark.parametrize("later", ["later", "at once"])
def test_what_the_program_sends_to_the_same_place_itself_is_sent_once(tmp_path: Path, later: str) -> None:
    with http_receiver() as receiver:
        done = exporting(tmp_path, receiver.url, f"{receiver.url}/v1/traces", later)
        assert done.said == (0, "", "")
        everything = ["step first", "step second"] if later == "later" else ["step second"]
        assert receiver.names() == everything
    assert done.spans == everything
    assert "local" in {file.parent.name for file in (tmp_path / "journal").glob("*/traces-*")}


def exporting(tmp_path: Path, ours: str, theirs: str, later: str, **more: str) -> Done:
    program = written(tmp_path, EXPORTING)
    return run(program, theirs, later, journal=tmp_path / "journal", OTEL_EXPORTER_OTLP_ENDPOINT=ours, OTEL_METRICS_EXPORTER="none", **more)


def test_what_the_program_sends_elsewhere_is_sent_by_us_too(tmp_path: Path) -> None:
    with http_receiver() as ours, http_receiver() as theirs:
        assert exporting(tmp_path, ours.url, f"{theirs.url}/v1/traces", "at once").said == (0, "", "")
        assert (ours.names(), theirs.names()) == (["step second"], ["step second"])


def test_both_send_if_asked_to(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        assert exporting(tmp_path, receiver.url, f"{receiver.url}/v1/traces", "at once", OTEL_AGENTS_JOIN_EXPORT="true").said == (0, "", "")
        assert receiver.names() == ["step second", "step second"]


LEAVING = """
    import logging, sys, threading, subprocess
    from opentelemetry import trace, metrics, _logs
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry._logs._internal import ProxyLogger
    from concurrent.futures import ThreadPoolExecutor
    from concurrent.futures.process import ProcessPoolExecutor
    from multiprocessing.process import BaseProcess
    import otel_agents as oa
    from otel_agents.runtime import lifecycle

    def patched():
        return [
            trace._set_tracer_provider, metrics._internal._set_meter_provider, _logs._internal._set_logger_provider, vars(trace.ProxyTracer)["_tracer"],
            vars(ProxyLogger)["_logger"], logging.Logger.callHandlers, threading.Thread.start, ThreadPoolExecutor.submit, ProcessPoolExecutor.submit,
            BaseProcess.start, BaseProcess._bootstrap, subprocess.Popen.__init__, *sys.meta_path,
        ]

    before = patched()
    provider, meters, loggers = TracerProvider(), MeterProvider(), LoggerProvider()
    if sys.argv[1] == "theirs":
        trace.set_tracer_provider(provider), metrics.set_meter_provider(meters), _logs.set_logger_provider(loggers)
    for number in range(2):
        oa.start()
        with oa.step(f"seen-{number}"):
            logging.getLogger("app").error("seen")
        oa.shutdown()
        lifecycle.shutdown(forget=True)
        assert patched() == before
        with oa.step("unseen"), trace.get_tracer("app").start_as_current_span("unseen"):
            logging.getLogger("app").error("unseen")
            metrics.get_meter("app").create_counter("unseen").add(1)
    assert provider._active_span_processor._span_processors == ()
    assert loggers._multi_log_record_processor._log_record_processors == ()
    assert not meters._measurement_consumer._reader_storages
    if sys.argv[1] != "theirs":
        assert (trace._TRACER_PROVIDER, metrics._internal._METER_PROVIDER, _logs._internal._LOGGER_PROVIDER) == (None, None, None)
"""


@pytest.mark.parametrize("whose", ["theirs", "ours"])
def test_nothing_of_ours_is_left_where_we_leave(tmp_path: Path, whose: str) -> None:
    done = run(written(tmp_path, LEAVING), whose, journal=tmp_path / "journal", OTEL_AGENTS_ENABLED=None)
    assert (done.status, done.out) == (0, "")
    assert done.spans == ["step seen-0", "step seen-1"]
    assert bodies(done) == ["seen", "seen"]


def test_the_console_exporter_prints_what_is_recorded(tmp_path: Path) -> None:
    program = "import otel_agents as oa\noa.start()\nwith oa.step('shown'):\n    pass\n"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    env = {**kept, "OTEL_AGENTS_JOURNAL_DIR": str(tmp_path), "OTEL_TRACES_EXPORTER": "console", "OTEL_PYTHON_ID_GENERATOR": "nowhere"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, '"name": "step shown"' in done.stdout) == (0, True)
    assert done.stderr.count("OTEL_PYTHON_ID_GENERATOR=nowhere") == 1
    assert b"step shown" in next(tmp_path.glob("local/traces-*")).read_bytes()
