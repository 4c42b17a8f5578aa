"""OTEL_METRICS_EXPORTER=prometheus: what a real scrape of real programs brings, of one process and of a server's workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from otlp_server import http_receiver
from processes import Done, environment, ran, run, written
from prometheus_client.parser import text_string_to_metric_families

from otel_agents.testing import Telemetry

PROGRAM = Path(__file__).parents[1] / "programs" / "scraped_program.py"
SERVED = Path(__file__).parents[1] / "faults" / "served"
pytestmark = pytest.mark.own_attributes("item")
Values = dict[tuple[str, str], float]
COUNT = "gen_ai_invoke_agent_duration_seconds_count"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


def scraped(tmp_path: Path, when: str, port: int, **more: str) -> tuple[Done, Values]:
    done = run(PROGRAM, when, journal=tmp_path / "journal", **{"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port), **more})
    assert (done.status, done.err) == (0, "")
    return done, values(done.out)


def values(text: str) -> Values:
    """By the name of a sample and the instance it is of; buckets apart."""
    found: Values = defaultdict(float)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "le" not in sample.labels:
                assert sample.labels["job"]
                found[sample.name, sample.labels["instance"]] += sample.value
    return found


def by_name(found: Values) -> dict[str, float]:
    summed: dict[str, float] = defaultdict(float)
    for (name, _), value in found.items():
        summed[name] += value
    return summed


def test_names_and_values(tmp_path: Path, port: int) -> None:
    done, found = scraped(tmp_path, "never", port)
    seen = by_name(found)
    assert {name: seen[name] for name in ("app_tokens_total", "app_cost_USD_total", "app_latency_seconds_sum", "app_latency_seconds_count", "app_load")} == {
        "app_tokens_total": 3,
        "app_cost_USD_total": 2,
        "app_latency_seconds_sum": 0.5,
        "app_latency_seconds_count": 1,
        "app_load": 7,
    }
    assert len({instance for _, instance in found}) == 1
    assert done.spans == ["invoke_agent a"]


def test_the_scrape_and_the_journal_say_the_same(tmp_path: Path, port: int) -> None:
    done, found = scraped(tmp_path, "never", port)
    seen, kept = by_name(found), done.telemetry.metrics
    durations = kept["gen_ai.invoke_agent.duration"]
    assert (seen[COUNT], seen[COUNT.replace("_count", "_sum")]) == (sum(p["count"] for p in durations), pytest.approx(sum(p["sum"] for p in durations)))
    assert seen["app_tokens_total"] == sum(point["value"] for point in kept["app.tokens"])
    assert {instance for _, instance in found} == {instance_of(line) for line in done.telemetry.lines("metrics")}


def instance_of(line: bytes) -> str:
    attributes = json.loads(line)["resourceMetrics"][0]["resource"]["attributes"]
    return next(str(pair["value"]["stringValue"]) for pair in attributes if pair["key"] == "service.instance.id")


@pytest.mark.parametrize(("when", "times"), [("before", 1), ("after", 2)])
def test_a_meter_provider_of_the_programs(tmp_path: Path, port: int, when: str, times: int) -> None:
    _, found = scraped(tmp_path, when, port)
    seen = by_name(found)
    assert {name: seen[name] for name in (COUNT, "app_tokens_total", "app_cost_USD_total")} == {
        COUNT: times,
        "app_tokens_total": 3 * times,
        "app_cost_USD_total": 2 * times,
    }


def test_it_is_sent_too_if_asked_for(tmp_path: Path, port: int) -> None:
    with http_receiver() as receiver:
        _, found = scraped(tmp_path, "never", port, OTEL_METRICS_EXPORTER="otlp,prometheus", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert "app.tokens" in receiver.names("metrics")
    assert by_name(found)["app_tokens_total"] == 3


def test_no_credential_is_served(tmp_path: Path, port: int) -> None:
    secret = "sk-proj-4f8Gk2LmQ9rT7vXz1BcD3eFgH5jKnP6sUwYa"
    done, _ = scraped(tmp_path, "never", port, OTEL_RESOURCE_ATTRIBUTES=f"api={secret},team=blue")
    assert secret not in done.out
    assert 'team="blue"' in done.out
    kept = [path for path in (tmp_path / "journal").rglob("*") if path.parent.name.startswith("prometheus-")]
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in kept} | {(tmp_path / "journal").stat().st_mode & 0o777} == {0o700}
    assert not any(secret in path.read_text() for path in kept)


# ------------------------------------------------------------------------------------------------ what can't be had

ITEM = "import otel_agents as oa\nimport time\n{start}\nwith oa.step('one'):\n    pass\ntime.sleep(0.5)\nprint('mine')\n"


def test_a_port_that_somebody_else_has(tmp_path: Path, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        given = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": str(port), "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1"}
        done = ran(tmp_path, ITEM.format(start=""), **given)
    assert (done.status, done.out, done.spans) == (0, "mine\n", ["step one"])
    line = f"otel-agents: no metrics are served for Prometheus: 127.0.0.1:{port} can't be used (Address already in use). Set OTEL_EXPORTER_PROMETHEUS_PORT to a"
    assert [line in said for said in done.err.splitlines()] == [True]


def test_a_port_that_is_none(tmp_path: Path) -> None:
    done = ran(tmp_path, ITEM.format(start=""), OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT="web")
    assert (done.status, done.out) == (0, "mine\n")
    assert "OTEL_EXPORTER_PROMETHEUS_PORT=web is not a port (0 to 65535); metrics are served at 9464" in done.err


def test_any_free_port_for_each_process(tmp_path: Path) -> None:
    done = ran(tmp_path, ITEM.format(start=""), OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT="0")
    assert (done.status, done.out) == (0, "mine\n")
    assert "metrics of this process alone are served for Prometheus at http://127.0.0.1:" in done.err


def without_the_extra(tmp_path: Path, code: str) -> Done:
    """Python takes None in sys.modules for a module that is not there."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry.exporter.prometheus'] = None\n")
    return ran(tmp_path, code, PYTHONPATH=str(tmp_path), OTEL_METRICS_EXPORTER="prometheus")


