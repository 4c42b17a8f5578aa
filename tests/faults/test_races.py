"""Races: threads that are switched at every step, descriptors that the program reuses, programs that replace themselves, many adopters of the same orphans."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from counting import arrived, busy, deliver, ended, events, is_of_requests, kept, repeated, total
from figures import Figure_
from otlp_server import http_receiver
from processes import environment, ran

pytestmark = pytest.mark.own_attributes("item")
ROOT = Path(__file__).parents[2]
THREADED = (  # where several threads, tasks or processes record, write, rotate, ship and adopt at once
    "tests/journal/test_adopt.py",
    "tests/journal/test_segments.py",
    "tests/journal/test_ship.py",
    "tests/runtime/test_forks.py",
    "tests/runtime/test_log_capture.py",
    "tests/telemetry/test_context.py",
    "tests/telemetry/test_metrics.py",
)
FOLDERS = sorted({path.relative_to(ROOT).parts[1] for path in ROOT.glob("tests/**/test_*.py")})  # and the files beside them


def switched(*words: str, timeout_s: float = 280) -> tuple[int, str, str]:
    """A run of its own with faulthandler on and a switch every microsecond, also in the programs that it starts: its status, what came of it, what it said."""
    command = [sys.executable, "-X", "faulthandler", "-m", "pytest", "-q", "--switch-interval", "1e-6", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    last = next((line for line in reversed(done.stdout.splitlines()) if " in " in line), "nothing")
    return done.returncode, last, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_the_suite_with_threads_switched_at_every_step(figure: Figure_) -> None:
    status, last, said = switched("-n0", "-x", *THREADED)
    figure("races", "journal, shipper, adopters, forks, context, metrics and logs under sys.setswitchinterval(1e-6)", last, "–")
    assert status == 0, said


@pytest.mark.long
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("folder", FOLDERS)
def test_all_of_the_suite_with_threads_switched_at_every_step(folder: str, figure: Figure_) -> None:
    status, last, said = switched(f"tests/{folder}", "--everything", "--deselect", "tests/faults/test_races.py", timeout_s=5000)
    figure("races", f"the whole suite under sys.setswitchinterval(1e-6), {folder}", last, "–")
    assert status == 0, said


def test_a_program_with_threads_switched_at_every_step(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.05", "OTEL_AGENTS_JOURNAL_MAX_BYTES": "64MiB"}
        with busy(tmp_path, settings=settings, items=400, threads=6, tasks=6, workers=1, logs=2, switch=1e-6) as process:
            process.communicate(timeout=100)
        assert process.returncode == 0
        deliver(tmp_path, receiver)
        said = {name: ended(tmp_path, name) for name in ("traces", "logs")}
        came = {name: arrived(receiver, name) for name in said}
    lost, again = ({name: one[name] - other[name] for name in said} for one, other in ((said, came), (came, said)))
    told = f"{sum(map(total, lost.values()))} of {sum(map(total, said.values())):,} lost"
    figure("races", "12 lanes in 2 processes, switched every microsecond", told, "–")
    assert lost == {name: Counter() for name in said}
    assert all(is_of_requests(receiver, again[name], 1, name) for name in again)  # that which the worker's `os._exit` hit between the answer and the offset


REUSING = """
import os, threading
import otel_agents as oa
from otel_agents.runtime import lifecycle

def work(item):
    with oa.step("work"):
        oa.current().attributes({"item": item, "payload": "x" * 500})

work("first")
journal = lifecycle.process.pipeline.store.journal
stop = threading.Event()

def theirs(number):
    while not stop.is_set():
        held = [os.open(f"theirs{number}", os.O_WRONLY | os.O_APPEND | os.O_CREAT) for _ in range(5)]
        for fd in held:
            os.write(fd, b"theirs\\n")
        for fd in held:
            os.close(fd)

threads = [threading.Thread(target=theirs, args=(number,)) for number in range(2)]
for thread in threads:
    thread.start()
for number in range(4000):
    work(f"s{number}")
stop.set()
for thread in threads:
    thread.join()
print(journal.rotations)
"""


def test_descriptors_that_the_program_reuses_while_segments_rotate(tmp_path: Path, figure: Figure_) -> None:
    """None of our lines in their files, and every one of ours in a segment."""
    program = tmp_path / "program.py"
    program.write_text(REUSING)
    env = environment(tmp_path / "journal", OTEL_AGENTS_JOURNAL_MAX_BYTES="64MiB", OTEL_AGENTS_JOURNAL_ROTATE_BYTES="20000")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, env=env, cwd=tmp_path, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    strange = {line for path in tmp_path.glob("theirs*") for line in path.read_bytes().splitlines()} - {b"theirs"}
    here = kept(tmp_path)
    figure(
        "races",
        f"{int(done.stdout)} rotations beside threads that open and close files",
        f"{4001 - len(here)} of 4,001 lost, {len(strange)} strange lines",
        "205 of 1,499 astray",
    )
    assert strange == set()
    assert here == Counter(["first", *(f"s{number}" for number in range(4000))])
    assert int(done.stdout) > 100


EXEC = """
import os, sys
import otel_agents as oa
number = int(sys.argv[1])
with oa.agent("run"):
    with oa.step("work"):
        oa.current().attributes({"item": f"s{number}"})
    if number:
        os.execv(sys.executable, [sys.executable, __file__, str(number - 1)])
"""


def test_a_program_that_replaces_itself(tmp_path: Path, figure: Figure_) -> None:
    """Each image of it was a process of its own to us, though the system gives them one number; the runs that it left open have died."""
    with http_receiver() as receiver:
        done = ran(tmp_path, EXEC, "5", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert (done.status, done.err) == (0, "")
        deliver(tmp_path, receiver)
        came, over = arrived(receiver), Counter(event["otel_agents.outcome"] for event in events(receiver, "otel_agents.run.ended"))
    figure("races", "exec, five times", f"{6 - len(came)} of 6 lost, {repeated(came)} twice, {over['died']} of 5 open runs reported as died", "–")
    assert came == Counter(f"s{number}" for number in range(6))
    assert over == {"died": 5, "ok": 1}
