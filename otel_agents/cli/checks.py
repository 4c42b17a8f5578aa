"""The checks of `doctor`: each returns facts, and a fix for every fact that is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import otel_agents
from otel_agents.analysis.folder import Folder, Segment
from otel_agents.analysis.losses import Causes, Losses, counted, summed
from otel_agents.cli import run as launch
from otel_agents.cli.screen import plural, size
from otel_agents.config.settings import Endpoint, Settings
from otel_agents.journal.caps import acknowledged
from otel_agents.journal.delivery import CLIENTS
from otel_agents.journal.files import OFFSETS
from otel_agents.journal.protobuf import message
from otel_agents.journal.tally import Offsets
from otel_agents.journal.wire import Answer
from otel_agents.otlp.signals import OUTER, SIGNALS
from otel_agents.redaction.messages import address, wrong

OK, NOTE, WRONG = "ok", "note", "wrong"
PROBE_S, ANSWER_S = 90.0, 5.0
LOW_SPACE = 64 * 2**20  # bytes
LOCAL = "local"
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "beegfs", "gpfs", "fuse.sshfs", "fuse.s3fs"}
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One result of a check; `fix` says what to do if it is wrong."""

    label: str
    text: str
    state: str = OK
    fix: str = ""


@dataclass(slots=True)
class Section:
    """A group of facts for people, and the same as data for programs."""

    title: str
    facts: list[Fact] = field(default_factory=list)
    data: Any = None


# ------------------------------------------------------------------------------------------------ installed, activated

PROBE = """
import importlib, json, logging, sys
said = []
class Listener(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
logger = logging.getLogger("otel_agents")
logger.addHandler(Listener())
logger.propagate = False
logger.setLevel("DEBUG")
module = sys.modules.get("otel_agents.runtime.lifecycle")
started = bool(module and module.process.started)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as problem:
        said.append(f"{name} can't be imported: {problem}")
from otel_agents.instrumentors.registry import status
libraries = status()
import otel_agents
with otel_agents.step("doctor"):
    pass
otel_agents.shutdown()
print(json.dumps({"started": started, "libraries": libraries, "said": said}))
"""


def installation() -> Section:
    """Which version of otel-agents, how it is installed, and in which Python."""
    version, how = installed()
    python = f"{sys.version.split()[0]} at {sys.executable}"
    place = str(Path(otel_agents.__file__).parent)
    facts = [Fact("otel-agents", f"{version}, {how}, in {place}"), Fact("Python", python)]
    return Section("Installed", facts, {"version": version, "how": how, "path": place, "python": sys.version.split()[0], "executable": sys.executable})


def installed() -> tuple[str, str]:
    """The version, and whether it is an installed wheel, an editable checkout or not installed at all."""
    try:
        found = Distribution.from_name("otel-agents")
    except PackageNotFoundError:
        return "unknown version", "not installed (imported from a folder)"
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    return found.version, "editable" if origin.get("dir_info", {}).get("editable") else "installed"


def probe() -> dict[str, Any]:
    """Start a Python with the variable set and report whether otel-agents started in it, what is patched, and whether a span reached its journal."""
    from otel_agents.instrumentors.registry import INSTRUMENTORS, installed_version

    modules = [one.module for one in INSTRUMENTORS if installed_version(one.library)]
    with TemporaryDirectory() as folder:
        ours = {
            launch.SWITCH: "true",
            "OTEL_AGENTS_JOURNAL_DIR": folder,
            "OTEL_AGENTS_JOURNAL": "true",
            "OTEL_AGENTS_SHIP": "false",
            "OTEL_TRACES_EXPORTER": "",
        }
        environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", **os.environ, **ours}
        try:
            done = subprocess.run([sys.executable, "-c", PROBE, *modules], env=environment, capture_output=True, text=True, timeout=PROBE_S, check=True)
            found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        except (subprocess.SubprocessError, OSError, ValueError, IndexError) as problem:
            return {"started": False, "recorded": False, "libraries": [], "said": [last_line(problem)]}
        return {**found, "recorded": bool(Folder(Path(folder)).segments())}


