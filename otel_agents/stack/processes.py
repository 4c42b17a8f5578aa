"""Server processes: started into a session of their own, known again by their start time, stopped with patience and then without."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BEGAN = "== started by otel-agents stack"  # what a start writes into the log: what is above it was said before
MARK = "OTEL_AGENTS_STACK"  # in the environment of every server: whose it is, should its record be lost
LOG_BYTES = 16 * 2**20
POLL_S = 0.05
FOREIGN = ("OTEL_", "JAEGER_", "STACK_")  # servers read some of them, and would send traces of their own to themselves


@dataclass(frozen=True, slots=True)
class Process:
    """A process, and when it started: a number alone may be another process by now."""

    pid: int
    started: str


def start(words: Sequence[str], log: Path, environment: Mapping[str, str], mark: str, where: Path) -> Process:
    """Start a server that outlives us and our terminal; what it says goes to its log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    trim(log)
    given = environment_of({**environment, MARK: mark})
    with log.open("ab", buffering=0) as file:
        file.write(f"{BEGAN}, {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n".encode())
        process = subprocess.Popen(list(words), stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=where, env=given, start_new_session=True)
    process.returncode = 0  # it is meant to outlive us: no ResourceWarning when this object goes
    return Process(process.pid, started(process.pid))


def environment_of(more: Mapping[str, str]) -> dict[str, str]:
    """This process's variables without those that servers would take for theirs, and these."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}, **more}


def trim(log: Path) -> None:
    """Keep the log of before under another name once it is long."""
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))


def started(pid: int) -> str:
    """When the process started, in whatever unit the system has; empty when there is none, or it is dead and only not buried."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if Path("/proc/self/stat").exists() else started_by_ps(pid)
    except (OSError, ProcessLookupError):
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def started_by_ps(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def lives(process: Process) -> bool:
    return bool(process.started) and started(process.pid) == process.started


def stop(process: Process, grace_s: float) -> bool:
    """Ask the process's group to end, and kill it after the grace (seconds; 0: without asking); False when it had to be killed."""
    if not lives(process):
        return True
    if grace_s and send(process, signal.SIGTERM) and ended(process, grace_s):
        return True
    send(process, signal.SIGKILL)
    ended(process, 10.0)
    return False


def send(process: Process, number: int) -> bool:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
    return True


def ended(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while lives(process):
        if time.monotonic() > deadline:
            return False
        bury(process)
        time.sleep(POLL_S)
    return True


def bury(process: Process) -> None:
    """Take note of its end, where it is a child of ours."""
    with suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def marked(mark: str) -> list[Process]:
    """Processes of the stack that no record names: whoever started them was killed before it could write them down."""
    found = [pid for pid in map(int, filter(str.isdecimal, listed("/proc"))) if carries(pid, f"{MARK}={mark}".encode())]
    return [Process(pid, started(pid)) for pid in found]


def listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def carries(pid: int, assignment: bytes) -> bool:
    try:
        return assignment in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
