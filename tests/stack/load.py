"""How much programs → Collector → stores sustain on this machine without a growing queue:  python -m tests.stack.load [--seconds N] [--rates …]

It starts a stack of its own, lets programs make agent runs at a rising rate (each: a run, a model call with content, two tool calls, a log line; metrics
beside them), and takes the highest rate at which, at the end, journals are shipped and no queue of the Collector grows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from otel_agents.stack.home import Home
from otel_agents.stack.native import Native
from otel_agents.stack.stores import Stores

PROGRAM = """
import logging, sys, time
import otel_agents as oa
rate, seconds, text = float(sys.argv[1]), float(sys.argv[2]), "word " * int(sys.argv[3])
logger = logging.getLogger("load")
@oa.llm(model="gpt-4o-mini", provider="openai")
def ask(question):
    oa.current().usage(input_tokens=1000, output_tokens=100)
    return question
@oa.tool
def look_up(what):
    return what
@oa.agent(name="load")
def run():
    look_up("this"); look_up("that")
    logger.warning("asking")
    return ask(text)
began, done = time.monotonic(), 0
while (now := time.monotonic() - began) < seconds:
    if done < now * rate:
        run(); done += 1
    else:
        time.sleep(min(0.01, done / rate - now))
print(done)
"""
WORDS = 400  # 2 kB of prompt and as much of answer
ITEMS_A_RUN = 10  # spans 4, events and log lines 6
SETTLED_S = 3.0


@dataclass(frozen=True)
class Measured:
    """One rate: items and MB a second that went through, whether queues grew, seconds until all was stored after the programs' end, CPU seconds by server."""

    asked_runs: float
    made_runs: float
    items: float
    megabytes: float
    queue_middle: float
    queue_end: float
    drained_s: float
    cpu: dict[str, float]

    @property
    def is_sustained(self) -> bool:
        """The programs kept up, and in the second half no more than two seconds' worth was added to the queues, which were empty soon after."""
        is_growing = self.queue_end - self.queue_middle > 2e6 * self.megabytes
        return self.made_runs >= 0.95 * self.asked_runs and self.drained_s < SETTLED_S and not is_growing


def measure(stack: Native, rate: float, seconds: float, programs: int, folder: Path) -> Measured:
    stores, before_cpu = stack.stores(), cpu_of(stack)
    before, began = taken(stores), time.monotonic()
    given = {
        **os.environ,
        "OTEL_AGENTS_ENABLED": "true",
        "OTEL_AGENTS_CONTENT": "full",
        "OTEL_EXPORTER_OTLP_ENDPOINT": stores.otlp,
        "OTEL_AGENTS_METRIC_INTERVAL": "5s",
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(rate / programs), str(seconds), str(WORDS)],
            env={**given, "OTEL_AGENTS_JOURNAL_DIR": str(folder / f"{rate}-{number}")},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for number in range(programs)
    ]
    time.sleep(seconds / 2)
    middle = queued(stores)
    runs = sum(int(process.communicate()[0]) for process in running)
    end, ended = queued(stores), time.monotonic()
    while (found := taken(stores) - before) < runs * ITEMS_A_RUN or queued(stores):
        if time.monotonic() - ended > 15:  # what programs could not send before they ended lies in their journals
            break
        time.sleep(0.2)
    took = ended - began
    size = sum(file.stat().st_size for number in range(programs) for file in (folder / f"{rate}-{number}").rglob("*.jsonl"))
    cpu = {name: round((after - before_cpu[name]) / took, 2) for name, after in cpu_of(stack).items()}
    drained = time.monotonic() - ended
    return Measured(rate, round(runs / seconds, 1), round(found / took), round(size / took / 1e6, 2), middle, end, round(drained, 1), cpu)


def taken(stores: Stores) -> float:
    return sum(stores.total(stores.otelcol, f"otelcol_receiver_accepted_{item}") for item in ("spans", "log_records"))


def queued(stores: Stores) -> float:
    return stores.total(stores.otelcol, "otelcol_exporter_queue_size")


def cpu_of(stack: Native) -> dict[str, float]:
    """CPU seconds that each server has used."""
    record = stack.record()
    found = {}
    for server in stack.servers():
        fields = Path(f"/proc/{record.servers[server.name]['pid']}/stat").read_text().rpartition(")")[2].split()
        found[server.name] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.stack.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each rate is held (default: 20)")
    parser.add_argument("--rates", type=float, nargs="+", default=[25, 50, 100, 150, 200, 300, 400], help="agent runs a second that are tried")
    parser.add_argument("--programs", type=int, default=2, help="programs side by side (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stack = Native(Home(Path(folder) / "stack"), tell=lambda server, text: print(f"{server}: {text}", file=sys.stderr))
        stack.up(free_ports=True)
        try:
            found = []
            for rate in options.rates:
                found.append(measure(stack, rate, options.seconds, options.programs, Path(folder)))
                print(found[-1], file=sys.stderr)
                if not found[-1].is_sustained:
                    break
        finally:
            stack.down()
    best = next((one for one in reversed(found) if one.is_sustained), None)
    print(json.dumps({"measured": [asdict(one) for one in found], "sustained": asdict(best) if best else None}, indent=2) if options.json else table(found))


def table(found: list[Measured]) -> str:
    head = f"{'runs/s asked':>12} {'made':>7} {'items/s':>8} {'MB/s':>6} {'queue, middle':>14} {'end':>10} {'drained':>8}  sustained  CPU by server"
    rows = [
        f"{one.asked_runs:>12g} {one.made_runs:>7g} {one.items:>8g} {one.megabytes:>6g} {one.queue_middle:>14,.0f} {one.queue_end:>10,.0f} "
        f"{one.drained_s:>6g} s  {'yes' if one.is_sustained else 'no':<9}  {one.cpu}"
        for one in found
    ]
    return "\n".join([head, *rows])


if __name__ == "__main__":
    main()
