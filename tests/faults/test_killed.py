"""R5, R6: programs under load, with threads, an asyncio loop and forked workers alive, killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from counting import arrived, busy, deliver, ended, events, kept, next_program, repeated
from figures import Figure_
from otlp_server import http_receiver

pytestmark = pytest.mark.own_attributes("item")
PROCESSES = 4  # of a program: itself and three forked workers
LOAD = {"threads": 2, "tasks": 2, "workers": PROCESSES - 1}
ROUNDS = 12
TOGETHER = 2


def killed(folder: Path, by: signal.Signals, *, whole_group: bool, rate: float, **settings: str) -> None:
    """One program, killed at a random moment after it has begun to work; with its workers at once, or each at a moment of its own."""
    folder.mkdir()
    with busy(folder, settings=settings, rate=rate, **LOAD) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "up\n"
            time.sleep(random.uniform(0.0, 0.6))
            members = [program.pid] if whole_group else group(program.pid)
            for pid in random.sample(members, len(members)):
                os.kill(-pid if whole_group else pid, by)
                time.sleep(0.0 if whole_group else random.uniform(0.0, 0.05))
            if whole_group:
                program.wait(20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)  # a worker that was not born when the others were listed; all of them, where something went wrong
        program.wait(20)
    assert program.returncode in (-by, -signal.SIGKILL), program.returncode


def group(leader: int) -> list[int]:
    """The processes of a group, as the system knows them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda by: by.name)
@pytest.mark.parametrize("rate", [5.0, 200.0, 0.0], ids=["5/s", "200/s", "as fast as it goes"])
def test_what_had_ended_is_on_disk(tmp_path: Path, figure: Figure_, by: signal.Signals, rate: float) -> None:
    rounds = ROUNDS if by is signal.SIGKILL else ROUNDS // 2
    folders = [tmp_path / str(number) for number in range(rounds)]
    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(lambda pair: killed(pair[1], by, whole_group=pair[0] % 2 == 0, rate=rate), enumerate(folders)))
    said = [(ended(folder, name), kept(folder, name)) for folder in folders for name in ("traces", "logs")]
    lost, items = sum(((one - other).total() for one, other in said), 0), sum(one.total() for one, _ in said)
    figure(
        "R5" if by is signal.SIGKILL else "R6",
        f"{by.name}, {f'{rate:g} steps/s a lane' if rate else 'as fast as it goes'}, threads, asyncio and forked workers alive",
        f"{lost} of {items:,} ended spans and logs lost, {rounds * PROCESSES} processes killed",
        "up to 376 ended spans, and always the open root",
    )
    assert lost == 0
    assert [repeated(found) for _, found in said] == [0] * len(said)
    assert items > rounds * PROCESSES


def test_what_had_ended_arrives_and_open_runs_are_reported_as_died(tmp_path: Path, figure: Figure_) -> None:
    """Each process of each program had one run open for each of its lanes; the next program closes them, once, with the last step."""
    rounds, lanes = 6, PROCESSES * (LOAD["threads"] + LOAD["tasks"])
    with http_receiver() as receiver:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.05"}
        folders = [tmp_path / str(number) for number in range(rounds)]
        for number, folder in enumerate(folders):
            killed(folder, signal.SIGKILL, whole_group=number % 2 == 0, rate=50.0, **settings)
            deliver(folder, receiver)
            next_program(folder, receiver)  # says nothing anew
        said = sum((ended(folder) for folder in folders), Counter[str]())
        came, died = arrived(receiver), [event for event in events(receiver, "otel_agents.run.ended") if event["otel_agents.outcome"] == "died"]
        started, over = (events(receiver, f"otel_agents.run.{name}") for name in ("started", "ended"))
    answered = {event["span"] for event in over}
    unanswered, twice = [event for event in started if event["span"] not in answered], len(died) - len({event["span"] for event in died})
    figure("R5", "SIGKILL with an endpoint, the next program delivers", f"{(said - came).total()} of {said.total():,} ended spans lost", "up to 376 lost")
    figure(
        "R5",
        "runs that were open",
        f"{len(died) - twice} of {rounds * lanes} reported as died, {sum('otel_agents.last_step' in event for event in died)} with a last step, {twice} twice",
        "the open root is always lost",
    )
    assert said - came == Counter()
    assert (unanswered, twice) == ([], 0)
    assert rounds * lanes * 0.8 <= len(died) <= rounds * lanes  # one that was killed before its lane had begun left no run open
    assert {event.get("otel_agents.last_step", "step work") for event in died} == {"step work"}
    steps = Counter(item["traceId"] for item in receiver.items("traces") if item["name"] == "step work")
    assert [event["span"] for event in died if ("otel_agents.last_step" in event) is not (event["trace"] in steps)] == []
