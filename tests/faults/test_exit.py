"""R2: how long a program's end takes while its endpoint is down, in seconds more than without us; its exit status is its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from figures import Figure_
from otlp_server import OK, Reply, Request, closed_port, http_receiver
from processes import environment, written

PROGRAM = """
import os, sys, time
import otel_agents as oa
def work():
    with oa.step("work"):
        pass
work()
time.sleep(float(sys.argv[1]))
if sys.argv[2] == "child":
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        os._exit(7)
    work()
    time.sleep(0.3)
work()
print(time.time(), flush=True)
class Last:
    def __del__(self):
        os.write(1, f"{time.time()}\\n".encode())
import builtins
builtins.last = Last()  # goes with the interpreter's last breath
sys.exit(7)
"""
TRIES = 2


def seconds(tmp_path: Path, wait: float, who: str = "parent", **more: str | None) -> float:
    """From the program's last line to its interpreter's last breath, the best of two: what else happens on this machine is no cost of ours."""
    return min(once(tmp_path, wait, who, **more) for _ in range(TRIES))


def once(tmp_path: Path, wait: float, who: str, **more: str | None) -> float:
    program = written(tmp_path, PROGRAM)
    words = [sys.executable, "-W", "ignore", str(program), str(wait), who]
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment(tmp_path / "journal", OTEL_AGENTS_SHIP_INTERVAL="0.1", **more), timeout=30, check=False
    )
    assert done.returncode == 7, done
    last, end = map(float, done.stdout.split())
    return end - last


@contextmanager
def deaf() -> Iterator[str]:
    """The URL of a place that lets nobody in and refuses nobody: its queue of connections is full."""
    with socket.socket() as listening, ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        time.sleep(0.1)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def answering(*replies: Reply) -> Iterator[str]:
    """Each signal gets the first reply to its first request, and so on; the last one for ever."""
    asked: dict[str, int] = {}

    def answer(request: Request) -> Reply:
        asked[request.signal] = asked.get(request.signal, -1) + 1
        return replies[min(asked[request.signal], len(replies) - 1)]

    with http_receiver(answer) as receiver:
        yield receiver.url


HANGS, DOWN = Reply(hangs=True), Reply(503)
CASES = {
    "nothing listens": (closed_port, 0.0, 0.3),
    "nothing listens, and a try has failed": (closed_port, 0.4, 0.3),
    "no connection comes": (deaf, 0.0, 0.3),
    "503, and a try has failed": (lambda: answering(DOWN), 0.4, 0.3),
    "503, then it hangs, and a request is under way": (lambda: answering(DOWN, HANGS), 1.6, 0.3),
    "it hangs": (lambda: answering(HANGS), 0.0, 2.5),
    "it was well, and hangs": (lambda: answering(OK, HANGS), 0.4, 2.5),
    "a slow answer": (lambda: answering(Reply(body=b"{" + b" " * 1000 + b"}", drips_s=0.05)), 0.0, 2.5),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> float:
    return seconds(tmp_path_factory.mktemp("plain"), 0.0, OTEL_AGENTS_ENABLED=None)


@pytest.mark.parametrize("case", CASES)
def test_the_end_of_a_program(tmp_path: Path, figure: Figure_, plain: float, case: str) -> None:
    place, wait, bound = CASES[case]
    with place() as url:
        took = seconds(tmp_path, wait, OTEL_EXPORTER_OTLP_ENDPOINT=url) - plain
    figure("R2", f"exit: {case}", f"{max(0.0, took):.2f} s, status kept", "5 to 48 s")
    assert took <= bound


@pytest.mark.parametrize("case", ["nothing listens", "it hangs"])
def test_the_end_of_a_forked_child(tmp_path: Path, figure: Figure_, plain: float, case: str) -> None:
    place, wait, _ = CASES[case]
    with place() as url:
        took = seconds(tmp_path, wait, "child", OTEL_EXPORTER_OTLP_ENDPOINT=url) - plain
    figure("R2", f"exit of a forked child: {case}", f"{max(0.0, took):.2f} s", "5 to 48 s")
    assert took <= 0.1  # what there is to write, and a machine's own pace; no network
