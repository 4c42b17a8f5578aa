"""R7, R8: every way in which Python makes a child, and a fork at the worst moments; nothing hangs, nothing is lost, counts begin from zero."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from counting import arrived, deliver, ended, instances, kept, repeated
from figures import Figure_
from otlp_server import Reply, http_receiver
from processes import Done, ran

from otel_agents.journal.files import locked

pytestmark = pytest.mark.own_attributes("item")
FORKS = int(os.environ.get("FAULTS_FORKS", "1000"))

CHILDREN = """
import json, multiprocessing, os, sys, threading, time, warnings
from concurrent.futures import ProcessPoolExecutor
import otel_agents as oa

LEDGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ledger")

def work(item):
    with oa.step("work"):
        oa.current().attributes({"item": item})
    with open(LEDGER, "a") as ledger:
        ledger.write(f"traces {item}\\n")
    return os.getpid()

def forked(do):
    pid = os.fork()
    if not pid:
        try:
            do()
        finally:
            os._exit(0)
    return pid

def waited(pid, seconds=20.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            assert status == 0, status
            return
        time.sleep(0.001)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    raise SystemExit(f"a child hung")
"""

WAYS = {
    "multiprocessing, fork": "processes('fork')",
    "multiprocessing, spawn": "processes('spawn')",
    "multiprocessing, forkserver": "processes('forkserver')",
    "multiprocessing.Pool": "pooled()",
    "ProcessPoolExecutor, fork": "executed('fork')",
    "ProcessPoolExecutor, spawn": "executed('spawn')",
    "ProcessPoolExecutor, forkserver": "executed('forkserver')",
    "os.fork, os._exit": "bare()",
    "os.fork of a forked child": "nested()",
}
WAY = """
def processes(method):
    context = multiprocessing.get_context(method)
    started = [context.Process(target=work, args=(f"c{number}",)) for number in range(4)]
    for one in started:
        one.start()
    for one in started:
        one.join(30)
        assert one.exitcode == 0, one.exitcode
    return 4

def pooled():
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=2) as pool:
        pool.map(work, [f"c{number}" for number in range(8)], 1)
        pool.close()
        pool.join()
    return 8

def executed(method):
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        list(pool.map(work, [f"c{number}" for number in range(8)]))
    return 8

def bare():
    for number in range(4):
        waited(forked(lambda: work(f"c{number}")))
    return 4

def nested():
    def child():
        work("c0")
        waited(forked(lambda: work("c1")))
        work("c2")
    waited(forked(child))
    return 3

if __name__ == "__main__":
    work("first")
    made = eval(sys.argv[1])
    work("last")
    print(made)
"""


def counted(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Lost and invented, from the ledger and the journal; every process must have counted what it has recorded itself."""
    spans, counts = instances(folder)
    assert spans == counts
    assert repeated(kept(folder)) == 0
    return ended(folder) - kept(folder), kept(folder) - ended(folder)


@pytest.mark.parametrize("way", WAYS)
def test_children_of_every_kind(tmp_path: Path, figure: Figure_, way: str) -> None:
    """Warnings are errors: none is new."""
    with http_receiver() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "PYTHONWARNINGS": "error"}
        done = ran(tmp_path, CHILDREN + WAY, WAYS[way], **settings)
        assert (done.status, done.err) == (0, "")
        deliver(tmp_path, receiver)
        came = arrived(receiver)
    lost, invented = counted(tmp_path)
    figure("R7", way, f"{lost.total()} of {done.out.strip()} children's spans lost, {repeated(came)} twice", "0 of 40 children report, mostly")
    assert (lost, invented) == (Counter(), Counter())
    assert came == ended(tmp_path)


HELD = {
    "the journal's rotation": "pipeline.journal._lock",
    "the shipper's round": "pipeline.shipper._lock",
    "a metric's aggregation": "pipeline.aggregation._lock",
    "the counting of losses": "pipeline.journal.tally._lock",
    "the building of the pipeline": "lifecycle.process.lock",
}
HOLDING = """
from otel_agents.runtime import lifecycle
work("first")
pipeline = lifecycle.process.pipeline
held, free = threading.Event(), threading.Event()
def hold():
    with eval(sys.argv[1]):
        held.set()
        free.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
began = time.monotonic()
def child():
    work("child")
    waited(forked(lambda: work("grandchild")))
    lifecycle.shutdown()
warnings.simplefilter("ignore")  # of Python itself, from 3.12 on: a thread of the program's lives while it forks
waited(forked(child))
seconds = time.monotonic() - began
free.set()
thread.join()
work("last")
print(seconds)
"""


