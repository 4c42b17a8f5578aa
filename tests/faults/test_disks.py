"""R17: file systems that are full, go away, can't be written to, have no inodes left or freeze; and the journal's own cap, with several processes at once.

The file systems are real: a tmpfs and an ext4 in a loop device, mounted by the test, which needs root for it.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from counting import arrived, busy, deliver, ended, kept, repeated
from figures import Figure_
from otlp_server import Reply, closed_port, http_receiver
from processes import environment, ran, written

from otel_agents.analysis import losses
from otel_agents.analysis.folder import Folder
from otel_agents.cli import checks

pytestmark = pytest.mark.own_attributes("item", "payload")
MIB = 2**20
Mount = Callable[..., Path]


def command(*words: str | Path) -> None:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{words}: {done.stderr}")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a file system of this size: a tmpfs, or, with loop=True, an ext4."""
    made: list[Path] = []

    def mounted(size: int, *, loop: bool = False, options: str = "") -> Path:
        place = tmp_path / f"disk{len(made)}"
        place.mkdir()
        try:
            if loop:
                image = tmp_path / f"image{len(made)}"
                with image.open("wb") as file:
                    file.truncate(size)
                command("mkfs.ext4", "-q", "-F", "-m", "0", image)
                command("mount", "-o", "loop", image, place)
            else:
                command("mount", "-t", "tmpfs", "-o", f"size={size}{options}", "tmpfs", place)
        except (OSError, FileNotFoundError) as problem:
            pytest.skip(f"no file system can be mounted here: {problem}")
        made.append(place)
        return place

    yield mounted
    for place in made:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


STEPS = """
import os, sys, time
import otel_agents as oa

def work(number, size=1000):
    began = time.perf_counter()
    with oa.step("work"):
        oa.current().attributes({"item": f"s{number}", "payload": "x" * size})
    return time.perf_counter() - began
"""


def told(folder: Path) -> dict[tuple[str, str], int]:
    """What was lost, as `doctor` says it: the metric's word or the journal's own note, whichever knows more."""
    return checks.dropped(Folder(folder))


def lost_spans(folder: Path) -> int:
    return sum(count for (signal, _), count in told(folder).items() if signal == "traces")


FILLED = """
free = os.path.join(os.environ["OTEL_AGENTS_JOURNAL_DIR"], "..", "ballast")
work(0)
ballast = os.open(free, os.O_WRONLY | os.O_CREAT)
try:
    while True:  # all that is left
        os.write(ballast, b"x" * 4096)
except OSError:
    os.close(ballast)
for number in range(1, 2001):
    work(number)
os.unlink(free)
for number in range(2001, 2101):
    work(number)
print("done")
raise SystemExit(3)
"""


@pytest.mark.parametrize("loop", [False, True], ids=["tmpfs", "ext4"])
def test_a_full_disk(tmp_path: Path, mount: Mount, figure: Figure_, loop: bool) -> None:
    disk = mount(16 * MIB, loop=loop)
    done = ran(tmp_path, STEPS + FILLED, OTEL_AGENTS_JOURNAL_DIR=str(disk / "journal"))
    assert (done.status, done.out) == (3, "done\n"), done.err
    assert len(done.err.splitlines()) == 1
    here, counted = kept(disk), told(disk / "journal")
    missing = 2101 - len(here)
    figure("R17", f"disk full ({'ext4' if loop else 'tmpfs'})", f"{missing} of 2,101 did not fit, {lost_spans(disk / 'journal')} counted", "dropped silently")
    assert max(here.values()) == 1
    assert {f"s{number}" for number in (0, *range(2001, 2101))} <= here.keys()  # what came before and after
    assert missing > 1000
    assert counted[("traces", "disk_full")] == missing == lost_spans(disk / "journal")
    assert losses.summed(losses.counted(Folder(disk / "journal")))[("traces", "disk_full")] == missing


READ_ONLY = """
for number in range(100):
    work(number)
print("abort", flush=True)
sys.stdin.readline()
for number in range(100, 200):
    work(number)
from otel_agents.runtime import lifecycle
print(lifecycle.process.pipeline.store.journal.tally.of("traces"))
raise SystemExit(3)
"""


