"""R15: what we say about ourselves shows no credential: log lines, files, errors, commands; whatever the settings, the endpoint and the program do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_secrets import ISSUED, UNSHAPED, Written, secrets
from otlp_server import Reply, Request, grpc_receiver, http_receiver
from processes import environment

import otel_agents as oa
from otel_agents.config.otel_variables import VARIABLES
from otel_agents.config.settings import SettingsError, load, load_forgiving
from otel_agents.config.values import KNOBS, KNOWN
from otel_agents.redaction.messages import public

KEY = "sk-proj-4f8Gk2LmQ9rT7vXz1BcD3eFgH5jKnP6sUwYa"
PASSWORD = "tr0ub4dor-correct-horse"
PROGRAM = """
import logging, sys, time
logging.basicConfig(level="DEBUG", stream=sys.stderr)
import otel_agents as oa
with oa.agent("a"):
    pass
logging.getLogger("program").warning("said")
time.sleep(float(sys.argv[1]))
oa.flush(2)
"""
REPEATED = f"no such key: {KEY}, Authorization: Bearer {KEY}".encode()
ANSWERS = {
    "nothing listens": None,
    "refused": Reply(401),
    "redirect": Reply(302, {"Location": f"https://user:{PASSWORD}@elsewhere.example/?api_key={KEY}", "Set-Cookie": f"session={KEY}"}),
    "error that repeats what it was sent": Reply(500, body=REPEATED),
    "web page": Reply(200, {"Content-Type": "text/html"}, f"<html>{KEY}</html>".encode()),
    "no JSON": Reply(415, {"Content-Type": "text/plain"}, KEY.encode()),
    "cut": Reply(cuts=True),
    "well": Reply(),
}


def shown(*said: bytes) -> list[str]:
    """Which of the secrets can be read, also where they are broken over lines."""
    written = Written(*said, b"".join(b"".join(said).split()))
    return [secret for secret in (KEY, PASSWORD) if written.leaks(secret)]


def ran(words: list[str], given: dict[str, str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *words], env=given, capture_output=True, timeout=120, check=False, cwd=folder)


def files_of(folder: Path) -> bytes:
    return b"\n".join(path.name.encode() + b"\n" + path.read_bytes() for path in folder.rglob("*") if path.is_file())


def given_secrets(url: str, folder: Path, **more: str) -> dict[str, str]:
    """Settings with a secret wherever one can stand."""
    with_user = url.replace("http://", f"http://user:{PASSWORD}@")
    return environment(
        folder / "journal",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"{with_user}/?api_key={KEY}",
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{with_user}/v1/traces?token={KEY}",
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer%20{KEY},x-api-key={KEY}",
        OTEL_RESOURCE_ATTRIBUTES=f"service.version={KEY},api.key={KEY},db.password={PASSWORD},deployment.note={KEY}",
        OTEL_SERVICE_NAME=f"shop {KEY}",
        OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="process,host,os",
        OTEL_AGENTS_LOG_LEVEL="DEBUG",
        OTEL_AGENTS_SHIP_INTERVAL="50ms",
        **more,
    )


CONSOLE = {f"OTEL_{signal}_EXPORTER": "otlp,console" for signal in ("TRACES", "LOGS", "METRICS")}
NO_JOURNAL, PROTOBUF, GRPC = {"OTEL_AGENTS_JOURNAL": "off"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
WAYS = {"journal": {}, "no journal": NO_JOURNAL, "protobuf": PROTOBUF, "console": CONSOLE, "gRPC": GRPC, "gRPC, no journal": {**GRPC, **NO_JOURNAL}}
STATUSES = {
    "nothing listens": None,
    **{code: Reply(grpc_code=code, body=REPEATED) for code in ("UNAUTHENTICATED", "INVALID_ARGUMENT", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL")},
    "well": Reply(),
}


def answered(answer: Reply | None, way: str, folder: Path) -> list[str]:
    """Which of the secrets a program shows, keeps or sends whose endpoint answers so."""
    seen: list[Request] = []

    def reply(request: Request) -> Reply:
        seen.append(request)
        return answer or Reply()

    folder.mkdir()
    with (grpc_receiver if "gRPC" in way else http_receiver)(reply) as receiver:
        url = receiver.url if answer else "http://127.0.0.1:9"
        done = ran(["-c", PROGRAM, "0.5", "--api-key", PASSWORD], given_secrets(url, folder, **WAYS[way]), folder)
    sent = b"\n".join(json.dumps(request.content).encode() for request in seen)
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stderr.splitlines()) > 1 or answer == Reply()
    assert b"[redacted:" in sent or answer is None
    assert b"[redacted:" in done.stdout or way != "console"
    return shown(done.stdout, done.stderr, files_of(folder), sent)


@pytest.mark.parametrize("way", WAYS)
def test_our_own_lines_and_files_show_none(way: str, tmp_path: Path, figure: Any) -> None:
    answers = STATUSES if "gRPC" in way else ANSWERS
    found = {name: answered(answer, way, tmp_path / str(number)) for number, (name, answer) in enumerate(answers.items())}
    assert {name: told for name, told in found.items() if told} == {}
    told = sum(map(len, found.values()))
    figure("R15", f"log lines, files and requests, {way}, {len(answers)} answers of an endpoint", f"{told} of {2 * len(answers)} shown", "shown in log lines")


# ------------------------------------------------------------------------------------------------ settings


def names() -> list[str]:
    """Every variable that sets something."""
    return [variable.name for variable in VARIABLES if variable.setting] + [f"OTEL_AGENTS_{name.upper()}" for name in sorted(KNOWN)]


def told(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], str]:
    """What is said of settings with this variable: lines about what is wrong, and the values as `config show` has them."""
    with monkeypatch.context() as patch:
        patch.setenv(name, value)
        settings, lines = load_forgiving()
    values = {name: getattr(settings, name) for name in KNOBS} | {f"otlp_{name}": value for name, value in settings.otlp.items()}
    return [*lines, *settings.notices], "\n".join(str(public(name, value)) for name, value in values.items())


def test_no_setting_is_repeated_with_a_secret_that_it_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, figure: Any) -> None:
    """One that was meant for another variable, of every issuer, in every variable there is, in one that there isn't, and in a variable's name."""
    monkeypatch.chdir(tmp_path)
    leaks = []
    for secret in (secret for secret in secrets() if secret.name in ISSUED):
        for name in (*names(), "OTEL_AGENTS_NONSENSE", f"OTEL_AGENTS_{secret.value.replace('=', '')}"):
            lines, values = told(name, secret.text, monkeypatch)
            leaks += [(secret.name, name, one) for one in (*lines, values) if Written(one.encode()).leaks(secret.value)]
    assert leaks == []
    figure("R15", f"lines about settings and their values, secrets of {len(ISSUED)} issuers in each of {len(names())} variables", f"{len(leaks)} shown", "–")


def test_no_wrong_setting_is_repeated_where_it_looks_random(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, figure: Any) -> None:
    monkeypatch.chdir(tmp_path)
    given = [secret.value for secret in secrets() if secret.name in UNSHAPED and secret.value.isalnum() and len(secret.value) >= 16]
    refused = [(name, value, lines[0]) for value in given for name in names() if (lines := told(name, value, monkeypatch)[0]) and " is " in lines[0]]
    leaks = [(name, line) for name, value, line in refused if Written(line.encode()).leaks(value)]
    assert leaks == []
    assert len(refused) > 20 * len(given)
    figure("R15", f"lines about wrong settings, {len(given)} random words in each variable that refuses them", f"{len(leaks)} of {len(refused)} shown", "–")


FILE = f"""\
{KEY}: 1
content: {KEY}
contnet: {PASSWORD}
journal: {{max_bytes: {KEY}, {KEY}: 5, max_age: [{KEY}]}}
headers: {{authorization: Bearer {KEY}, x-api-key: {KEY}, "bad header": {PASSWORD}}}
otlp: {{endpoint: "htp://user:{PASSWORD}@host/?key={KEY}", timeout: {KEY}, traces: {{protocol: {PASSWORD}, endpoint: "user:{PASSWORD}"}}}}
agents:
  planner: {{model: {KEY}, description: [{KEY}], api_key: {PASSWORD}}}
  {KEY}: 5