@pytest.mark.parametrize("what", HELD)
def test_a_fork_while_another_thread_is_inside(tmp_path: Path, figure: Figure_, what: str) -> None:
    """The lock is held as long as the fork lasts: what waits for it gives up, and the child has locks of its own."""
    done = ran(tmp_path, CHILDREN + HOLDING, HELD[what])
    assert (done.status, done.err) == (0, "")
    lost, _ = counted(tmp_path)
    figure("R7", f"fork while another thread is inside {what}", f"0 hung, {lost.total()} of 4 spans lost, {float(done.out):.1f} s", "90 of 300 children hung")
    assert lost == Counter()
    assert float(done.out) < 6.0  # two forks, and the longest that each waits


UNDER_LOAD = """
import signal
stop = threading.Event()
def busy(lane):
    number = 0
    while not stop.is_set():
        work(f"{lane}.{number}")
        number += 1
        time.sleep(0.002)
lanes = [threading.Thread(target=busy, args=(f"lane{number}",)) for number in range(2)]
for lane in lanes:
    lane.start()
warnings.simplefilter("ignore")  # as above
slowest = 0.0
for number in range(int(sys.argv[1])):
    began = time.monotonic()
    waited(forked(lambda: work(f"child{number}")))
    slowest = max(slowest, time.monotonic() - began)
stop.set()
for lane in lanes:
    lane.join()
print(slowest, len(os.listdir("/proc/self/fd")))
"""


def test_a_thousand_forks_under_load(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver() as receiver:
        done = under_load(tmp_path, receiver.url)
        deliver(tmp_path, receiver)
        came = arrived(receiver)
    lost, invented = counted(tmp_path)
    torn = [request for request in receiver.requests if "resourceSpans" not in request.content and request.signal == "traces"]
    slowest, descriptors = done.out.split()
    figure(
        "R8",
        f"{FORKS:,} forks under load",
        f"0 hung, {len(torn)} corrupt, {lost.total()} of {ended(tmp_path).total():,} spans lost, {repeated(came)} twice; slowest child {float(slowest):.2f} s",
        "corrupt requests, deadlocks",
    )
    assert (lost, invented, torn) == (Counter(), Counter(), [])
    assert came == ended(tmp_path)
    assert int(descriptors) < 40, descriptors


def under_load(folder: Path, url: str) -> Done:
    done = ran(folder, CHILDREN + UNDER_LOAD, str(FORKS), timeout=200, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_AGENTS_SHIP_INTERVAL="0.1")
    assert (done.status, done.err) == (0, "")
    return done


ADOPTING = """
work("first")
time.sleep(1.0)  # what the dead have left is being sent by now, to an endpoint that does not answer
warnings.simplefilter("ignore")
def child():
    for number in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    work("child")
    time.sleep(60)
pid = forked(child)
print(pid, flush=True)
time.sleep(4.0)
work("last")
os._exit(0)
"""


def test_a_child_keeps_no_lock_of_a_dead_process(tmp_path: Path) -> None:
    """It was forked while its parent was sending what a dead process had left; that is sent by others while the child lives on."""
    with http_receiver(lambda request: Reply(hangs=b"dead" in request.body)) as receiver:
        ran(tmp_path, CHILDREN + "work('dead'); os._exit(0)", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_AGENTS_SHIP_INTERVAL="60")
        [dead] = (tmp_path / "journal").glob("*/traces-*")
        held = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.1", "OTEL_EXPORTER_OTLP_TIMEOUT": "3000"}
        done = ran(tmp_path, CHILDREN + ADOPTING, **held)
    child = int(done.out)
    try:
        assert any(b"dead" in request.body for request in receiver.requests)
        open_in_child = [os.readlink(f"/proc/{child}/fd/{fd}") for fd in os.listdir(f"/proc/{child}/fd")]
        assert [name for name in open_in_child if name.endswith((".jsonl", ".lock")) and f"-{child}-" not in name] == []
        assert locked(dead) is not None
    finally:
        os.kill(child, 9)


@pytest.mark.parametrize("way", ["os.fork, os._exit", "multiprocessing, fork", "ProcessPoolExecutor, forkserver"])
def test_newer_pythons_warn_of_nothing_new(tmp_path: Path, figure: Figure_, newer_python: tuple[str, Path], way: str) -> None:
    """They warn of a fork while threads live: ours does not at that moment. Warnings are errors."""
    version, python = newer_python
    with http_receiver() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.05"}
        done = ran(tmp_path, CHILDREN + WAY, WAYS[way], python=python, PYTHONWARNINGS="error", **settings)
    assert (done.status, done.err) == (0, "")
    lost, invented = counted(tmp_path)
    figure("R7", f"{way}, Python {version}", f"0 warnings, {lost.total()} of {done.out.strip()} children's spans lost", "–")
    assert (lost, invented) == (Counter(), Counter())
