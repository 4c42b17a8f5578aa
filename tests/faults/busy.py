"""A program under load, observed as its users would: threads, an asyncio loop and forked workers, each with an agent's run that is open all the time.

Arguments: one JSON object, see `Options`. The number of each ended step and of each emitted log record is appended to the ledger as soon as the call has
returned: what stands there had ended. With seconds=0 it works until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass

import otel_agents as oa

logger = logging.getLogger("busy")
logger.propagate = False
logger.addHandler(logging.NullHandler())


@dataclass
class Options:
    ledger: str
    name: str = "busy"
    seconds: float = 0.0
    items: int = 0  # of each lane; 0: as many as there is time for
    rate: float = 0.0  # steps a second of each lane; 0: as fast as it goes
    threads: int = 1
    tasks: int = 0
    workers: int = 0  # forked, with as many threads and tasks each
    switch: float = 0.0  # seconds between two switches of threads; 0: as Python has it
    logs: int = 10  # each so manieth step also logs; 0: none


class Busy:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.began = time.monotonic()
        self.ledger = os.open(options.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def is_over(self, number: int) -> bool:
        options = self.options
        return bool((options.items and number >= options.items) or (options.seconds and time.monotonic() - self.began > options.seconds))

    def work(self, lane: str, number: int) -> None:
        item = f"{self.options.name}.{os.getpid()}.{lane}.{number}"
        with oa.step("work"):
            oa.current().attributes({"item": item})
        os.write(self.ledger, f"traces {item}\n".encode())
        if self.options.logs and number % self.options.logs == 0:
            logger.warning("log", extra={"item": item})
            os.write(self.ledger, f"logs {item}\n".encode())

    def pause(self, number: int) -> float:
        """Seconds until the next one is due: a lane that was held up catches up."""
        return max(0.0, self.began + number / self.options.rate - time.monotonic()) if self.options.rate else 0.0

    def lane(self, name: str) -> None:
        with oa.agent(f"lane {name}"):
            number = 0
            while not self.is_over(number):
                self.work(name, number)
                number += 1
                time.sleep(self.pause(number))

    async def task(self, name: str) -> None:
        async with oa.agent(f"lane {name}"):
            number = 0
            while not self.is_over(number):
                self.work(name, number)
                number += 1
                await asyncio.sleep(self.pause(number))

    async def loop(self) -> None:
        await asyncio.gather(*(self.task(f"a{number}") for number in range(self.options.tasks)))

    def here(self) -> None:
        """All lanes of this process, the asyncio ones on the main thread."""
        threads = [threading.Thread(target=self.lane, args=(f"t{number}",), daemon=True) for number in range(self.options.threads)]
        for thread in threads:
            thread.start()
        asyncio.run(self.loop())
        for thread in threads:
            thread.join()

    def run(self) -> None:
        self.work("main", 0)  # the parent's segments and threads are there before it forks
        workers = [self.forked() for _ in range(self.options.workers)]
        print("up", flush=True)
        self.here()
        for pid in workers:
            os.waitpid(pid, 0)

    def forked(self) -> int:
        pid = os.fork()
        if not pid:
            status = 1
            try:
                self.began = time.monotonic()
                self.here()
                status = 0
            finally:
                os._exit(status)
        return pid


if __name__ == "__main__":
    options = Options(**json.loads(sys.argv[1]))
    if options.switch:
        sys.setswitchinterval(options.switch)
    Busy(options).run()
