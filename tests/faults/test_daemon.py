"""Programs that close what they do not know, and go on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from figures import Figure_
from otlp_server import http_receiver

PROGRAM = Path(__file__).with_name("program.py")

DAEMON = """
import json, os, sys
sys.path.insert(0, os.path.dirname(sys.argv[2]))
from program import Options, Program
program = Program(Options(**json.loads(sys.argv[1])))
program.options.name = "before"
program.record(0)
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(3, 4096)
theirs = [os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND) for _ in range(20)]
program.options.name = "after"
program.record(0)
program.rig.shipper.run_once()
os.closerange(3, 4096)
theirs = [os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT | os.O_APPEND) for _ in range(20)]
program.options.name = "last"
program.record(0)
program.rig.shipper.run_once()
program.rig.shipper.flush()
program.rig.shipper.close()
for number in theirs:
    os.write(number, b"theirs\\n")
"""


def test_a_daemon_that_closes_every_descriptor_loses_and_harms_nothing(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver() as receiver:
        given = json.dumps({"folder": str(tmp_path / "journal"), "url": receiver.url, "spans": 200})
        subprocess.run([sys.executable, "-W", "error", "-c", DAEMON, given, str(PROGRAM), str(tmp_path / "theirs")], check=True, timeout=60)
        expected = [f"{name}-0-{number}" for name in ("before", "after", "last") for number in range(200)]
        for _ in range(5):
            receiver.wait_for(lambda: len(receiver.names()) >= 400 and "last-0-199" in receiver.names(), 5.0)
            last = json.dumps({"folder": str(tmp_path / "journal"), "url": receiver.url, "spans": 0})
            subprocess.run([sys.executable, str(PROGRAM), last], check=True, timeout=60, stdout=subprocess.PIPE)
            if len(receiver.names()) >= len(expected):
                break
        came = Counter(receiver.names())
        lost, strange = (Counter(expected) - came).total(), len(set((tmp_path / "theirs").read_text().splitlines()) - {"theirs"})
        figure("races", "a daemon: double fork, every descriptor closed, twice", f"{lost} of {len(expected)} lost, {strange} of our lines in its files", "–")
        assert came == Counter(expected)
    assert set((tmp_path / "theirs").read_text().splitlines()) == {"theirs"}
