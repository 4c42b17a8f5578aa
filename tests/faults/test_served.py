"""R7: servers that fork their workers: gunicorn, and Celery with a worker process for each task."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from counting import arrived, deliver, instances, repeated
from figures import Figure_
from otlp_server import http_receiver
from processes import environment

pytestmark = pytest.mark.own_attributes("item")
SERVED = Path(__file__).with_name("served")
REQUESTS, TASKS = 200, 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


@contextmanager
def served(*words: str, env: dict[str, str], port: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, which gets SIGTERM at the end."""
    with subprocess.Popen(words, env=env, cwd=SERVED, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            while port is not None and not is_open(port):
                assert process.poll() is None, words
                time.sleep(0.05)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


def settings(folder: Path, url: str, **more: str) -> dict[str, str]:
    return environment(folder / "journal", OTEL_EXPORTER_OTLP_ENDPOINT=url, **more)


def get(port: int, item: str) -> tuple[str, str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{item}", timeout=20) as answer:
        name, pid = answer.read().decode().split()
    return name, pid


@pytest.mark.parametrize(
    "more", [(), ("--preload", "--max-requests", "20"), ("--worker-class", "gthread", "--threads", "4")], ids=["sync", "preloaded", "threads"]
)
def test_gunicorn(tmp_path: Path, figure: Figure_, more: tuple[str, ...]) -> None:
    port = free_port()
    with http_receiver() as receiver:
        words = (sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "3", *more, "shop:application")
        with served(*words, env=settings(tmp_path, receiver.url), port=port), ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda number: get(port, f"r{number}"), range(REQUESTS)))
        deliver(tmp_path, receiver)
        came = arrived(receiver)
    said = Counter(item for item, _ in answers)
    workers = len({pid for _, pid in answers})
    figure(
        "R7",
        f"gunicorn, prefork {' '.join(more)}".strip(),
        f"{(said - came).total()} of {REQUESTS} spans of {workers} workers lost, {repeated(came)} twice",
        "0 of 40 children report, mostly",
    )
    assert came == said
    spans, counts = instances(tmp_path)
    assert spans == counts


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    server = shutil.which("redis-server")
    assert server, "redis-server is not installed: apt-get install redis-server"
    words = (server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path))
    with served(*words, env=dict(os.environ), port=port):
        yield f"redis://127.0.0.1:{port}/0"


ASK = """
import sys
from shop import sell
results = [sell.delay(f"t{number}") for number in range(int(sys.argv[1]))]
print(len({result.get(timeout=60) for result in results}))
"""


def test_celery_with_a_process_for_each_task(tmp_path: Path, figure: Figure_, broker: str) -> None:
    with http_receiver() as receiver:
        env = settings(tmp_path, receiver.url, CELERY_BROKER=broker)
        words = ("worker", "--concurrency", "2", "--max-tasks-per-child", "1", "--loglevel", "WARNING", "--without-gossip", "--without-mingle")
        with served(sys.executable, "-m", "celery", "--app", "shop:queue", *words, env=env):
            quiet = {name: value for name, value in env.items() if name != "OTEL_AGENTS_ENABLED"}
            asked = subprocess.run([sys.executable, "-c", ASK, str(TASKS)], env=quiet, cwd=SERVED, capture_output=True, text=True, timeout=90, check=False)
            assert asked.returncode == 0, asked.stderr
        deliver(tmp_path, receiver)
        came, said = arrived(receiver), Counter(f"t{number}" for number in range(TASKS))
    figure(
        "R7",
        "Celery on Redis, max_tasks_per_child=1",
        f"{(said - came).total()} of {TASKS} spans of {int(asked.stdout)} child processes lost, {repeated(came)} twice",
        "0 of 40 children report",
    )
    assert came.keys() == said.keys()
    assert repeated(came) <= TASKS // 8  # of children that their parent killed between the endpoint's answer and its offset
    assert int(asked.stdout) == TASKS
    spans, counts = instances(tmp_path)
    assert spans == counts