def last_line(problem: Exception) -> str:
    said = getattr(problem, "stderr", None) or str(problem)
    return str(said).strip().splitlines()[-1] if str(said).strip() else type(problem).__name__


def activation(seen: Mapping[str, Any], environ: Mapping[str, str]) -> Section:
    """Whether the variable alone makes a program observed, and whether it is set in this shell."""
    files = launch.pth_files()
    given = environ.get(launch.SWITCH)
    switch = None if given is None else wrong("enabled", given)
    state, verdict = (OK, "observed") if seen["started"] else (WRONG, "not observed")
    works = seen["recorded"] or not seen["started"]  # a program that was not started can't record; that is reported already
    facts = [
        Fact("start-up file", ", ".join(map(str, files)) or "no file of otel-agents in this Python's site-packages", OK if files else state, REINSTALL),
        Fact("programs", f"those started with the variable are {verdict}", state, started_fix(seen)),
        *([] if works else [Fact("recording", "a span of a test program did not reach its journal", WRONG, said(seen))]),
        Fact(launch.SWITCH, f"{switch} here" if switch is not None else NOT_SET, OK if given else NOTE),
    ]
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        facts.append(Fact("OTEL_SDK_DISABLED", "true: nothing is recorded", WRONG, "unset OTEL_SDK_DISABLED"))
    return Section("Activated", facts, {"files": [str(file) for file in files], "works": seen["started"] and seen["recorded"], "variable": switch})


NOT_SET = "not set here: programs started from this shell are only observed with `otel-agents run`"
REINSTALL = "reinstall it in this Python: pip install --force-reinstall otel-agents; or start programs with `otel-agents run`"


def started_fix(seen: Mapping[str, Any]) -> str:
    heard = f" (the test program said: {seen['said'][-1]})" if seen["said"] else ""
    return f"start programs with `otel-agents run`, or call otel_agents.start() in them{heard}"


def said(seen: Mapping[str, Any]) -> str:
    heard = "; ".join(dict.fromkeys(seen["said"])) or "nothing"
    return f"check the settings and the disk that holds the journal; the test program said: {heard}"


def libraries(seen: Mapping[str, Any]) -> Section:
    """Which libraries are installed, and whether a program of yours would have them instrumented."""
    return Section("Libraries", [library(row) for row in seen["libraries"]], seen["libraries"])


def library(row: Mapping[str, Any]) -> Fact:
    name, version, supported = row["library"], row["installed"], row["supported"]
    if version is None:
        return Fact(name, "not installed", NOTE)
    if not row["patched"]:
        return Fact(
            name, f"{version}, not patched: {row['why']}", WRONG, f"pip install '{name}{supported}', or remove it from OTEL_AGENTS_DISABLE to have it observed"
        )
    absent = f"; {plural(len(row['absent']), 'function')} of other versions not present" if row["absent"] else ""
    return Fact(name, f"{version} patched ({supported}){absent}")


# ------------------------------------------------------------------------------------------------ settings, journal


def configuration(settings: Settings, problems: list[str]) -> Section:
    """What is wrong in the settings, and which of them decide what is recorded."""
    facts = [Fact("setting", line, WRONG, "it is ignored until it is corrected") for line in problems]
    facts += [Fact("note", line, NOTE) for line in settings.notices]
    facts.append(Fact("file", str(settings.config_file or "none")))
    facts.append(Fact("content", f"{settings.content}" + (" (prompts and answers are not recorded)" if settings.content == "none" else "")))
    return Section("Settings", facts, {"problems": problems, "file": str(settings.config_file) if settings.config_file else None, "content": settings.content})