models: [gpt-5, {KEY}]
experiments: {{fix: {{agents: [{KEY}], parameters: {{api_key: {PASSWORD}, model: {KEY}, password: {PASSWORD}}}}}}}
alerts: {{{KEY}: 5, agent_slow: {KEY}}}
"""
FILES = {
    "otel-agents.yaml": FILE,
    "anchor.yaml": f"content: *{PASSWORD}\n",
    "tag.yaml": f"headers: {{a: !{PASSWORD} x}}\n",
    "sign.yaml": f"headers: @{PASSWORD}\n",
    "quote.yaml": f"headers: '{PASSWORD}\ncontent: '{KEY}'\n",
    "colon.yaml": f"content: {KEY}: {PASSWORD}\n",
    "twice.toml": f'content = "{KEY}"\ncontent = "{PASSWORD}"\n',
    "torn.toml": f'content = "{KEY}\nheaders = {PASSWORD}\n',
    "other.toml": f'[{KEY}]\ncontnet = "{PASSWORD}"\n',
}
COMMANDS: dict[str, list[str]] = {
    "doctor": ["doctor"],
    "doctor --json": ["doctor", "--json", "--offline"],
    "config show": ["config", "show"],
    "config show --json": ["config", "show", "--json"],
    "config check": ["config", "check"],
    "config check --json": ["config", "check", "--json"],
    **{f"config check {name}": ["config", "check", name] for name in (*FILES, *(f"other-{name}" for name in FILES))},
    "traces": ["traces"],
    "traces --json": ["traces", "--json"],
    "trace": ["trace"],
    "trace, unknown": ["trace", KEY],
    "replay": ["replay", "--patience", "1s"],
    "replay --to": ["replay", "--patience", "1s", "--to", f"http://user:{PASSWORD}@127.0.0.1:9/?api_key={KEY}"],
    "replay --to, wrong": ["replay", "--to", f"htp://user:{PASSWORD}@127.0.0.1:9/?api_key={KEY}"],
    "prune": ["prune"],
    "an unknown command": [KEY],
    "an unknown option": ["doctor", f"--{KEY}"],
    "a wrong option": ["traces", "--since", KEY],
}
MISTAKES = {
    "OTEL_AGENTS_NONSENSE": KEY,
    f"OTEL_AGENTS_{KEY}": "1",
    "OTEL_EXPORTER_OTLP_TIMEOUT": KEY,
    "OTEL_AGENTS_CONTENT": PASSWORD,
    "OTEL_AGENTS_ENABLED": KEY,
    "OTEL_AGENTS_INSTRUMENT": KEY,
    "OTEL_LOGS_EXPORTER": KEY,
    "OTEL_PYTHON_ID_GENERATOR": KEY,
}


@pytest.mark.parametrize("settings", ["right", "wrong"])
def test_our_own_commands_show_none(settings: str, tmp_path: Path, figure: Any) -> None:
    given = given_secrets("http://127.0.0.1:9", tmp_path, **(MISTAKES if settings == "wrong" else {}))
    ran(["-c", PROGRAM, "0"], given, tmp_path)
    for name, content in FILES.items():
        (tmp_path / (name if settings == "wrong" else f"other-{name}")).write_text(content)
    found: dict[str, list[str]] = {}
    for command, words in COMMANDS.items():
        done = ran(["-m", "otel_agents", *words], given, tmp_path)
        found[command] = shown(done.stdout, done.stderr)
        assert found[command] == [], (done.stdout + done.stderr).decode()
        assert done.stdout + done.stderr
        assert b"Traceback" not in done.stderr, done.stderr.decode()
    figure("R15", f"{len(COMMANDS)} command lines of otel-agents, {settings} settings", f"{sum(map(len, found.values()))} of {2 * len(found)} shown", "–")


RAISING: dict[str, Callable[[], object]] = {
    "start": lambda: load(content=KEY, otlp_endpoint=f"user:{PASSWORD}", otlp_timeout=KEY, nonsense=PASSWORD, **{KEY: 1}),
    "instrument": lambda: oa.start(instrument=[KEY]),
    "choice": lambda: oa.memory(action=PASSWORD),
    "choice, a key": lambda: oa.llm(operation=KEY),
    "option": lambda: oa.agent(**{KEY: 1}),
}


@pytest.mark.parametrize("call", RAISING)
def test_what_we_raise_shows_none(call: str) -> None:
    with pytest.raises((ValueError, TypeError, SettingsError)) as caught:
        RAISING[call]()
    assert shown(str(caught.value).encode()) == [], str(caught.value)