def test_a_disk_that_becomes_read_only(tmp_path: Path, mount: Mount, figure: Figure_) -> None:
    """As ext4 does after an error of its device."""
    disk = mount(32 * MIB, loop=True)
    program = written(tmp_path, STEPS + READ_ONLY)
    with subprocess.Popen([sys.executable, program], stdin=-1, stdout=-1, stderr=-1, text=True, env=environment(disk / "journal")) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "abort\n"
        command("mount", "-o", "remount,abort", disk)
        out, err = process.communicate("\n", timeout=30)
    here, counted = kept(disk), ast.literal_eval(out)
    figure("R17", "disk becomes read-only", f"{200 - here.total()} of 200 could not be written, {sum(counted.values())} counted, said once", "dropped silently")
    assert process.returncode == 3
    assert len(err.splitlines()) == 1, err
    assert here == Counter(f"s{number}" for number in range(100))
    assert sum(counted.values()) == 100


NO_INODES = """
folder = os.path.dirname(os.environ["OTEL_AGENTS_JOURNAL_DIR"])
made = []
try:
    while True:
        made.append(os.path.join(folder, f"file{len(made)}"))
        open(made[-1], "w").close()
except OSError:
    pass
for number in range(50):
    work(number)
for path in made[:-1]:
    os.unlink(path)
for number in range(50, 100):
    work(number)
print("done")
"""


def test_a_disk_without_inodes(tmp_path: Path, mount: Mount, figure: Figure_) -> None:
    disk = mount(32 * MIB, options=",nr_inodes=64")
    done = ran(tmp_path, STEPS + NO_INODES, OTEL_AGENTS_JOURNAL_DIR=str(disk / "journal"))
    assert (done.status, done.out) == (0, "done\n"), done.err
    here = kept(disk)
    counted = lost_spans(disk / "journal")
    figure("R17", "no inodes left", f"{100 - len(here)} of 100 could not be written, {counted} counted", "dropped silently")
    assert here == Counter(f"s{number}" for number in range(50, 100))
    assert counted == 50


def test_a_folder_removed_under_us(tmp_path: Path, figure: Figure_) -> None:
    """With an endpoint nothing is lost: what was in the removed files is sent from their descriptors."""
    with http_receiver() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.3"}
        with busy(tmp_path, settings=settings, seconds=3.0, rate=100.0, threads=2, tasks=1, logs=5) as process:
            assert process.stdout is not None
            process.stdout.readline()
            for _ in range(4):
                time.sleep(0.5)
                shutil.rmtree(tmp_path / "journal", ignore_errors=True)
            process.communicate(timeout=30)
        assert process.returncode == 0
        deliver(tmp_path, receiver)
        said, came = ended(tmp_path), arrived(receiver)
    figure("R17", "the folder removed four times under the program", f"{(said - came).total()} of {said.total():,} lost, {repeated(came)} twice", "–")
    assert came == said


FROZEN = """
import threading
slow, counts = [], []
stop = threading.Event()
def lane(name):
    number = 0
    while not stop.is_set():
        if (took := work(f"{name}.{number}")) > 0.5:
            slow.append(took)
        number += 1
        time.sleep(0.01)
    counts.append(number)
def late():
    sys.stdin.readline()  # the disk hangs by now
    took = max(work(f"late.{number}") for number in range(50))
    print(f"late {took}", flush=True)
work("first")
lanes = [threading.Thread(target=lane, args=(f"lane{number}",)) for number in range(2)]
for one in lanes:
    one.start()
print("up", flush=True)
late()
sys.stdin.readline()  # it has thawed
stop.set()
for one in lanes:
    one.join()
print(len(slow), sum(counts))
"""


def test_a_frozen_file_system(tmp_path: Path, mount: Mount, figure: Figure_) -> None:
    """Who is in a write when the disk stops waits for it; who comes later does not, and nothing is lost."""
    disk = mount(64 * MIB, loop=True)
    if shutil.which("fsfreeze") is None:
        pytest.skip("there is no fsfreeze here")
    program = written(tmp_path, STEPS + FROZEN)
    with subprocess.Popen([sys.executable, program], stdin=-1, stdout=-1, stderr=-1, text=True, env=environment(disk / "journal")) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        command("fsfreeze", "--freeze", disk)
        try:
            time.sleep(0.5)
            process.stdin.write("\n")
            process.stdin.flush()
            late = float(process.stdout.readline().split()[1])
            time.sleep(1.0)
        finally:
            command("fsfreeze", "--unfreeze", disk)
        time.sleep(0.5)
        out, err = process.communicate("\n", timeout=30)
    slow, steps = map(int, out.split())
    here = kept(disk)
    figure(
        "R17", "fsfreeze for 1.5 s", f"{steps + 51 - here.total()} of {steps + 51} lost; {slow} of 3 threads waited, the third at most {late * 1e3:.0f} ms", "–"
    )
    assert (process.returncode, err) == (0, "")
    assert here.total() == len(here) == steps + 51
    assert slow <= 2
    assert late < 0.1