def test_without_the_extra_zero_code_start_says_so_and_goes_on(tmp_path: Path) -> None:
    done = without_the_extra(tmp_path, ITEM.format(start=""))
    assert (done.status, done.out, done.spans) == (0, "mine\n", ["step one"])
    assert [f"pip install '{extra}'" in done.err for extra in ("otel-agents[prometheus]",)] == [True]
    assert len(done.err.splitlines()) == 1


def test_without_the_extra_a_start_by_name_fails(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry.exporter.prometheus'] = None\n")
    done = ran(tmp_path, ITEM.format(start="oa.start()"), PYTHONPATH=str(tmp_path), OTEL_METRICS_EXPORTER="prometheus", OTEL_AGENTS_ENABLED=None)
    assert (done.status, done.out) == (1, "")
    assert "SettingsError: OTEL_METRICS_EXPORTER=prometheus needs an extra: pip install 'otel-agents[prometheus]'" in done.err


# ------------------------------------------------------------------------------------------------ servers that fork


def scrape(port: int) -> Values:
    with suppress(OSError), urllib.request.urlopen(f"http://localhost:{port}/metrics", timeout=10) as answer:
        return values(answer.read().decode())
    return {}


def runs(found: Values) -> dict[str, float]:
    return {instance: value for (name, instance), value in found.items() if name == COUNT}


def eventually(ask: Callable[[], Values], total: float) -> dict[str, float]:
    """The runs by instance, as soon as all of them are there."""
    deadline = time.monotonic() + 20
    found: dict[str, float] = {}
    while time.monotonic() < deadline and sum(found.values()) != total:
        time.sleep(0.2)
        found = runs(ask())
    return found


@contextmanager
def gunicorn(journal: Path, web: int, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    words = (sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{web}", "--workers", "3", *more, "shop:application")
    env = environment(journal, OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=str(port))
    with subprocess.Popen(words, env=env, cwd=SERVED, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def get(web: int, item: str) -> int:
    """The pid of the worker that answered."""
    for _ in range(100):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{web}/{item}", timeout=10) as answer:
            return int(answer.read().split()[1])
        time.sleep(0.05)
    raise AssertionError("no worker answers")


@pytest.mark.parametrize("more", [(), ("--preload",), ("--preload", "--max-requests", "7")], ids=["sync", "preloaded", "workers that end"])
def test_one_scrape_has_the_runs_of_all_workers(tmp_path: Path, port: int, more: tuple[str, ...]) -> None:
    with gunicorn(tmp_path, port, (scrape_port := free_port()), *more):
        pids = [get(port, f"r{number}") for number in range(40)]
        found = eventually(lambda: scrape(scrape_port), 40)
        assert dict(zip(pids_of(found), found.values(), strict=True)) == {pid: pids.count(pid) for pid in pids}
    assert len(Telemetry(tmp_path).lines("traces")) == 80  # an agent and a step for each request


def test_a_worker_that_is_killed_leaves_what_it_has_counted(tmp_path: Path, port: int) -> None:
    with gunicorn(tmp_path, port, (scrape_port := free_port())):
        pids = [get(port, f"r{number}") for number in range(40)]
        before = eventually(lambda: scrape(scrape_port), 40)
        os.kill(pids[0], signal.SIGKILL)
        assert eventually(lambda: scrape(scrape_port), 40) == before
        get(port, "more")
        assert sum(eventually(lambda: scrape(scrape_port), 41).values()) == 41


LASTING = "import otel_agents as oa\nimport time\nwith oa.agent('a'):\n    pass\ntime.sleep(60)\n"


def test_the_next_process_takes_the_port_when_its_holder_is_killed(tmp_path: Path, port: int) -> None:
    program = written(tmp_path, LASTING)
    env = environment(tmp_path / "journal", OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=str(port))
    with subprocess.Popen([sys.executable, program], env=env) as first:
        assert eventually(lambda: scrape(port), 1)
        with subprocess.Popen([sys.executable, program], env=env) as second:
            assert set(pids_of(eventually(lambda: scrape(port), 2))) == {first.pid, second.pid}
            first.kill()
            first.wait()
            after = scrape(port)
            while not after:
                time.sleep(0.2)
                after = scrape(port)
            assert set(pids_of(runs(after))) == {first.pid, second.pid}
            gauges = [name for name, instance in after if instance.startswith(f"{first.pid}-") and name.startswith("otel_agents_shipper")]
            assert gauges == []  # of the living alone
            second.kill()


def pids_of(found: dict[str, float]) -> list[int]:
    return [int(instance.partition("-")[0]) for instance in found]
