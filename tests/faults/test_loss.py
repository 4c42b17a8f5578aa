"""What had ended arrives, once, whatever the endpoint and the process do."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from figures import Figure_
from otlp_server import OK, Receiver, Reply, closed_port, http_receiver

PROGRAM = Path(__file__).with_name("program.py")
THREADS_FORK = "ignore:This process:DeprecationWarning"  # the program forks beside its own threads, which is the point


def start(folder: Path, url: str | None, **options: Any) -> subprocess.Popen[str]:
    given = json.dumps({"folder": str(folder), "url": url, **options})
    return subprocess.Popen([sys.executable, "-W", "error", "-W", THREADS_FORK, str(PROGRAM), given], stdout=subprocess.PIPE, text=True)


def run(folder: Path, url: str | None, **options: Any) -> dict[str, Any]:
    with start(folder, url, **options) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    result: dict[str, Any] = json.loads(said.splitlines()[-1])
    return result


def deliver(folder: Path, receiver: Receiver, expected: int, signal_name: str = "traces", **options: Any) -> None:
    """Start programs as a user would, again and again, until what was left has arrived."""
    for _ in range(20):
        run(folder, receiver.url, name="next", flush=True, **options)
        if len([name for name in receiver.names(signal_name) if not name.startswith("next")]) >= expected:
            return


def left(receiver: Receiver, signal_name: str = "traces") -> list[str]:
    return [name for name in receiver.names(signal_name) if not name.startswith("next")]


@pytest.mark.parametrize("outage", ["refused", "hanging", "503"])
def test_an_outage_for_the_whole_run_loses_nothing(tmp_path: Path, figure: Figure_, outage: str) -> None:
    """R1 and R2: 20,000 spans and 20,000 logs; all of them arrive at the next start, once; the exit does not wait."""
    with closed_port() as refused, http_receiver(lambda request: Reply(503) if outage == "503" else Reply(hangs=True)) as down:
        result = run(tmp_path, refused if outage == "refused" else down.url, spans=20_000, logs=20_000, timeout=1.0)
        assert result["dropped"] == {}
        assert not result["flushed"]
        assert result["exit_s"] <= (0.3 if outage != "hanging" else 2.6)
    with http_receiver() as receiver:
        deliver(tmp_path, receiver, 20_000)
        expected = [f"s-0-{number}" for number in range(20_000)]
        lost = sum((Counter(expected) - Counter(left(receiver, name))).total() for name in ("traces", "logs"))
        figure("R1", f"endpoint {outage} for a whole run of 20,000 spans and 20,000 logs", f"{lost} lost after the next start", "all 20,000 lost")
        assert Counter(left(receiver)) == Counter(expected)
        assert Counter(left(receiver, "logs")) == Counter(expected)


def test_an_outage_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """R3, short: refused, cut and 503 for two seconds at 500 spans a second."""
    with http_receiver() as receiver:
        with start(tmp_path, receiver.url, spans=2_000, rate=500.0) as process:
            assert receiver.wait_for(lambda: len(receiver.taken) > 3)
            receiver.answer = lambda request: random.choice([Reply(503), Reply(cuts=True), Reply(502)])
            threading.Event().wait(2.0)
            receiver.answer = lambda request: OK
            process.communicate(timeout=60)
        deliver(tmp_path, receiver, 2_000)
        assert Counter(left(receiver)) == Counter(f"s-0-{number}" for number in range(2_000))


def test_a_healthy_burst_loses_nothing(tmp_path: Path, figure: Figure_) -> None:
    """R4: 20,000 as fast as it goes."""
    with http_receiver() as receiver:
        result = run(tmp_path, receiver.url, spans=5_000, threads=4)
        assert result == {"exit_s": result["exit_s"], "flushed": True, "dropped": {}}
        expected = Counter(f"s-{thread}-{number}" for thread in range(4) for number in range(5_000))
        figure("R4", "healthy burst of 20,000 as fast as it goes", f"{(expected - Counter(receiver.names())).total()} lost", "1,539 lost, no count")
        assert Counter(receiver.names()) == expected


@pytest.mark.parametrize("rate", [200.0, 0.0])
@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_loses_no_ended_span(tmp_path: Path, rate: float, killed_by: signal.Signals) -> None:
    """R5 and R6: every span that had ended when the process died."""
    with http_receiver() as receiver:
        ended: list[str] = []
        for round_number in range(3):
            with start(tmp_path, receiver.url, name=f"r{round_number}", spans=1_000_000, rate=rate, says=True) as process:
                assert process.stdout is not None
                for _ in range(random.randint(20, 120)):
                    ended.append(f"r{round_number}-{process.stdout.readline().strip()}")
                process.send_signal(killed_by)
                said = process.stdout.read().split("\n")[:-1]
            assert process.returncode == -killed_by
            ended += [f"r{round_number}-{number}" for number in said]
        deliver(tmp_path, receiver, len(ended))
        arrived = Counter(left(receiver))
        assert Counter(ended) - arrived == Counter()
        assert len(arrived) <= len(ended) + 3  # a span may have ended without its number being said
        in_flight = 3 * 2_000  # what a request held whose answer the process did not live to see
        assert sum(arrived.values()) - len(arrived) <= in_flight


def test_two_destinations_in_one_folder_never_meet(tmp_path: Path) -> None:
    with http_receiver() as first, http_receiver() as second:
        with closed_port() as closed:
            run(tmp_path, closed, name="first", destination="d1", spans=50)
            run(tmp_path, closed, name="second", destination="d2", spans=50)
            run(tmp_path, None, name="local", destination="local", spans=50)
        deliver(tmp_path, first, 50, destination="d1")
        deliver(tmp_path, second, 50, destination="d2")
        assert left(first) == sorted(f"first-0-{number}" for number in range(50))
        assert left(second) == sorted(f"second-0-{number}" for number in range(50))


def test_forked_children_deliver_all_once(tmp_path: Path) -> None:
    """R7, R8: forks while threads append and the shipper sends; children that end with os._exit."""
    with http_receiver() as receiver:
        result = run(tmp_path, receiver.url, spans=3_000, threads=2, forks=60)
        assert result["dropped"] == {}
        deliver(tmp_path, receiver, 6_060)
        expected = [f"s-{thread}-{number}" for thread in range(2) for number in range(3_000)] + [f"child-{number}" for number in range(60)]
        assert Counter(left(receiver)) == Counter(expected)


def test_a_fork_in_the_middle_of_a_request_does_not_hang(tmp_path: Path) -> None:
    """The shipper's thread, reading a slow answer, holds the lock of its buffer for ever, as the child sees it."""
    with http_receiver(lambda request: Reply(503, body=b"{" + b" " * 1_000 + b"}", drips_s=0.01)) as receiver:
        result = run(tmp_path, receiver.url, spans=300, rate=500.0, forks=100, timeout=3.0)
        assert result["dropped"] == {}
        receiver.answer = lambda request: OK
        deliver(tmp_path, receiver, 400)
        assert Counter(left(receiver)) == Counter([f"s-0-{number}" for number in range(300)] + [f"child-{number}" for number in range(100)])


