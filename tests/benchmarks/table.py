"""`python -m tests.benchmarks [--rounds 5] [--brief] [name ...]`: our cost as ratios to the plain SDK's within one run. Exit status 1 when a bar is missed.

Names: off, sampled, turn, litellm, start, paced, flat, import. Needs no network; takes a few minutes; what else runs on the machine blurs it, which is why
the sides take turns and only ratios are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from measure import Figures, compare, environment, run
from sink import Sink, served, sink

OURS_AND_PLAIN = ("ours", "plain")
OFF = {"OTEL_AGENTS_ENABLED": "false"}
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One measured thing: `value` is a ratio unless the name says otherwise; `bar` must be met, `goal` is aimed at."""

    name: str
    value: float
    bar: float
    goal: float | None
    detail: str
    at_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def line(self) -> str:
        sign, goal = ("≥" if self.at_least else "≤"), "" if self.goal is None else f"(goal {self.goal:g})"
        return f"{self.name:52} {self.value:8.3f}  {sign} {self.bar:<5g} {goal:12} {'ok    ' if self.is_met else 'MISSED'}  {self.detail}"


@dataclass(frozen=True)
class Bench:
    """Where things are sent, and how thorough to be: `scale` times the usual load."""

    sink: Sink
    rounds: int
    scale: float = 1.0

    def count(self, usual: int) -> int:
        return max(1, int(usual * self.scale))


def microseconds(sides: Mapping[str, Figures], name: str = "us") -> str:
    return " · ".join(f"{side} {figures[name]:.1f}" for side, figures in sides.items()) + " µs"


def ratio(sides: Mapping[str, Figures], name: str = "us", other: str = "plain") -> float:
    return sides["ours"][name] / sides[other][name]


# ------------------------------------------------------------------------------------------------ the rows


def off(bench: Bench) -> Iterator[Row]:
    """What a decoration adds to a call while nothing is on, to what the SDK's non-recording span adds."""
    sides = compare("off", OURS_AND_PLAIN, bench.rounds, extra={"ours": OFF}, count=bench.count(100_000))
    for colour in ("sync", "coroutine", "generator", "async generator"):
        bar, goal = (0.2, None) if colour == "async generator" else (0.06, 0.04)
        yield Row(f"off: {colour}", ratio(sides, colour), bar, goal, microseconds(sides, colour))


def sampled(bench: Bench) -> Iterator[Row]:
    """A tool's call of which no span is kept: for a child of an unsampled parent, for six of them below a root (7 spans), and for a root alone."""
    for metrics, word in ((False, "metrics off"), (True, "metrics on")):
        ours = {} if metrics else {"OTEL_METRICS_EXPORTER": "none"}
        for sampler in ("parentbased_always_off", "always_off"):
            extra = {"ours": {"OTEL_TRACES_SAMPLER": sampler, **ours}, "plain": {"OTEL_TRACES_SAMPLER": sampler}}
            sides = compare("sampled out", OURS_AND_PLAIN, bench.rounds, bench.sink.url, extra, count=bench.count(5_000), metrics=metrics)
            for place, told in (("child", "a child"), ("turn", "7 spans"), ("root", "a root")):
                goal = 0.15 if place == "child" and not metrics else None
                yield Row(f"{sampler}, {word}: {told}", ratio(sides, place), 1.0, goal, microseconds(sides, place))
    bench.sink.counts()


def turn(bench: Bench) -> Iterator[Row]:
    """A turn of 7 spans to the wire; the plain SDK with 9 points and 7 log records, and with the 27 and 8 that ours has."""
    sides = compare("turns", ("ours", "plain", "full"), bench.rounds, bench.sink.url, count=bench.count(300))
    yield Row("a turn, durable; SDK: 9 points, 7 logs", ratio(sides), 0.8, 0.5, microseconds(sides))
    yield Row("a turn, durable; SDK: the same 27 points, 8 logs", ratio(sides, other="full"), 0.8, 0.5, "")
    bench.sink.counts()


