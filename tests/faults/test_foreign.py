"""R19: two versions of us on one journal, files that are not ours, lines that were torn anywhere, clocks that jump."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from counting import arrived, busy, deliver, ended, is_of_requests, next_program, repeated, unsent
from figures import Figure_
from otlp_server import OK, Reply, http_receiver
from processes import ran
from rig import Rig

import otel_agents
from otel_agents.analysis.folder import Folder
from otel_agents.otlp.segment_names import SEGMENT

pytestmark = pytest.mark.own_attributes("item")
PACKAGE = Path(otel_agents.__file__).parent


@pytest.fixture(scope="module")
def another_version(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for PYTHONPATH with a later version of us: other lines (its own scope and version, no common tail), and more in its notes."""
    folder = tmp_path_factory.mktemp("later")
    shutil.copytree(PACKAGE, folder / "otel_agents", ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, after in LATER:
        path = folder / "otel_agents" / name
        assert path.read_text().count(before) == 1, (name, before)
        path.write_text(path.read_text().replace(before, after))
    return str(folder)


LATER = (
    ("runtime/process.py", 'VERSION = "0.1.0"', 'VERSION = "9.0.0"'),
    ("journal/tally.py", '{"sent": self.sent, ', '{"version": 2, "more": [{"a": None}], "sent": self.sent, '),
    (
        "otlp/signals.py",
        """INNER = {signal: f'{{"{nesting.scopes}":""",
        """INNER = {signal: f'{{"later":{{"a":[1]}},"{nesting.scopes}":""",
    ),
)


def test_two_versions_on_one_journal(tmp_path: Path, figure: Figure_, another_version: str) -> None:
    """Both run at once, are killed at once, and deliver what either has left."""
    with http_receiver() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.1"}
        later = {**settings, "PYTHONPATH": another_version}
        for number in range(3):
            receiver.answer = DOWN if number < 2 else receiver.answer
            both = [busy(tmp_path, settings=one, name=f"{number}.{name}", rate=100.0, threads=1) for name, one in (("now", settings), ("later", later))]
            for process in both:
                assert process.stdout is not None
                process.stdout.readline()
            time.sleep(0.5)
            for process in both:
                process.send_signal(signal.SIGKILL)
                process.communicate()
            receiver.answer = UP
        for number in range(20):
            next_program(tmp_path, receiver, **(later if number % 2 else settings))
            if not unsent(tmp_path):
                break
        said, came = ended(tmp_path), arrived(receiver)
        versions = {scope["scope"]["version"] for request in receiver.taken for one in request.content.get("resourceSpans", []) for scope in one["scopeSpans"]}
    figure("R19", "two versions on one journal", f"{(said - came).total()} of {said.total():,} lost, {repeated(came)} twice", "–")
    assert unsent(tmp_path) == []
    assert versions == {"0.1.0", "9.0.0"}
    assert said - came == Counter()
    assert is_of_requests(receiver, came - said, 2)  # one of each of the two that were killed while the endpoint was well


DOWN = lambda request: Reply(503)  # noqa: E731 - one of two answers
UP = lambda request: OK  # noqa: E731


def test_foreign_files_are_left_alone(tmp_path: Path, figure: Figure_) -> None:
    """Also those that look like ours and are no files, or lead out of the folder; and none of them holds anything up."""
    theirs = tmp_path / "theirs.txt"
    theirs.write_text("precious")
    with http_receiver() as receiver:
        ran(tmp_path, WORK, "first", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        [folder] = (path for path in (tmp_path / "journal").iterdir() if path.is_dir())
        foreign = {folder / name for name in ("notes.txt", "traces.jsonl", "traces-1-2.jsonl", "traces-1-a-b-1.jsonl.bak", "logs-x-y-z-1.jsonl", "a.tmp")}
        for path in foreign:
            path.write_text("precious\n")
        os.mkfifo(folder / "traces-1-a-b-1.jsonl")
        (folder / "traces-2-a-b-1.jsonl").mkdir()
        (folder / "traces-3-a-b-1.jsonl").symlink_to(theirs)
        (folder / "traces-4-a-b-1.jsonl").symlink_to(tmp_path / "nowhere")
        reads = [name for segment in Folder(tmp_path / "journal").segments() for name in [segment.path.name] if "-a-b-" in name]
        odd = {path for path in folder.iterdir() if (named := SEGMENT.fullmatch(path.name)) and named["owner"].endswith("-a-b")}
        for path in (*foreign, theirs):
            os.utime(path, (1, 1))
        os.unlink(tmp_path / "journal" / "caps.stamp") if (tmp_path / "journal" / "caps.stamp").exists() else None
        for number in range(2):
            done = ran(tmp_path, WORK, f"next{number}", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_AGENTS_JOURNAL_MAX_BYTES="1MiB")
            assert (done.status, done.err) == (0, "")
        came = arrived(receiver)
    left = {path for path in (*foreign, *odd, theirs) if os.path.lexists(path)}
    for path in (*foreign, *odd):  # the suite's own readers of this folder are not as careful
        path.rename(tmp_path / path.name)
    assert reads == []
    figure("R19", "foreign files in the folder", f"{len(left)} of {len(foreign) + len(odd) + 1} still there, {3 - len(came)} of 3 items lost", "–")
    assert left == {*foreign, *odd, theirs}
    assert theirs.read_text() == "precious"
    assert came == Counter({"first": 1, "next0": 1, "next1": 1})


WORK = """
import sys, time
import otel_agents as oa
with oa.step("work"):
    oa.current().attributes({"item": sys.argv[1]})
time.sleep(1.5)
oa.flush()
"""


def test_a_last_line_torn_at_every_byte(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver() as receiver:
        one = Rig(tmp_path / "journal", receiver.url)
        one.span("a0000")
        line = one.journal.segments("traces")[0].path.read_bytes()
        first, second = ([line.replace(b'"a0000"', f'"{letter}{length:04}"'.encode()) for length in range(len(line) + 1)] for letter in "bc")
        for length in range(len(line) + 1):
            (one.journal.folder / f"traces-{length + 1}-a-b-1.jsonl").write_bytes(first[length] + second[length][:length])
        reader = Folder(tmp_path / "journal")
        read = sum(1 for segment in reader.segments("traces") for _ in reader.items(segment))
        for _ in range(30):
            one.shipper._adopter._next_scan = 0.0
            one.shipper.run_once()
        came, torn = Counter(receiver.names()), one.dropped["traces", "torn"]
        one.shipper.close()
    expected = {"a0000", *(f"b{length:04}" for length in range(len(line) + 1)), *(f"c{length:04}" for length in (len(line) - 1, len(line)))}
    figure("R19", f"a last line torn at each of {len(line)} bytes", f"{len(expected - came.keys())} whole lines lost, {torn} fragments counted", "–")
    assert came == Counter(expected)
    assert torn == len(line) - 2  # all but nothing, the line without its newline, and the line
    assert read == came.total()  # our own reader sees the same


JUMPING = """
import time
real, real_ns, jump = time.time, time.time_ns, [0.0]
time.time = lambda: real() + jump[0]
time.time_ns = lambda: real_ns() + int(jump[0] * 1e9)
import os
import otel_agents as oa
from opentelemetry import trace
oa.start()
from otel_agents.runtime import lifecycle

def work(item):
    with oa.agent("run"), oa.step("work"):
        oa.current().attributes({"item": item})

def theirs(item):
    with trace.get_tracer("theirs").start_as_current_span("theirs", attributes={"item": item}):
        pass

DAY = 86400
for number, at in enumerate((0, 30 * DAY, -3 * DAY, 0, -400 * DAY, 8 * DAY, 0)):
    jump[0] = at
    work(f"ours{number}")
    theirs(f"theirs{number}")
    pid = os.fork()
    if not pid:
        jump[0] = at - DAY  # after the fork the clock is set back
        work(f"child{number}")
        theirs(f"their child{number}")
        with oa.step("early"):
            trace.get_tracer("theirs").start_span("given", start_time=1, attributes={"item": f"given{number}"}).end()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    for _, shipper in lifecycle.process.pipeline.store._kept:
        shipper._caps.enforce()
        shipper.run_once()
"""


@pytest.mark.meant_beside_conventions("starts when it is read")
def test_clocks_that_jump(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver() as receiver:
        done = ran(tmp_path, JUMPING, OTEL_AGENTS_ENABLED=None, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert (done.status, done.err) == (0, "")
        deliver(tmp_path, receiver)
        came = arrived(receiver)
    said = Counter(f"{name}{number}" for name in ("ours", "theirs", "child", "their child", "given") for number in range(7))
    figure("R19", "a clock that jumps by days, also after a fork", f"{(said - came).total()} of {said.total()} lost, {repeated(came)} twice", "–")
    assert came == said
