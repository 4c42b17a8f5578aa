"""A real Kafka broker on loopback, in a folder of the test; its jars are resolved by their Maven coordinates, once for each version."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jgo.maven import MavenContext
from patience import until_it_holds

from otel_agents.stack import home, ports, processes

KAFKA = "org.apache.kafka:kafka_2.13:4.1.0"
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
    kept = home.cache().with_name(f"kafka-{KAFKA.rpartition(':')[2]}")
    if not kept.is_dir():
        making = kept.with_name(f"{kept.name}.{os.getpid()}")
        fetch(making)
        with suppress(OSError):  # another was faster
            making.rename(kept)
    return kept


def fetch(folder: Path) -> None:
    """Kafka's jar and those it needs at runtime."""
    folder.mkdir(parents=True)
    maven = MavenContext()
    asked, needed = maven.resolver.resolve([maven.create_dependency(KAFKA)])
    for found in [*asked, *(one for one in needed if one.scope in ("compile", "runtime"))]:
        shutil.copy(found.artifact.resolve(), folder)


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