def journal(settings: Settings, folder: Folder) -> Section:
    """Whether the journal is writable, on what file system, how full it is, and what waits in it for which destination."""
    segments = folder.segments()
    held = sum(one.size for one in segments)
    facts = [
        *writable(folder.path),
        *disk(folder.path),
        Fact("holds", f"{size(held)} of {size(settings.journal_max_bytes)} in {plural(len(segments), 'file')}"),
    ]
    waiting = pending(segments)
    facts += [waits(destination, number, settings) for destination, number in waiting.items()]
    facts += [Fact("unreadable", f"{path}: {problem}", WRONG, "make it readable for this user") for path, problem in folder.unreadable.items()]
    return Section(
        "Journal", facts, {"path": str(folder.path), "bytes": held, "files": len(segments), "pending_bytes": waiting, "file_system": file_system(folder.path)}
    )


def writable(path: Path) -> Iterator[Fact]:
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    try:
        with TemporaryFile(dir=nearest):
            yield Fact("folder", str(path) if nearest == path else f"{path} (created with the first item)")
    except OSError as problem:
        fix = "set OTEL_AGENTS_JOURNAL_DIR to a folder that this user may write to"
        yield Fact("folder", f"{path} can't be written: {problem.strerror}", WRONG, fix)


def disk(path: Path) -> Iterator[Fact]:
    kind = file_system(path)
    if kind in NETWORK_FILE_SYSTEMS:
        yield Fact(
            "file system", f"{kind}, a network file system: its file locks are unreliable", WRONG, "set OTEL_AGENTS_JOURNAL_DIR to a folder on a local disk"
        )
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free < LOW_SPACE:
        yield Fact("disk", f"{size(free)} free", WRONG, "free some space: items that can't be written are lost (and counted)")


def file_system(path: Path) -> str | None:
    """The type of the file system that holds the path; None if the system has no /proc."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    found = [(mount[4], mount[mount.index("-") + 1]) for mount in (line.split() for line in mounts)]
    within = [(point, kind) for point, kind in found if path.resolve().is_relative_to(point)]
    return max(within, key=lambda mount: len(mount[0]))[1] if within else None


def pending(segments: list[Segment]) -> dict[str, int]:
    """Bytes per destination that its endpoint has not acknowledged yet; local segments are not waiting for anything."""
    found: dict[str, int] = {}
    for one in segments:
        if one.destination != LOCAL and not one.is_sent:
            found[one.destination] = found.get(one.destination, 0) + max(0, one.size - acknowledged(one.path))
    return {destination: number for destination, number in found.items() if number}


def waits(destination: str, number: int, settings: Settings) -> Fact:
    mine = destination == settings.destination
    return Fact("not sent yet", f"{size(number)} for {'the endpoint below' if mine else f'another endpoint ({destination})'}", NOTE)


# ------------------------------------------------------------------------------------------------ losses


def lost(folder: Folder) -> Section:
    """What programs dropped, and why, by their own counts."""
    found = dropped(folder)
    facts = [Fact(signal, f"{plural(number, 'item')} lost: {reason}", NOTE, WHY.get(reason, "")) for (signal, reason), number in sorted(found.items())]
    rows = [{"signal": signal, "reason": reason, "count": number} for (signal, reason), number in sorted(found.items())]
    return Section("Lost", facts or [Fact("nothing", "no program that wrote to this journal has lost anything")], rows)


WHY = {
    "cap": "the journal was full: raise OTEL_AGENTS_JOURNAL_MAX_BYTES, or find out why the endpoint does not accept data",
    "age": "it waited too long: raise OTEL_AGENTS_JOURNAL_MAX_AGE, or find out why the endpoint does not accept data",
    "disk_full": "free some space, or set OTEL_AGENTS_JOURNAL_DIR to another disk",
    "permission": "make the journal folder writable for the user that runs the program",
    "read_only": "set OTEL_AGENTS_JOURNAL_DIR to a writable folder",
    "rejected": "the endpoint rejected these items; its log says why",
    "too_large": "the endpoint does not accept requests of that size: raise its limit",
    "stalled": "the disk did not answer; is it a network file system?",
    "torn": "a process died, or the disk was full, in the middle of a write",
}


def dropped(folder: Folder) -> Losses:
    """Losses by signal and reason: for each process the larger of its metrics and its notes on disk (which survive a lost metric), summed over processes."""
    return summed(counted(folder) | noted(folder))


def noted(folder: Folder) -> Causes:
    """The counts in the notes beside the segments, by process, signal and reason."""
    found: Causes = Counter()
    for path in {file for place in folder.destinations() for file in place.glob(f"*{OFFSETS}")}:
        for signal, reasons in Offsets.read(path).dropped.items():
            for reason, count in reasons.items():
                found[path.name.removesuffix(OFFSETS), signal, reason] += count
    return found


# ------------------------------------------------------------------------------------------------ where it goes


def destinations(settings: Settings, *, offline: bool) -> Section:
    """Where each signal goes, and whether the endpoint accepts it now."""
    routes = [route(settings, signal, offline=offline) for signal in SIGNALS]
    return Section("Goes to", [fact for fact, _ in routes], [row for _, row in routes])


def route(settings: Settings, signal: str, *, offline: bool) -> tuple[Fact, dict[str, Any]]:
    endpoint = settings.endpoint(signal)
    if not settings.exports(signal):
        return Fact(signal, "nowhere: switched off", NOTE), {"signal": signal, "to": None}
    if endpoint is None or not settings.ship:
        return Fact(signal, "the journal only (no endpoint is set)"), {"signal": signal, "to": LOCAL}
    place, protocol = address(endpoint.url), endpoint.protocol or "http/json, else http/protobuf"
    row = {"signal": signal, "to": place, "protocol": endpoint.protocol}
    if offline:
        return Fact(signal, f"{place} ({protocol}), not tried"), row
    answer = asked(signal, endpoint)
    taken = answer.verdict == "accepted"
    text = f"{place} answers ({protocol})" if taken else f"{place}: {answer.what}"
    return Fact(signal, text, OK if taken else WRONG, "" if taken else fix_of(answer, signal)), {**row, "answers": taken, "problem": answer.what or None}


def asked(signal: str, endpoint: Endpoint) -> Answer:
    """The endpoint's answer to an empty request, in the protocols that the shipper would try."""
    answers = [tried(signal, endpoint, protocol) for protocol in ([endpoint.protocol] if endpoint.protocol else ["http/json"])]
    if endpoint.protocol is None and answers[0].verdict in ("unsupported", "poison"):
        answers.append(tried(signal, endpoint, "http/protobuf"))
    return answers[-1]