def watched(folder: Path, process: subprocess.Popen[str]) -> int:
    """The most bytes that the folder has held at once, looked at all the time."""
    most = 0
    while process.poll() is None:
        most = max(most, sum(size_of(path) for path in folder.glob("*/*")))
        time.sleep(0.01)
    return most


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("workers", [0, 3, 11])
def test_the_cap_at_several_processes_at_once(tmp_path: Path, figure: Figure_, workers: int) -> None:
    cap = 8 * MIB
    with closed_port() as url:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_AGENTS_JOURNAL_MAX_BYTES": str(cap), "OTEL_AGENTS_SHIP_INTERVAL": "0.2"}
        options = {"items": 30_000 // (workers + 1), "threads": 1, "workers": workers, "logs": 3}
        with busy(tmp_path, settings=settings, **options) as process:
            most = watched(tmp_path / "journal", process)
        assert process.returncode == 0
    lost = sum((ended(tmp_path, name) - kept(tmp_path, name)).total() for name in ("traces", "logs"))
    counted = told(tmp_path / "journal")
    dropped = sum(count for (name, reason), count in counted.items() if name in ("traces", "logs") and reason == "cap")
    runs = 2 * (workers + 1)
    figure("R17", f"a cap of 8 MiB, {workers + 1} processes at once", f"at most {most / MIB:.1f} MiB; {lost:,} items given up, {dropped:,} counted", "grows")
    assert most <= cap
    given_up = 60 * workers  # items of a segment that a child was about to give up when it ended by os._exit: counted, and still there
    assert lost <= dropped <= lost + runs + given_up  # the runs' own spans and records are in no ledger
    assert lost > 5_000


OUTAGE = """
import gc, logging
logger = logging.getLogger("app")
logger.propagate = False
logger.addHandler(logging.NullHandler())
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
seconds, rate = float(sys.argv[1]), float(sys.argv[2])
for number in range(2000):
    work(number, 500)
warm, began, number, slowest = resident(), time.monotonic(), 2000, 0.0
while time.monotonic() - began < seconds:
    slowest = max(slowest, work(number, 500))
    logger.warning("log %s", number)
    number += 1
    time.sleep(max(0.0, began + (number - 2000) / rate - time.monotonic()))
print(number, resident() - warm, slowest, len(os.listdir("/proc/self/fd")))
"""


@pytest.mark.timeout(900)
def test_a_long_outage(tmp_path: Path, figure: Figure_, is_long: bool) -> None:
    """Ten minutes at 1,000/s, or, in short, as many turns of the cap in 12 seconds."""
    seconds, rate, cap = (600.0, 1000.0, 64 * MIB) if is_long else (12.0, 2000.0, 4 * MIB)
    with http_receiver(lambda request: Reply(503)) as receiver:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_AGENTS_JOURNAL_MAX_BYTES": str(cap),
            "OTEL_AGENTS_JOURNAL_DIR": str(tmp_path / "journal"),
        }
        done = ran(tmp_path, STEPS + OUTAGE, str(seconds), str(rate), timeout=seconds + 120, **settings)
    assert done.status == 0, done.err
    items, grown, slowest, descriptors = (float(word) for word in done.out.split())
    here, counted = kept(tmp_path), lost_spans(tmp_path / "journal")
    figure(
        "R17",
        f"{seconds:g} s of outage at {items / seconds:,.0f}/s, cap {cap // MIB} MiB",
        f"memory +{grown / MIB:.1f} MiB, {items - len(here):,.0f} spans given up, {counted:,} counted, slowest call {slowest * 1e3:.0f} ms",
        "grows or drops silently",
    )
    assert grown <= 20 * MIB
    assert descriptors < 60
    assert items - len(here) == counted > 1000
