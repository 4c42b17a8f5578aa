"""A forked child is a new process: its own segments, instance and counts from zero; what the parent has begun is the parent's to end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from otlp_server import grpc_receiver, http_receiver
from processes import Done, ran

from otel_agents.testing import _points

PREFACE = """
import os, signal, sys, threading, time
import otel_agents as oa

@oa.step
def work(number):
    return number

def forked(do):
    pid = os.fork()
    if not pid:
        try:
            do()
        finally:
            os._exit(0)
    return pid

def waited(pid):
    status = os.waitpid(pid, 0)[1]
    assert status == 0, status
"""


def start(tmp_path: Path, code: str, **more: str | None) -> Done:
    """Warnings are errors: Python warns of a fork while other threads live, from 3.12 on."""
    return ran(tmp_path, PREFACE + code, PYTHONWARNINGS="error", **more)


def counts(done: Done) -> list[tuple[str, int]]:
    """Instance and count of each process's `otel_agents.step.duration`, as it was last written."""
    latest: dict[str, int] = {}
    for metric, _, resource in done.telemetry._items("metrics"):
        if metric["name"] == "otel_agents.step.duration":
            latest[resource["service.instance.id"]] = sum(int(point["count"]) for point in metric["histogram"]["dataPoints"])
    return sorted(latest.items())


def test_a_child_has_segments_an_instance_and_counts_of_its_own(tmp_path: Path) -> None:
    code = """
for number in range(3):
    work(number)
def child():
    work(3)
    time.sleep(1.1)
    work(4)
waited(forked(child))
work(5)
"""
    done = start(tmp_path, code)
    assert (done.said, len(done.spans)) == ((0, "", ""), 6)
    instances = Counter(span["resource"]["service.instance.id"] for span in done.telemetry.spans)
    assert sorted(instances.values()) == [2, 4]
    assert dict(counts(done)) == dict(instances)
    assert len(list((tmp_path / "journal").glob("*/traces-*"))) == 2
    starts = [point["start"] for metric, _, _ in done.telemetry._items("metrics") for point in _points(metric) if point["start"]]
    assert len(set(starts)) == 2  # each process's


@pytest.mark.parametrize("way_out", ["sys.exit()", "raise ValueError", "os._exit(0)"])
def test_what_the_parent_began_only_the_parent_ends(tmp_path: Path, way_out: str) -> None:
    code = f"""
from opentelemetry import trace
with oa.agent("run") as run, trace.get_tracer("theirs").start_as_current_span("theirs"), oa.step("open"):
    if not (pid := os.fork()):
        work(1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        {way_out}
    os.waitpid(pid, 0)
"""
    done = start(tmp_path, code)
    assert (done.status, done.err) == (0, "")
    assert done.spans == ["invoke_agent run", "step open", "step work", "theirs"]
    assert done.parents["step work"] == "step open"
    assert sorted(event["event_name"] for event in done.telemetry.events) == ["otel_agents.run.ended", "otel_agents.run.started"]
    runs = [point["value"] for metric, _, _ in done.telemetry._items("metrics") if metric["name"] == "otel_agents.runs" for point in _points(metric)]
    assert set(runs) == {1}
    assert sum(point["value"] for point in done.telemetry.metrics["otel_agents.runs"]) == 1


def test_a_generator_that_the_parent_began_is_the_parents(tmp_path: Path) -> None:
    code = """
@oa.step
def numbers():
    yield 1
    yield 2
generator = numbers()
next(generator)
def child():
    list(generator)
    work(1)
waited(forked(child))
list(generator)
"""
    assert start(tmp_path, code).spans == ["step numbers", "step work"]


def test_children_of_children(tmp_path: Path) -> None:
    code = """
import multiprocessing
fork = multiprocessing.get_context("fork")
def grandchild():
    work(3)
def child():
    work(2)
    one = fork.Process(target=grandchild)
    one.start()
    one.join()
    sys.exit(one.exitcode)
work(1)
one = fork.Process(target=child)
one.start()
one.join()
sys.exit(one.exitcode)
"""
    done = start(tmp_path, code)
    assert (done.said, done.spans) == ((0, "", ""), ["step work"] * 3)
    assert [count for _, count in counts(done)] == [1, 1, 1]


def test_a_parent_that_has_recorded_nothing(tmp_path: Path) -> None:
    """A prefork server: each worker builds its own."""
    code = """
pids = [forked(lambda: work(1)) for _ in range(3)]
for pid in pids:
    waited(pid)
"""
    done = start(tmp_path, code)
    assert (done.said, done.spans) == ((0, "", ""), ["step work"] * 3)
    assert len({span["resource"]["service.instance.id"] for span in done.telemetry.spans}) == 3


def test_forks_while_other_threads_record(tmp_path: Path) -> None:
    """Nothing hangs, nothing is lost or told twice. (Python's own warning of the program's threads is the program's.)"""
    code = """
import warnings
warnings.simplefilter("ignore")
stop = threading.Event()
ended = [0, 0]
def busy(number):
    while not stop.is_set():
        work(number)
        ended[number] += 1
threads = [threading.Thread(target=busy, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
def child():
    with oa.agent("child"):
        work(1)
for _ in range(60):
    waited(forked(child))
stop.set()
for thread in threads:
    thread.join()
print(sum(ended))
"""
    done = start(tmp_path, code)
    assert (done.status, done.err) == (0, "")
    assert Counter(done.spans) == {"step work": int(done.out) + 60, "invoke_agent child": 60}


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf", "grpc"])
def test_children_deliver_once(tmp_path: Path, protocol: str) -> None:
    code = """
work(0)
oa.flush()
for number in range(10):
    waited(forked(lambda: work(1)))
    work(2)
oa.flush()
time.sleep(1.5)
"""
    with (grpc_receiver if protocol == "grpc" else http_receiver)() as receiver:
        done = start(tmp_path, code, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_AGENTS_SHIP_INTERVAL="0.1")
        assert done.said == (0, "", "")
        start(tmp_path, "oa.start(); work(3); oa.flush(); time.sleep(1)", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)
        assert Counter(receiver.names()) == {"step work": 22}


def test_a_signal_ends_a_child_as_ever(tmp_path: Path) -> None:
    code = """
work(0)
def child():
    for _ in range(20):
        work(1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
pid = forked(child)
assert os.waitpid(pid, 0)[1] == signal.SIGTERM
"""
    done = start(tmp_path, code)
    assert (done.said, len(done.spans)) == ((0, "", ""), 21)
