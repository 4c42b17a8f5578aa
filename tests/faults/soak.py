"""The long run: `python -m tests.faults.soak --minutes 20`.

Four programs with threads and asyncio record 200 steps a second each, and logs; their endpoint goes away, hangs, answers 429, takes requests without an
answer, and comes back at random; they are killed and started again at random, but one. At the end everything that had ended must have arrived; what arrived
twice must have been in a request whose answer was not heard, or that a kill hit between the answer and the offset.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "journal"), str(Path(__file__).parent)]

from counting import ITEM, Names, busy, ended, next_program, unsent  # noqa: E402 - the path comes first: this is a command, too
from otlp_server import OK, Receiver, Reply, Request, http_receiver  # noqa: E402

MIB = 2**20
PROGRAMS, RATE, LANES = 4, 200.0, 4
CAP = 256 * MIB  # what twenty minutes without an endpoint would fill is more; an outage here lasts seconds
SAVED_S = 0.5  # from an answer to its offset on a busy machine, at most
UNHEARD = Reply(cuts=True, takes=True)
MODES = {"up": OK, "hangs": Reply(hangs=True), "429": Reply(429, {"Retry-After": "1"}), "503": Reply(503), "cut": Reply(cuts=True), "unheard": UNHEARD}
WEIGHTS = {"up": 6, "away": 2, "hangs": 1, "429": 1, "503": 1, "cut": 1, "unheard": 1}


@dataclass
class Record:
    """The stand-in's own record: what it took, what it answered to, and when."""

    came: dict[str, Names] = field(default_factory=lambda: {"traces": Counter(), "logs": Counter()})
    unheard: set[str] = field(default_factory=set)
    answered: list[tuple[float, list[str]]] = field(default_factory=list)
    requests: int = 0

    def take(self, request: Request, *, heard: bool) -> None:
        names = [name.decode() for name in ITEM.findall(request.body)]
        self.requests += 1
        self.came.setdefault(request.signal, Counter()).update(names)
        if heard:
            self.answered.append((request.at, names))
        else:
            self.unheard.update(names)

    def at_risk(self, kills: list[float]) -> set[str]:
        """Items of requests after whose answer a process was killed before it can have saved its offset."""
        return {name for at, names in self.answered if any(at - SAVED_S <= kill <= at + SAVED_S for kill in kills) for name in names}


class StandIn:
    """An endpoint that is in another mode every few seconds."""

    def __init__(self, seed: random.Random) -> None:
        self.record, self.random, self.seen = Record(), seed, Counter[str]()
        with http_receiver() as receiver:
            self.port = int(receiver.url.rpartition(":")[2])

    @contextmanager
    def mode(self, name: str) -> Iterator[Receiver | None]:
        self.seen[name] += 1
        if name == "away":
            yield None
            return
        held: list[Receiver] = []

        def answer(request: Request) -> Reply:
            reply = MODES["cut"] if held[0].closing.is_set() else MODES[name]
            if reply.is_taken:
                self.record.take(request, heard=not reply.cuts)
            held[0].requests.clear()
            held[0].taken.clear()
            return reply

        with ExitStack() as stack:
            receiver = stack.enter_context(http_receiver(lambda request: answer(request), port=self.port))
            held.append(receiver)
            yield receiver

    def some_mode(self) -> str:
        return self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]


@dataclass
class Result:
    """What was seen."""

    ended: int = 0
    lost: int = 0
    twice: int = 0
    unexplained: int = 0
    kills: int = 0
    requests: int = 0
    modes: dict[str, int] = field(default_factory=dict)
    most_bytes: int = 0
    grown: int = 0
    largest: int = 0

    def __str__(self) -> str:
        return (
            f"{self.lost} of {self.ended:,} items lost, {self.twice:,} twice, {self.unexplained} of them unexplained; {self.kills} kills, "
            f"{self.requests:,} requests taken, RSS +{self.grown / MIB:.1f} MiB, disk at most {self.most_bytes / MIB:.0f} MiB"
        )


class Soak:
    def __init__(self, folder: Path, minutes: float, seed: int) -> None:
        self.folder, self.seconds, self.random = folder, minutes * 60, random.Random(seed)
        self.stand_in = StandIn(self.random)
        self.result, self.kills = Result(), list[float]()
        self.programs: list[Popen[str]] = []

    def start(self, number: int) -> Popen[str]:
        url = f"http://127.0.0.1:{self.stand_in.port}"
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_AGENTS_JOURNAL_MAX_BYTES": str(CAP),
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
            "OTEL_AGENTS_SHIP_INTERVAL": "0.5",
        }
        return busy(self.folder, settings=settings, name=f"p{number}", rate=RATE / LANES, threads=LANES // 2, tasks=LANES // 2, logs=10)

    def run(self) -> Result:
        self.programs = [self.start(number) for number in range(PROGRAMS)]
        began, early = time.monotonic(), 0
        try:
            while (passed := time.monotonic() - began) < self.seconds:
                with self.stand_in.mode(self.stand_in.some_mode()):
                    self.go_on(self.random.uniform(1.0, 5.0))
                if not early and passed > min(60.0, self.seconds / 3):
                    early = resident(self.programs[0].pid)
            self.result.grown = resident(self.programs[0].pid) - early
        finally:
            for number in range(PROGRAMS):
                self.kill(number)
        with self.stand_in.mode("up") as receiver:
            assert receiver is not None
            self.settle(receiver)
        return self.judged()

    def go_on(self, seconds: float) -> None:
        """Look at disk and memory, and kill a program now and then, for this time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.2)
            self.result.most_bytes = max(self.result.most_bytes, sum(sizes(self.folder / "journal")))
            self.result.largest = max(self.result.largest, *(resident(program.pid) for program in self.programs))
            if self.random.random() < 0.05:
                number = self.random.randrange(1, PROGRAMS)
                self.kill(number)
                self.programs[number] = self.start(number)

    def kill(self, number: int) -> None:
        program = self.programs[number]
        os.kill(program.pid, self.random.choice([signal.SIGKILL, signal.SIGTERM]))
        self.kills.append(time.monotonic())
        program.wait(20)
        if program.stdout is not None:
            program.stdout.close()

    def settle(self, receiver: Receiver) -> None:
        for _ in range(40):
            next_program(self.folder, receiver, 1.0)
            if not unsent(self.folder):
                return
        raise AssertionError(f"left: {unsent(self.folder)}")

    def judged(self) -> Result:
        record, result = self.stand_in.record, self.result
        excused = record.unheard | record.at_risk(self.kills)
        for name in ("traces", "logs"):
            said, came = ended(self.folder, name), record.came[name]
            again = {item for item, count in came.items() if count > 1}
            result.ended += said.total()
            result.lost += (said - came).total()
            result.twice += len(again)
            result.unexplained += len(again - excused)
        result.kills, result.requests, result.modes = len(self.kills), record.requests, dict(self.stand_in.seen)
        return result


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def sizes(folder: Path) -> Iterator[int]:
    for path in folder.glob("*/*"):
        try:
            yield path.stat().st_size
        except OSError:
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=None, help="to repeat a run's choices, though not its moments")
    given: Any = parser.parse_args()
    seed = given.seed if given.seed is not None else random.randrange(2**32)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        result = Soak(Path(folder), given.minutes, seed).run()
    print(f"seed {seed}; modes {result.modes}\n{result}")
    raise SystemExit(bool(result.lost or result.unexplained or result.grown > 20 * MIB or result.most_bytes > CAP))


if __name__ == "__main__":
    main()
