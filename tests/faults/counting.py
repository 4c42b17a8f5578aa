"""What a program said that it had ended, what is in its journal, what has arrived: as counts of the same names."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

from otlp_server import Receiver
from processes import environment, run

from otel_agents.otlp.any_value import attributes_of
from otel_agents.testing import Json, Telemetry

BUSY = Path(__file__).with_name("busy.py")
ITEM = re.compile(rb'"key":"item","value":\{"stringValue":"([^"]+)"')
THREADS_FORK = "ignore:This process:DeprecationWarning"  # Python's own word, from 3.12 on, on a program that forks beside its own threads
Names = Counter[str]


def busy(folder: Path, *, python: Path | str = sys.executable, settings: dict[str, str] | None = None, **options: Any) -> subprocess.Popen[str]:
    """Start the busy program (busy.py) in a process group of its own; its journal and its ledger are in the folder."""
    given = json.dumps({"ledger": str(folder / "ledger"), **options})
    words = [str(python), "-W", "error", "-W", THREADS_FORK, str(BUSY), given]
    return subprocess.Popen(words, env=environment(folder / "journal", **(settings or {})), stdout=subprocess.PIPE, text=True, start_new_session=True)


def ended(folder: Path, signal: str = "traces") -> Names:
    """What the ledger says; a last line that its process did not live to finish says nothing."""
    lines = (folder / "ledger").read_text().split("\n")[:-1]
    return Counter(line.removeprefix(f"{signal} ") for line in lines if line.startswith(f"{signal} "))


def kept(folder: Path, signal: str = "traces") -> Names:
    """What whole lines of the journal say, sent ones included."""
    files = [path.read_bytes() for path in (folder / "journal").glob(f"*/{signal}-*.jsonl")]
    return Counter(name.decode() for file in files for line in file.split(b"\n")[:-1] for name in ITEM.findall(line))


def arrived(receiver: Receiver, signal: str = "traces") -> Names:
    """The same of what a receiver took."""
    return Counter(value for item in receiver.items(signal) if (value := attributes_of(item).get("item")))


def events(receiver: Receiver, name: str) -> list[Json]:
    """The taken events of this name: their attributes, with the ids of trace and span."""
    found = [item for item in receiver.items("logs") if item.get("eventName") == name]
    return [{**attributes_of(item), "trace": item["traceId"], "span": item["spanId"]} for item in found]


def total(names: Names) -> int:
    return sum(names.values())


def repeated(names: Names) -> int:
    """How many came more often than once."""
    return total(names) - len(names)


def is_of_requests(receiver: Receiver, again: Names, requests: int, signal: str = "traces") -> bool:
    """Whether what came a second time was in so few requests: those whose answer, or the offset after it, did not outlive their process."""
    taken = [Counter(attributes_of(item).get("item") for item in request.items) for request in receiver.taken if request.signal == signal]
    return not again or any(again <= sum(some, Counter()) for some in combinations(taken, requests))


NEXT = """
import os, sys, time
import otel_agents as oa
with oa.step("next"):
    pass
time.sleep(float(sys.argv[1]))
oa.flush()
"""


def next_program(folder: Path, receiver: Receiver, seconds: float = 0.3, **more: str) -> None:
    """Another observed program with the same journal and endpoint, as a user would start it after a crash."""
    said = run(
        "-c", NEXT, str(seconds), journal=folder / "journal", **{"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_SHIP_INTERVAL": "0.1", **more}
    )
    assert said.status == 0, said.err


def unsent(folder: Path) -> list[Path]:
    """The segments that still hold what is to be sent."""
    found = (folder / "journal").glob("*/*.jsonl")
    return [path for path in found if not path.name.endswith(".sent.jsonl") and path.parent.name != "local"]


def deliver(folder: Path, receiver: Receiver, most: int = 20) -> None:
    """Start programs until nothing waits in the journal."""
    for _ in range(most):
        next_program(folder, receiver)
        if not unsent(folder):
            return
    raise AssertionError(f"{most} programs have left {unsent(folder)}")


def instances(folder: Path) -> tuple[Names, Names]:
    """The spans `step work` of each process by its instance id, and how many its own metric last said there were: without the next programs' steps."""
    telemetry = Telemetry(folder / "journal")
    spans = Counter(span["resource"]["service.instance.id"] for span in telemetry.spans if span["name"] == "step work")
    counts = Names()
    for metric, _, resource in telemetry._items("metrics"):
        if metric["name"] == "otel_agents.step.duration":
            work = [point for point in metric["histogram"]["dataPoints"] if attributes_of(point).get("otel_agents.step.name") == "work"]
            counts[resource["service.instance.id"]] = max(counts[resource["service.instance.id"]], sum(int(point["count"]) for point in work))
    return spans, +counts
