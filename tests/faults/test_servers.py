"""R3, R16: endpoints that answer everything but what they should, to a whole program: what is lost is counted, by reason, alike wherever it is told."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import pytest
from counting import arrived, busy, deliver, ended, repeated
from figures import Figure_
from otlp_server import OK, Receiver, Reply, Request, http_receiver
from processes import Done, ran, run

from otel_agents.analysis.folder import Folder
from otel_agents.analysis.losses import counted, summed
from otel_agents.cli import checks
from otel_agents.otlp.any_value import attributes_of

pytestmark = pytest.mark.own_attributes("item", "payload")

PROGRAM = """
import sys, time
import otel_agents as oa
for number in range(int(sys.argv[1])):
    with oa.step("work"):
        oa.current().attributes({"item": f"s{number}"})
    time.sleep(0.02)
time.sleep(float(sys.argv[2]))
oa.flush()
"""
ITEMS = 60
SOME_S = 0.4  # how long an endpoint that recovers is out of order, from its first request of a signal on


@dataclass
class Endpoint:
    """One that is out of order for a while, and then well; or, with `always`, never."""

    wrong: Callable[[Request], Reply]
    seconds: float = SOME_S
    began: dict[str, float] = field(default_factory=dict)

    def __call__(self, request: Request) -> Reply:
        began = self.began.setdefault(request.signal, time.monotonic())
        return self.wrong(request) if time.monotonic() - began < self.seconds else OK


def program(folder: Path, receiver: Receiver, *, items: int = ITEMS, waits: float = 1.5, code: str = PROGRAM, **more: str) -> Done:
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.1", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5", **more}
    done = ran(folder, code, str(items), str(waits), **settings)
    assert done.status == 0, done.err
    return done


def told(folder: Path) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """What was lost, by signal and reason: as the metric says it, and as `doctor` does."""
    journal = Folder(folder / "journal")
    return summed(counted(journal)), checks.dropped(journal)


def steps(receiver: Receiver) -> Counter[str]:
    return Counter({name: count for name, count in arrived(receiver).items() if name.startswith("s")})


RECOVERS = {
    "302": (Reply(302, {"Location": "http://127.0.0.1:9/v1/traces"}), "HTTP 302, a redirect, which is not followed"),
    "200 with a web page": (Reply(200, {"Content-Type": "text/html"}, b"<html>sign in</html>", takes=False), "a web page instead of an OTLP answer"),
    "401": (Reply(401), "HTTP 401"),
    "500": (Reply(500), "HTTP 500"),
    "503": (Reply(503), "HTTP 503"),
    "a cut connection": (Reply(cuts=True), "connection cut"),
    "a body that drips": (Reply(body=b"{" + b" " * 10_000 + b"}", drips_s=0.05, takes=False), "no answer in time"),
}


def recovered(folder: Path, case: str) -> tuple[Counter[str], list[str]]:
    """What has arrived, and what the program said."""
    folder.mkdir()
    reply, _ = RECOVERS[case]
    with http_receiver(Endpoint(lambda request: reply)) as receiver:
        done = program(folder, receiver)
        deliver(folder, receiver)
        return steps(receiver), done.err.splitlines()


def test_what_is_not_taken_waits_and_it_is_said_once(tmp_path: Path, figure: Figure_) -> None:
    folders = {case: tmp_path / str(number) for number, case in enumerate(RECOVERS)}
    with ThreadPoolExecutor(3) as pool:
        seen = dict(zip(folders, pool.map(lambda pair: recovered(pair[1], pair[0]), folders.items()), strict=True))
    for case, (came, lines) in seen.items():
        lost = f"{ITEMS - len(came)} of {ITEMS} lost, {repeated(came)} twice"
        figure("R16", case, f"{lost}; said once at its start, once at its end", "counted as success, or dropped silently")
        began, over = (line for line in lines if " traces " in line)
        assert RECOVERS[case][1] in began
        assert "again" in over
        assert not any("127.0.0.1:9" in line for line in lines)  # where the redirect points to
        assert came == Counter(f"s{number}" for number in range(ITEMS))
        assert told(folders[case]) == ({}, {})


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(tmp_path: Path, figure: Figure_, form: str) -> None:
    """Answers of 429, for a while; between one and the next request of that signal lies what it asked for."""
    asked: list[tuple[str, float, float]] = []

    def busy_now(request: Request) -> Reply:
        now = time.time()
        until = now + 1.0 if form == "seconds" else int(now) + 2.0
        asked.append((request.signal, request.at, request.at + until - now))
        return Reply(429, {"Retry-After": "1" if form == "seconds" else formatdate(until, usegmt=True)})

    with http_receiver(Endpoint(busy_now, seconds=0.1)) as receiver:
        program(tmp_path, receiver, waits=2.5)
        early = [
            (signal, at, request.at)
            for signal, at, until in asked
            for request in receiver.requests
            if request.signal == signal and at < request.at < until - 0.05
        ]
        came = steps(receiver)
    figure("R16", f"429, Retry-After in {form}", f"{len(early)} requests too early, {ITEMS - len(came)} of {ITEMS} lost", "dropped silently")
    assert asked
    assert early == []
    assert came == Counter(f"s{number}" for number in range(ITEMS))


def test_partial_success_is_counted(tmp_path: Path, figure: Figure_) -> None:
    rejected: Counter[str] = Counter()

    def answer(request: Request) -> Reply:
        if request.signal != "traces" or not request.items:
            return OK
        some = (len(request.items) + 1) // 2
        rejected[request.signal] += some
        return Reply(body=json.dumps({"partialSuccess": {"rejectedSpans": str(some), "errorMessage": "as the test says"}}).encode())

    with http_receiver(answer) as receiver:
        program(tmp_path, receiver, waits=0.0)
    check_counts(tmp_path, figure, "partial_success", {("traces", "rejected"): rejected["traces"]})


def check_counts(folder: Path, figure: Figure_, case: str, own: dict[tuple[str, str], int]) -> None:
    """The metric and `doctor` say what the stand-in has counted."""
    metric, doctor = told(folder)
    figure("R16", case, f"stand-in counts {sum(own.values())}, metric {sum(metric.values())}, doctor {sum(doctor.values())}", "dropped silently")
    assert (metric, doctor) == (own, own)


def test_413_is_split_and_what_is_too_large_alone_is_cut(tmp_path: Path, figure: Figure_) -> None:
    largest = 20_000
    code = PROGRAM.replace("""{"item": f"s{number}"}""", """{"item": f"s{number}", "payload": "x" * (200_000 if number == 7 else 4_000)}""")
    with http_receiver(lambda request: Reply(413) if len(request.body) > largest else OK) as receiver:
        program(tmp_path, receiver, waits=0.5, code=code)
        deliver(tmp_path, receiver)
        came, most = steps(receiver), max(len(request.body) for request in receiver.taken)
    figure("R16", "413, one item too large alone", f"{ITEMS - len(came)} of {ITEMS} lost, {repeated(came)} twice, the large one cut", "dropped silently")
    assert came == Counter(f"s{number}" for number in range(ITEMS))
    assert most <= largest
    assert told(tmp_path) == ({}, {})


def test_413_for_whatever_size_is_counted(tmp_path: Path, figure: Figure_) -> None:
    hated: set[str] = set()

    def answer(request: Request) -> Reply:
        hated.update(item["spanId"] for item in request.items if request.signal == "traces" and attributes_of(item).get("item") == "s7")
        return Reply(413) if any(item.get("spanId") in hated for item in request.items) else OK

    with http_receiver(answer) as receiver:
        program(tmp_path, receiver, waits=0.5)
        came = steps(receiver)
    assert len(came) == ITEMS - 1
    check_counts(tmp_path, figure, "413 to a single small item", {("traces", "too_large"): 1})


def test_a_poison_item_is_counted_and_harms_no_other(tmp_path: Path, figure: Figure_) -> None:
    with http_receiver(lambda request: Reply(400) if b'"s7"' in request.body else OK) as receiver:
        program(tmp_path, receiver, waits=0.5)
        came = steps(receiver)
    assert len(came) == ITEMS - 1
    check_counts(tmp_path, figure, "400 to one item", {("traces", "rejected"): 1})


def test_the_command_says_the_same(tmp_path: Path) -> None:
    with http_receiver(lambda request: Reply(400) if b'"s7"' in request.body else OK) as receiver:
        program(tmp_path, receiver, items=10, waits=0.5)
        done = run("-m", "otel_agents", "doctor", "--json", "--offline", journal=tmp_path / "journal", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    assert json.loads(done.out)["lost"] == [{"signal": "traces", "reason": "rejected", "count": 1}]


@pytest.mark.parametrize("rate", [100.0, 1000.0])
def test_an_outage_in_the_middle(tmp_path: Path, figure: Figure_, rate: float, outage_s: float) -> None:
    """Refused, hanging, 503, cut, answered but not heard: one after another; duplicates are only what had been taken without its answer arriving."""
    unheard: Counter[str] = Counter()
    replies = [Reply(503), Reply(hangs=True), Reply(cuts=True), Reply(502), Reply(cuts=True, takes=True)]
    began = time.monotonic()

    def answer(request: Request) -> Reply:
        at = time.monotonic() - began - 1.0
        reply = replies[int(at / outage_s * len(replies))] if 0 <= at < outage_s else OK
        if reply.takes and request.signal == "traces":
            unheard.update(value["stringValue"] for item in request.items for one in item["attributes"] if one["key"] == "item" for value in [one["value"]])
        return reply

    with http_receiver(answer) as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.1", "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5"}
        with busy(tmp_path, settings=settings, seconds=outage_s + 2.0, rate=rate / 4, threads=2, tasks=2, logs=0) as process:
            process.communicate(timeout=outage_s + 60)
        deliver(tmp_path, receiver)
        came, said = arrived(receiver), ended(tmp_path)
    lost, twice = said - came, came - said
    figure(
        "R3",
        f"{outage_s:g} s outage in the middle, {rate:g}/s",
        f"{lost.total()} of {said.total():,} lost, {twice.total()} twice, all of them taken without an answer",
        "~1,020 of 5,000 lost",
    )
    assert lost == Counter()
    assert twice <= unheard
    assert said.total() > rate * outage_s * 0.5