def tried(signal: str, endpoint: Endpoint, protocol: str) -> Answer:
    client = CLIENTS[protocol](signal, endpoint, protocol)
    body = OUTER[signal] + b"]}" if protocol == "http/json" else message(signal, "Request").SerializeToString()
    try:
        answer: Answer = client.post(body, min(endpoint.timeout, ANSWER_S))
    finally:
        client.close()
    return answer


def fix_of(answer: Answer, signal: str) -> str:
    return next((fix for words, fix in FIXES.items() if words in answer.what), OTHERWISE).format(signal)


OTHERWISE = "check the endpoint's log; until it answers, items wait in the journal"
FIXES = {
    "refused": "start the Collector there, or correct OTEL_EXPORTER_OTLP_ENDPOINT; until then items wait in the journal",
    "no answer": "check host, port and firewalls; until it answers, items wait in the journal",
    "host name": "correct the host in OTEL_EXPORTER_OTLP_ENDPOINT",
    "not trusted": "set OTEL_EXPORTER_OTLP_CERTIFICATE to the certificate of its authority",
    "HTTP 401": "set its credentials in OTEL_EXPORTER_OTLP_HEADERS",
    "HTTP 403": "the credentials in OTEL_EXPORTER_OTLP_HEADERS are not allowed to write there",
    "HTTP 404": "correct the path: /v1/{0} is appended to OTEL_EXPORTER_OTLP_ENDPOINT, but not to a per-signal OTEL_EXPORTER_OTLP_…_ENDPOINT",
    "grpcio": "pip install 'otel-agents[grpc]', or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    "web page": "that is a web site, not an OTLP endpoint: correct OTEL_EXPORTER_OTLP_ENDPOINT",
}
