"""Further Collectors beside the stack's own, with the overlays that are proved, feeding the same stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from patience import until_it_holds

from otel_agents.stack import build, home, ports, processes
from otel_agents.stack.answers import ask
from otel_agents.stack.native import Native
from otel_agents.stack.servers import OTELCOL, OVERLAYS


@contextmanager
def collector(stack: Native, folder: Path, *overlays: str, listening: dict[str, int] | None = None, stores: str = "", **variables: str) -> Iterator[str]:
    """A Collector with these overlays that feeds the stack's stores, or the kind that is named; gives the URL of its own metrics.

    `listening` is filled with its ports.
    """
    taken = {**stack.record().ports, **ports.free_ports(OTELCOL.ports)}
    if listening is not None:
        listening.update(taken)
    with running(folder, taken, *OVERLAYS[stores or stack.record().stores], *overlays, **variables):
        yield f"http://127.0.0.1:{taken['otelcol']}"


@contextmanager
def running(folder: Path, taken: Mapping[str, int], *overlays: str, **variables: str) -> Iterator[Path]:
    """A Collector on these ports; gives its log. It has stopped when the block ends."""
    words = {**{name: str(port) for name, port in taken.items()}, "collector": str(home.collector()), "data": str(folder / "queue"), "etc": ""}
    (folder / "queue").mkdir(parents=True, exist_ok=True)
    command = [str(build.have([OTELCOL])["otelcol"].binary), *(word.format(**words) for word in OTELCOL.command)]
    command += [f"--config={home.overlay(name)}" for name in overlays]
    given = {name: value.format(**words) for name, value in OTELCOL.environment.items()}
    log = folder / "otelcol.log"
    process = processes.start(command, log, {**given, **variables}, str(folder), folder)
    try:
        until_it_holds(lambda: ask(f"http://127.0.0.1:{taken['health']}/").status == 200 or not processes.lives(process), seconds=30)
        assert processes.lives(process), log.read_text()
        yield log
    finally:
        processes.stop(process, OTELCOL.grace_s)
