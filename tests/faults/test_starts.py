"""R16b, R18: what a start costs, and that nobody is called before there is something to say."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from figures import Figure_
from otlp_server import http_receiver
from processes import environment, run, written

PLAIN = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
spans, logs = TracerProvider(), LoggerProvider()
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
trace.set_tracer_provider(spans)
with trace.get_tracer("program").start_as_current_span("one"):
    metrics.get_meter("program").create_histogram("duration").record(1)
"""
OURS = """
import otel_agents as oa
with oa.step("one"):
    pass
"""
TRIES = 6


def cpu_seconds(program: Path, env: dict[str, str]) -> float:
    """Processor time of the program and of all that it waits for, the least of some tries."""
    return min(once(program, env) for _ in range(TRIES))


def once(program: Path, env: dict[str, str]) -> float:
    with subprocess.Popen([sys.executable, program], env=env, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_utime + used.ru_stime


def test_a_start_costs_no_more_than_the_plain_sdks(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver() as receiver:
        plain = environment(tmp_path / "journal", OTEL_AGENTS_ENABLED=None, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        ours = environment(tmp_path / "journal", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        theirs_s, ours_s = cpu_seconds(written(tmp_path, PLAIN, "plain.py"), plain), cpu_seconds(written(tmp_path, OURS, "ours.py"), ours)
    figure("R18", "CPU of a program of one item, delivered", f"{ours_s:.2f} s, {ours_s / theirs_s:.2f} times the plain SDK with its exporters", "0.2 to 1.4 s")
    assert ours_s <= 1.2 * theirs_s


def test_nobody_is_called_before_the_first_item(tmp_path: Path, figure: Figure_) -> None:
    called: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)

        def accept() -> None:
            try:
                while True:
                    called.append(listening.accept()[1])
            except OSError:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        code = "import otel_agents as oa, threading, time; oa.current(); time.sleep(2.5); print(threading.active_count())"
        done = run("-c", code, journal=tmp_path / "journal", OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{listening.getsockname()[1]}")
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    figure(
        "R18",
        "a program without any item",
        f"{len(called)} connections, {int(done.out) - 1} threads, {len(list(tmp_path.iterdir()))} files",
        "network calls, threads",
    )
    assert (called, done.out, list(tmp_path.iterdir())) == ([], "1\n", [])