def litellm(bench: Bench) -> Iterator[Row]:
    """Three completions: what we add to bare litellm, to what its own `otel` callback adds with metrics and events on, as ours are; and spans alone."""
    spans = {"OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": bench.sink.url}
    all_three = {**spans, "LITELLM_OTEL_INTEGRATION_ENABLE_METRICS": "true", "LITELLM_OTEL_INTEGRATION_ENABLE_EVENTS": "true"}
    with served(HERE / "model.py") as url:
        extra = {"plain": spans, "full": all_three}
        sides = compare("litellm", ("bare", *OURS_AND_PLAIN, "full"), bench.rounds, bench.sink.url, extra, count=bench.count(25), model_url=url)
    added = {side: sides[side]["us"] - sides["bare"]["us"] for side in sides}
    yield Row("three litellm calls, added; its otel: all signals", added["ours"] / added["full"], 0.5, 0.35, microseconds(sides))
    yield Row("three litellm calls, added; its otel: spans only", added["ours"] / added["plain"], 0.5, 0.35, "")
    bench.sink.counts()


def start(bench: Bench) -> Iterator[Row]:
    """One span and out: CPU of the whole process."""
    sides = compare("start", ("bare", *OURS_AND_PLAIN), bench.rounds, bench.sink.url)
    yield Row("start: one span and out, whole process", ratio(sides, "process_us"), 1.2, 1.0, microseconds(sides, "process_us"))
    bench.sink.counts()


def paced(bench: Bench) -> Iterator[Row]:
    """200 turns a second: how much later the program's own work is done, at the 95th percentile; to the SDK with 9 points and 7 log records, and with ours."""
    sides = compare("paced", ("bare", "ours", "plain", "full"), bench.rounds, bench.sink.url, seconds=max(1.0, 5 * bench.scale), rate=200)
    added = {side: sides[side]["p95"] - sides["bare"]["p95"] for side in sides}
    told = " · ".join(f"{side} {figures['p95']:.3f}" for side, figures in sides.items()) + " ms"
    yield Row("p95 of own work, 200 turns/s; SDK: 9 points, 7 logs", added["ours"] / max(added["plain"], 1e-6), 0.5, 0.2, told)
    yield Row("p95 of own work; SDK: the same 27 points, 8 logs", added["ours"] / max(added["full"], 1e-6), 0.5, 0.2, "")
    bench.sink.counts()


def flat(bench: Bench) -> Iterator[Row]:
    """20,000 spans as fast as they go: the part of them that arrives."""
    count, arrived = bench.count(20_000), {}
    bench.sink.counts()
    for side in OURS_AND_PLAIN:
        run("flat out", side, bench.sink.url, count=count)
        arrived[side] = bench.sink.counts()["traces"]
    told = " · ".join(f"{side} {number:,}" for side, number in arrived.items())
    yield Row("flat out: part delivered", arrived["ours"] / count, 1.0, None, f"{told} of {count:,}", at_least=True)


def imports(bench: Bench) -> Iterator[Row]:
    """Milliseconds for `import otel_agents`, and with the first verb."""
    told = [json.loads(printed) for printed in (_imports() for _ in range(bench.rounds))]
    heavy = sorted({name for one in told for name in one["heavy"]})
    yield Row("import otel_agents, ms", median(one["import"] for one in told), 30, None, f"brings {', '.join(heavy) or 'nothing heavy'}")
    yield Row("import otel_agents; otel_agents.agent, ms", median(one["verbs"] for one in told), 300, None, "")


def _imports() -> str:
    command = [sys.executable, "-S", str(HERE / "imports.py")]  # without site, whose line of ours imports the package before we can look
    here = {**environment("bare", "", "", OFF), "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=here, capture_output=True, text=True, check=True).stdout


ROWS: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "off": off, "sampled": sampled, "turn": turn, "litellm": litellm, "start": start, "paced": paced, "flat": flat, "import": imports,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*ROWS, []], help="which to run; all of them without a name")
    parser.add_argument("--rounds", type=int, default=5, help="processes a side (default 5)")
    parser.add_argument("--brief", action="store_true", help="a tenth of the load, one round: only to see that it works")
    chosen = parser.parse_args(arguments)
    missed = 0
    with sink() as taking:
        bench = Bench(taking, 1 if chosen.brief else chosen.rounds, 0.1 if chosen.brief else 1.0)
        for name in chosen.names or ROWS:
            for row in ROWS[name](bench):
                print(row.line(), flush=True)
                missed += not row.is_met
    return 1 if missed else 0
