"""A real Kafka broker on loopback, in a folder of the test; its jars come by Maven, once for each version."""

from __future__ import annotations

import hashlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from patience import until_it_holds

from otel_agents.stack import home, ports, processes

POM = Path(__file__).with_name("kafka") / "pom.xml"
BUILD_S = 600
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
message.max.bytes=10485760
"""


def jars() -> Path:
    """The folder with the broker's jars, fetched if they are not there."""
    kept = home.cache().with_name(f"kafka-{hashlib.sha256(POM.read_bytes()).hexdigest()[:16]}")
    if not kept.is_dir():
        making = kept.with_name(f"{kept.name}.{os.getpid()}")
        words = ["mvn", "--quiet", "--batch-mode", f"--file={POM}", "dependency:copy-dependencies", f"-DoutputDirectory={making}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=BUILD_S, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        with suppress(OSError):  # another was faster
            making.rename(kept)
    return kept


class Broker:
    """One node that is broker and controller; stopped and started again, it keeps its topics and its port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, controller = ports.free_ports(("broker", "controller")).values()
        self.address = f"127.0.0.1:{self.port}"
        self.settings = folder / "server.properties"
        folder.mkdir(parents=True)
        self.settings.write_text(PROPERTIES.format(broker=self.port, controller=controller, folder=folder))
        name = str(uuid.uuid4())
        subprocess.run([*self._java("kafka.tools.StorageTool"), "format", "-t", name, "-c", self.settings], capture_output=True, check=True, timeout=60)

    def start(self) -> None:
        log = self.folder / "broker.log"
        self.process = processes.start([*self._java("kafka.Kafka"), str(self.settings)], log, {}, str(self.folder), self.folder)
        until_it_holds(lambda: ports.is_taken(self.port) or not processes.lives(self.process))
        assert processes.lives(self.process), log.read_text()

    def stop(self) -> None:
        processes.stop(self.process, 20.0)

    @staticmethod
    def _java(program: str) -> list[str]:
        return ["java", "-Xmx512m", "-cp", f"{jars()}/*", program]


@contextmanager
def kafka(folder: Path) -> Iterator[Broker]:
    """A broker that runs; it has stopped when the block ends."""
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
