"""A run whose process was killed is one run with the outcome `died`: in the dead process's own counter, at its own destination, once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from counting import deliver, events, next_program, unsent
from figures import Figure_
from otlp_server import Receiver, http_receiver
from processes import environment, ran, written

from otel_agents.otlp.any_value import attributes_of
from otel_agents.testing import Json

OPEN = {"planner": 2, "writer": 1}
PROGRAM = """
import sys, threading
import otel_agents as oa

def run(name):
    with oa.agent(name):
        with oa.step("work"):
            pass
        begun.wait()
        threading.Event().wait()

with oa.agent("planner"):
    pass
begun = threading.Barrier(len(sys.argv))
for name in sys.argv[1:]:
    threading.Thread(target=run, args=(name,), daemon=True).start()
begun.wait()
oa.flush()
print("open", flush=True)
threading.Event().wait()
"""
ADOPTERS = 8


class Point(NamedTuple):
    """One point of `otel_agents.runs` as it came: what it stands in, its labels, itself."""

    around: Json
    labels: Json
    point: Json

    @property
    def series(self) -> tuple[str, str, str]:
        return self.around["resource"]["service.instance.id"], self.labels.get("gen_ai.agent.name", ""), self.labels["otel_agents.outcome"]


def killed(folder: Path, receiver: Receiver, **more: str) -> None:
    """A program that has ended a run, has three open, and is killed."""
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_SERVICE_NAME": "shop", "OTEL_AGENTS_SHIP_INTERVAL": "0.05", **more}
    words = [sys.executable, written(folder, PROGRAM), *Counter(OPEN).elements()]
    with subprocess.Popen(words, env=environment(folder / "journal", **given), stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "open\n"
        program.kill()
    assert program.returncode == -signal.SIGKILL


def runs(receiver: Receiver) -> Iterator[Point]:
    """Every point of the counter of runs that the receiver took."""
    for request in [request for request in receiver.taken if request.signal == "metrics"]:
        for of in request.content["resourceMetrics"]:
            for scope in of["scopeMetrics"]:
                for metric in [metric for metric in scope["metrics"] if metric["name"] == "otel_agents.runs"]:
                    told = {key: value for key, value in metric["sum"].items() if key != "dataPoints"}
                    about = {"resource": attributes_of(of["resource"]), "scope": scope["scope"], **told, "metric": {**metric, "sum": None}}
                    for point in metric["sum"]["dataPoints"]:
                        yield Point(about, attributes_of(point), point)


def counted(points: list[Point]) -> Counter[str]:
    return Counter({one.labels["gen_ai.agent.name"]: int(one.point["asInt"]) for one in points})


def test_many_adopters_count_it_once_as_the_live_counter_would(tmp_path: Path, figure: Figure_) -> None:
    """The same resource, scope, unit, temporality and labels as the run that this process did end."""
    with http_receiver() as receiver:
        killed(tmp_path, receiver, OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=production")
        racing(tmp_path, receiver)
        deliver(tmp_path, receiver)
        points, told = list(runs(receiver)), events(receiver, "otel_agents.run.ended")
    died = [one for one in points if one.labels["otel_agents.outcome"] == "died"]
    alive = next(one for one in points if one.labels == {"gen_ai.agent.name": "planner", "otel_agents.outcome": "ok"})
    ids = {(event["trace"], event["span"]) for event in told if event["otel_agents.outcome"] == "died"}
    total = sum(counted(died).values())
    figure("races", f"{ADOPTERS} programs find the same dead process", f"{total} of {len(ids)} died runs counted, {len(died) - len(OPEN)} points twice", "–")
    assert counted(died) == OPEN
    assert len(died) == len(OPEN)
    assert [one.around for one in died] == [alive.around] * len(OPEN)
    assert [sorted(one.labels) for one in died] == [sorted(alive.labels)] * len(OPEN)
    assert all(int(one.point["timeUnixNano"]) - int(one.point["startTimeUnixNano"]) == 10**9 for one in died)
    assert {(exemplar["traceId"], exemplar["spanId"]) for one in died for exemplar in one.point["exemplars"]} <= ids
    assert len(ids) == sum(OPEN.values())


def racing(folder: Path, receiver: Receiver) -> None:
    """Programs of another service that begin at the same time, each of which would tell what the dead one left."""
    given = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_SERVICE_NAME": "other", "OTEL_AGENTS_SHIP_INTERVAL": "0.05"}
    code = "import time, otel_agents as oa\nwith oa.step('next'):\n    time.sleep(0.5)\n"
    several = [subprocess.Popen([sys.executable, "-c", code], env=environment(folder / "journal", **given)) for _ in range(ADOPTERS)]
    assert [process.wait(60) for process in several] == [0] * ADOPTERS


def test_one_short_program_is_enough(tmp_path: Path) -> None:
    """What it found at its end it also sends: a cron job's death is not told by the run after the next."""
    with http_receiver() as receiver:
        killed(tmp_path, receiver)
        done = ran(tmp_path, "import otel_agents as oa\nwith oa.step('next'):\n    pass\n", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        assert done.said == (0, "", "")
        died = [one for one in runs(receiver) if one.labels["otel_agents.outcome"] == "died"]
        assert counted(died) == OPEN
        assert len([event for event in events(receiver, "otel_agents.run.ended") if event["otel_agents.outcome"] == "died"]) == sum(OPEN.values())
        assert unsent(tmp_path) == []


def test_it_is_counted_where_the_dead_process_sent(tmp_path: Path) -> None:
    """Programs of another destination leave it alone, though they share the folder."""
    with http_receiver() as its_own, http_receiver() as another:
        killed(tmp_path, its_own)
        next_program(tmp_path, another, 0.3)
        assert [one for receiver in (its_own, another) for one in runs(receiver) if one.labels["otel_agents.outcome"] == "died"] == []
        deliver(tmp_path, its_own)
        assert counted([one for one in runs(its_own) if one.labels["otel_agents.outcome"] == "died"]) == OPEN
        assert [one for one in runs(another) if one.labels["otel_agents.outcome"] == "died"] == []


@pytest.mark.parametrize("preference", ["cumulative", "delta", "lowmemory"])
def test_it_is_told_as_the_settings_ask(tmp_path: Path, preference: str) -> None:
    asked = {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}
    with http_receiver() as receiver:
        killed(tmp_path, receiver, **asked)
        next_program(tmp_path, receiver, 0.0, **asked)
        kinds = {one.labels["otel_agents.outcome"]: one.around["aggregationTemporality"] for one in runs(receiver)}
    assert kinds == dict.fromkeys(("ok", "died"), 2 if preference == "cumulative" else 1)


def test_nothing_is_counted_where_nothing_is_measured(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        killed(tmp_path, receiver, OTEL_METRICS_EXPORTER="none")
        next_program(tmp_path, receiver, 0.0, OTEL_METRICS_EXPORTER="none")
        assert list(runs(receiver)) == []
        assert Counter(event["otel_agents.outcome"] for event in events(receiver, "otel_agents.run.ended")) == {"ok": 1, "died": sum(OPEN.values())}


def test_more_agents_than_there_may_be_labels_are_counted_together(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        killed(tmp_path, receiver)
        next_program(tmp_path, receiver, 0.0, OTEL_AGENTS_METRIC_CARDINALITY="1")
        found: Any = counted([one for one in runs(receiver) if one.labels["otel_agents.outcome"] == "died"])
    assert sorted(found) in (["_other", "planner"], ["_other", "writer"])
    assert sum(found.values()) == sum(OPEN.values())
