"""The servers' binaries: found on PATH, found in the cache, or built there with Go, two at most side by side."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from otel_agents.stack import home
from otel_agents.stack.problem import Problem
from otel_agents.stack.processes import BEGAN
from otel_agents.stack.recipes import RECIPES
from otel_agents.stack.servers import Server

TOGETHER = 2
SAID_LINES = 12
VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
NO_GO = (
    "{names} can't be had: not on PATH, not in {cache}, and Go, which would build them, is not installed.\n"
    "  with Docker:      install and start it, then: otel-agents stack up\n"
    "  without Docker:   install Go 1.26 or newer (https://go.dev/dl), then: otel-agents stack up\n"
    "  with your own:    put the binaries on PATH, or name their folder in {variable}"
)
FAILED = "{name} could not be built: `{command} …` ended with {status}. {log} has all it said; its end:\n{tail}"
Tell = Callable[[str, str], None]  # server, what is going on with it


@dataclass(frozen=True, slots=True)
class Found:
    """A server's binary, where it comes from, and the folder of the tools beside it. seconds: what building took."""

    server: Server
    binary: Path
    source: str
    version: tuple[int, ...]
    seconds: float = 0.0

    @property
    def major(self) -> int:
        return self.version[0] if self.version else 0


def have(servers: Iterable[Server], tell: Tell = lambda server, text: None, environ: Mapping[str, str] = os.environ) -> dict[str, Found]:
    """All of these servers' binaries, built where they are missing. Raises Problem with what to do."""
    servers = tuple(servers)
    found = {server.name: find(server, environ) for server in servers}
    missing = [server for server in servers if found[server.name] is None]
    if missing and shutil.which("go", path=environ.get("PATH")) is None:
        names = ", ".join(server.name for server in missing)
        raise Problem(NO_GO.format(names=names, cache=home.cache(environ), variable=home.BINARIES_VARIABLE))
    with ThreadPoolExecutor(TOGETHER) as pool:
        built = dict(zip((server.name for server in missing), pool.map(lambda server: build(server, tell, environ), missing), strict=True))
    return {name: one for name, one in {**found, **built}.items() if one is not None}


# ------------------------------------------------------------------------------------------------ found


def find(server: Server, environ: Mapping[str, str] = os.environ) -> Found | None:
    """The binary of the server: in the named folder, on PATH when it is new enough, or in the cache."""
    if (best := best_installed(server, environ)) is not None and best.version >= server.at_least:
        return best
    if server.name not in RECIPES:
        return None
    built = folder(server, environ) / server.binaries[0]
    return Found(server, built, "built", numbers(server.version)) if built.is_file() else None


def best_installed(server: Server, environ: Mapping[str, str] = os.environ) -> Found | None:
    """The first binary in the named folder or on PATH that is new enough, else the newest one there."""
    places = [place for place in (environ.get(home.BINARIES_VARIABLE), environ.get("PATH")) if place]
    paths = [Path(path) for place in places for name in server.binaries if (path := shutil.which(name, path=place))]
    found = [Found(server, path, "PATH", version_of(path, server.ask_version)) for path in paths]
    return next((one for one in found if one.version >= server.at_least), max(found, key=lambda one: one.version, default=None))


def version_of(binary: Path, asked: str = "--version") -> tuple[int, ...]:
    """What the binary says its version is; nothing when it says none."""
    try:
        done = subprocess.run([str(binary), asked], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return numbers(done.stdout + done.stderr)


def numbers(text: str) -> tuple[int, ...]:
    found = VERSION.search(text)
    return tuple(int(part) for part in found.groups() if part is not None) if found else ()


def folder(server: Server, environ: Mapping[str, str] = os.environ) -> Path:
    """Where this very version of the server is built to: its name carries a hash of all that goes into it."""
    return home.cache(environ) / f"{server.name}-{fingerprint(server)}"


def fingerprint(server: Server) -> str:
    parts = [repr(RECIPES[server.name]).encode(), platform.system().encode(), platform.machine().encode()]
    for path in sorted(sources(server).glob("*")):
        parts += [path.name.encode(), path.read_bytes()]
    return sha256(b"\0".join(parts)).hexdigest()[:12]


def sources(server: Server) -> Path:
    return home.collector() / "servers" / server.name


# ------------------------------------------------------------------------------------------------ built


def build(server: Server, tell: Tell, environ: Mapping[str, str] = os.environ) -> Found:
    """Build the server into the cache, unless somebody else does it meanwhile: then wait for them."""
    target = folder(server, environ)
    target.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with locked(target.with_suffix(".lock"), lambda: tell(server.name, "another process builds it, waiting")):
        known = find(server, environ)
        if known is None:
            run_recipe(server, target, tell, environ)
    seconds = time.monotonic() - began
    tell(server.name, f"built in {seconds:.0f} s" if known is None else "there")
    return known or Found(server, target / server.binaries[0], "built", numbers(server.version), seconds)


@contextmanager
def locked(path: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file; the kernel lets it go whatever becomes of us."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            waits()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run_recipe(server: Server, target: Path, tell: Tell, environ: Mapping[str, str]) -> None:
    """Run the recipe in a folder of its own, then give its results their name at once."""
    work, out = target.with_suffix(".work"), target.with_suffix(".new")
    for leftover in (work, out):  # of one that was killed: we hold its lock
        shutil.rmtree(leftover, ignore_errors=True)
    work.mkdir()
    out.mkdir()
    for source in sources(server).glob("*"):
        shutil.copy(source, work)
    for number, (where, words) in enumerate(RECIPES[server.name].steps, 1):
        step(server, number, [word.format(out=out) for word in words], work / where, tell, {**environ, **go_environment(out)})
    out.rename(target)
    shutil.rmtree(work, ignore_errors=True)


def go_environment(out: Path) -> dict[str, str]:
    return {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOBIN": str(out), "GOWORK": "off"}


def step(server: Server, number: int, words: list[str], where: Path, tell: Tell, environ: Mapping[str, str]) -> None:
    """Run one command, telling how it goes; its whole output is in a log beside the cache."""
    log = folder(server, environ).with_suffix(".log")
    began = time.monotonic()
    with log.open("a") as file:
        process = subprocess.Popen(words, cwd=where, stdout=file, stderr=file, env=dict(environ))  # of our group: Ctrl-C ends both
        try:
            while process.poll() is None:
                tell(server.name, f"building, step {number} of {len(RECIPES[server.name].steps)}, {time.monotonic() - began:.0f} s")
                wait(process)
        finally:
            stop(process)
    if process.returncode:
        raise Problem(FAILED.format(name=server.name, command=" ".join(words[:3]), status=process.returncode, log=log, tail=tail(log)))


def wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, should it still run: we are leaving early."""
    if process.poll() is None:
        process.terminate()
        process.wait()


def tail(log: Path, lines: int = SAID_LINES) -> str:
    """The last lines that were said since the last start, indented."""
    try:
        _, begun, said = log.read_text(errors="replace").rpartition(BEGAN)
    except OSError:
        return ""
    return "\n".join(f"  {line[:300]}" for line in said.splitlines()[bool(begun) :][-lines:])