def test_many_adopters_deliver_each_orphan_once(tmp_path: Path, figure: Figure_) -> None:
    with closed_port() as closed:
        for number in range(4):
            run(tmp_path, closed, name=f"orphan{number}", spans=300)
    with http_receiver() as receiver:
        several = [start(tmp_path, receiver.url, name="next", spans=20, rate=50.0) for _ in range(8)]
        for process in several:
            with process:
                process.communicate(timeout=60)
        deliver(tmp_path, receiver, 1_200)
        expected, came = Counter(f"orphan{number}-0-{span}" for number in range(4) for span in range(300)), Counter(left(receiver))
        figure("races", "8 processes adopt the same orphans at once", f"{(expected - came).total()} of 1,200 lost, {(came - expected).total()} twice", "–")
        assert came == expected


def test_a_stopped_writer_is_not_adopted(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver() as receiver, start(tmp_path, receiver.url, spans=1_000_000, rate=500.0, says=True, ships=False) as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        run(tmp_path, receiver.url, name="next")
        figure("races", "a writer stopped by SIGSTOP", f"{len(left(receiver))} of its items adopted while it lives", "–")
        assert left(receiver) == []
        process.kill()
        process.stdout.read()
        process.wait()
        deliver(tmp_path, receiver, 20)
        assert len(left(receiver)) >= 20
        assert set(Counter(left(receiver)).values()) == {1}


def test_thirty_thousand_dead_segments_do_not_slow_a_start(tmp_path: Path, figure: Figure_) -> None:
    """R16b: at most 20 ms more than with an empty folder, the better of three tries each."""
    full, empty = tmp_path / "full", tmp_path / "empty"
    (full / "d0").mkdir(parents=True)
    for number in range(30_000):
        (full / "d0" / f"traces-{number}-18ea-9f-1.jsonl").touch()
    with http_receiver() as receiver:
        measured = {folder: min(started(folder, receiver.url) for _ in range(3)) for folder in (empty, full)}
    more_ms = 1e3 * (measured[full] - measured[empty])
    figure("R16b", "start beside 30,000 dead segments", f"{more_ms:+.1f} ms against an empty folder", "–")
    assert more_ms <= 20, measured


STARTED = """
import json, os, sys, time
sys.path.insert(0, os.path.dirname(sys.argv[2]))
from program import Options, Program
began = time.perf_counter()
program = Program(Options(**json.loads(sys.argv[1])))
program.record(0)
print(time.perf_counter() - began)
sys.stdout.flush()
os._exit(0)
"""


def started(folder: Path, url: str) -> float:
    given = json.dumps({"folder": str(folder), "url": url, "spans": 1})
    done = subprocess.run([sys.executable, "-c", STARTED, given, str(PROGRAM)], capture_output=True, text=True, check=True, timeout=60)
    return float(done.stdout)
