"""Runs in progress are known wherever their process dies."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from otlp_server import http_receiver
from rig import RESOURCE, Rig

from otel_agents.journal.encode import Lines
from otel_agents.journal.files import locked
from otel_agents.journal.points import series_of
from otel_agents.journal.runs import Died
from otel_agents.otlp.any_value import attributes_of
from otel_agents.telemetry.metrics import Instruments, died_runs
from otel_agents.telemetry.series import CUMULATIVE, Aggregation

MakeRig = Callable[..., Rig]
LINES = Lines(lambda text, name="": text)
TRACE = "5b8efff798038103d269b633813fc60c"


def event(word: str, span: str, resource: Resource = RESOURCE) -> bytes:
    """A record of a run, with an attribute that looks like one."""
    looks_like = {"key": "spanId", "value": {"stringValue": f'"eventName":"otel_agents.run.ended","spanId":"{span}"'}}
    record = {"timeUnixNano": "5", "attributes": [looks_like], "eventName": f"otel_agents.run.{word}", "traceId": TRACE, "spanId": span}
    return LINES.line("logs", json.dumps(record, separators=(",", ":")).encode(), resource, None)


def span(name: str, end: int) -> bytes:
    record = {"traceId": TRACE, "spanId": f"{end:016x}", "name": name, "endTimeUnixNano": str(end)}
    return LINES.line("traces", json.dumps(record, separators=(",", ":")).encode(), RESOURCE, None)


def counted(runs: list[Died], found_at: int) -> list[bytes]:
    """The died runs as the pipeline counts them."""
    return list(series_of(died_runs(Instruments(Aggregation(0)), runs, found_at, CUMULATIVE), LINES.redact))


def taken(receiver: Any) -> list[tuple[str, str]]:
    return [(item["eventName"].rpartition(".")[2], item["spanId"].lstrip("0")) for item in receiver.items("logs")]


def adopt(one: Rig) -> None:
    for _ in range(2):  # what the adopter writes goes out with the next round
        one.shipper._adopter._next_scan = 0.0
        one.shipper.run_once()


def test_a_new_segment_tells_again_which_runs_are_open_and_none_is_sent_again(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url, rotate_bytes=1)
        for line in (event("started", "a".zfill(16)), event("started", "b".zfill(16)), event("ended", "a".zfill(16)), event("started", "c".zfill(16))):
            one.journal.append("logs", line)
        heads = [sum(line.startswith(b" ") for line in segment.path.read_bytes().splitlines()) for segment in one.journal.segments("logs")]
        one.shipper.run_once()
        assert taken(receiver) == [("started", "a"), ("started", "b"), ("ended", "a"), ("started", "c")]
    assert heads == [0, 1, 1, 1]
    assert one.dropped == {}


def test_no_two_segments_begin_alike_however_much_is_told_again(rig: MakeRig) -> None:
    """A Collector knows a file by its first 1,000 bytes."""
    one = rig(None, rotate_bytes=1)
    for number in range(70):
        one.journal.append("logs", event("started", f"{number:016x}"))
    beginnings = [segment.path.read_bytes()[:1000] for segment in one.journal.segments("logs")]
    assert len(beginnings) == len(set(beginnings)) == 70
    assert all(beginning.startswith(b" ") for beginning in beginnings[1:])


def test_what_a_dead_process_had_open_is_ended_once_in_its_place(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one, other = rig(receiver.url, rotate_bytes=1), rig(receiver.url)
        journal = one.journal
        for name, end in (("first", 7), ("last", 9)):
            journal.append("traces", span(name, end))
        for line in (event("started", "a".zfill(16)), event("started", "b".zfill(16)), event("ended", "a".zfill(16)), event("started", "c".zfill(16))):
            journal.append("logs", line)
        journal.close()
        for _ in range(3):
            adopt(other)
        assert sorted(taken(receiver)) == sorted([("started", "a"), ("started", "b"), ("ended", "a"), ("started", "c"), ("ended", "b"), ("ended", "c")])
        closing = [item for item in receiver.items("logs") if item["attributes"][-1]["key"] == "otel_agents.last_step"]
    assert [(item["spanId"], item["timeUnixNano"]) for item in closing] == [("b".zfill(16), "9"), ("c".zfill(16), "9")]
    assert closing[0]["attributes"][-2:] == [
        {"key": "otel_agents.outcome", "value": {"stringValue": "died"}},
        {"key": "otel_agents.last_step", "value": {"stringValue": "last"}},
    ]


def metrics(receiver: Any) -> list[tuple[dict[str, Any], Any]]:
    """What was taken: the attributes of each resource, its metric."""
    found = [of for request in receiver.taken if request.signal == "metrics" for of in request.content["resourceMetrics"]]
    return [(attributes_of(of["resource"]), metric) for of in found for scope in of["scopeMetrics"] for metric in scope["metrics"]]


@pytest.mark.parametrize("given", ["", "web", "web-{owner}"], ids=["none", "one for all processes", "its own"])
def test_what_died_is_counted_for_its_process_alone(rig: MakeRig, given: str) -> None:
    with http_receiver() as receiver:
        one, other = rig(receiver.url), rig(receiver.url, count=counted)
        of = RESOURCE.merge(Resource({"service.instance.id": given.format(owner=one.journal.owner)})) if given else RESOURCE
        for number in range(3):
            one.journal.append("logs", event("started", f"{number:016x}", of))
        one.journal.close()
        adopt(other)
        [(resource, metric)] = metrics(receiver)
    assert resource == {"service.name": "rig", "service.instance.id": f"web-{one.journal.owner}" if given else one.journal.owner}
    [point] = metric["sum"].pop("dataPoints")
    assert metric == {
        "name": "otel_agents.runs",
        "description": "Agent runs by outcome.",
        "unit": "{run}",
        "sum": {"aggregationTemporality": 2, "isMonotonic": True},
    }
    assert (point["asInt"], attributes_of(point)) == ("3", {"otel_agents.outcome": "died"})


@pytest.mark.parametrize("lines", range(1, 4))
def test_an_adopter_that_dies_over_it_makes_nothing_count_twice(rig: MakeRig, lines: int) -> None:
    """It is killed after so many lines, of two that close runs and one that counts them: the next one writes the same again."""
    with http_receiver() as receiver:
        one, other = rig(receiver.url), rig(receiver.url, count=counted)
        for span in ("a", "b"):
            one.journal.append("logs", event("started", span.zfill(16)))
        one.journal.close()
        pid = os.fork()
        if not pid:
            killed_after(lines, other)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        for _ in range(2):
            adopt(other)
        closing = [json.dumps(item) for item in receiver.items("logs") if item["eventName"] == "otel_agents.run.ended"]
        points = [json.dumps(point) for _, metric in metrics(receiver) for point in metric["sum"]["dataPoints"]]
    assert (len(closing), len(set(closing))) == (2 + min(lines, 2), 2)
    assert (len(points), len(set(points))) == (1 + (lines == 3), 1)


def killed_after(lines: int, one: Rig) -> None:
    """In a child, which is a process of its own: adopt until so many lines are written."""
    one.journal.after_fork_in_child()
    one.shipper.after_fork_in_child()
    append, written = one.journal.append, iter(range(lines, 0, -1))

    def append_and_die(name: str, line: bytes) -> None:
        append(name, line)
        if next(written) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    one.shipper._adopter._append = append_and_die
    adopt(one)
    os._exit(0)


def test_a_segment_with_a_successor_closes_nothing(rig: MakeRig) -> None:
    """The run ends in the second segment, which is adopted first."""
    with http_receiver() as receiver:
        one, other = rig(receiver.url, rotate_bytes=1), rig(receiver.url)
        one.journal.append("logs", event("started", "a".zfill(16)))
        one.journal.append("logs", event("ended", "a".zfill(16)))
        first, second = (segment.path for segment in one.journal.segments("logs"))
        held = os.open(first, os.O_RDONLY)
        one.journal.close()
        os.rename(first, hidden := first.with_suffix(".hidden"))
        adopt(other)
        assert second.with_name(second.name.replace(".jsonl", ".sent.jsonl")).exists()
        os.rename(hidden, first)
        adopt(other)
        os.close(held)
        assert sorted(taken(receiver)) == [("ended", "a"), ("started", "a")]


def test_what_is_told_again_is_no_loss(rig: MakeRig, tmp_path: Path) -> None:
    """A segment that goes for the cap counts what was only in it."""
    one = rig("http://127.0.0.1:9", rotate_bytes=1)
    one.journal.append("logs", event("started", "a".zfill(16)))
    one.journal.append("logs", event("started", "b".zfill(16)))
    second = one.journal.segments("logs")[1]
    one.journal.seal()
    assert one.journal.drop_own(second.path, "cap")
    assert one.dropped == {("logs", "cap"): 1}
    assert locked(second.path) is None
