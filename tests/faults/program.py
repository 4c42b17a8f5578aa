"""A program that records spans and logs into a journal, wired as the SDK side wires it; run as a process of its own by the tests beside it.

Arguments: one JSON object, see `Options`. It writes the number of each ended span to its standard output as soon as it has ended.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

sys.path.insert(0, str(Path(__file__).parent.parent / "journal"))

from rig import Rig, log


@dataclass
class Options:
    folder: str
    url: str | None
    name: str = "s"
    destination: str = "d0"
    protocol: str | None = None
    spans: int = 1
    logs: int = 0
    rate: float = 0.0  # spans a second; 0: as fast as it goes
    threads: int = 1
    forks: int = 0
    interval_s: float = 0.05
    timeout: float = 10.0
    flush: bool = True
    says: bool = False
    ships: bool = True


class ToJournal(SpanProcessor):
    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def on_end(self, span: ReadableSpan) -> None:
        self.rig.journal.append("traces", self.rig.lines.span(span))


class Program:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.rig = Rig(Path(options.folder), options.url, destination=options.destination, protocol=options.protocol, timeout=options.timeout)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(ToJournal(self.rig))
        self.tracer = provider.get_tracer("program")
        self.stop = threading.Event()
        self.shipping = threading.Thread(target=self.ship, daemon=True)
        if options.ships:
            self.shipping.start()
        os.register_at_fork(before=self.rig.journal.before_fork, after_in_parent=self.rig.journal.after_fork_in_parent, after_in_child=self.after_fork_in_child)

    def ship(self) -> None:
        while not self.stop.wait(self.options.interval_s):
            self.rig.shipper.run_once()

    def after_fork_in_child(self) -> None:
        self.rig.journal.after_fork_in_child()
        self.rig.shipper.after_fork_in_child()

    def record(self, thread: int) -> None:
        for number in range(self.options.spans):
            with self.tracer.start_as_current_span(f"{self.options.name}-{thread}-{number}"):
                pass
            if self.options.says:
                os.write(1, b"%d-%d\n" % (thread, number))
            if self.options.rate:
                time.sleep(1 / self.options.rate)
        for number in range(self.options.logs):
            self.rig.journal.append("logs", self.rig.lines.log(log(f"{self.options.name}-{thread}-{number}")))

    def fork(self) -> None:
        for number in range(self.options.forks):
            child = os.fork()
            if not child:
                with self.tracer.start_as_current_span(f"child-{number}"):
                    pass
                os._exit(0)
            os.waitpid(child, 0)

    def run(self) -> dict[str, Any]:
        threads = [threading.Thread(target=self.record, args=(number,)) for number in range(self.options.threads)]
        for thread in threads:
            thread.start()
        self.fork()
        for thread in threads:
            thread.join()
        self.stop.set()
        began = time.monotonic()
        flushed = self.rig.shipper.flush() if self.options.flush else False
        exit_s = time.monotonic() - began
        self.rig.shipper.close()
        return {"exit_s": exit_s, "flushed": flushed, "dropped": {"/".join(key): count for key, count in self.rig.dropped.items()}}


if __name__ == "__main__":
    print(json.dumps(Program(Options(**json.loads(sys.argv[1]))).run()))
