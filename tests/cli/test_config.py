import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_agents.cli import app
from otel_agents.config.settings import SettingsError

CONFIG = """\
content: hashed
agents:
  planner: {model: gpt-5, description: plans}
  coder: {model: gpt-6}
models: [gpt-5]
experiments:
  fix:
    agents: [planner, codre]
    parameters: {model: gpt-4}
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)


Ran = tuple[int, str, str]


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*words: str) -> Ran:
        status = app.main(words)
        return status, *capsys.readouterr()

    return run


def left(*words: str) -> int | str | None:
    """The status with which the command line ended the process."""
    with pytest.raises(SystemExit) as caught:
        app.main(words)
    return caught.value.code


# the command line itself


def test_help_names_every_command_and_loads_none(ran: Callable[..., Ran]) -> None:
    status, out, _ = ran("--help")
    assert status == 0
    assert all(f"  {name} " in out for name in app.COMMANDS)
    assert ran()[:2] == (0, out)


def test_the_command_line_starts_without_heavy_libraries() -> None:
    heavy = "{'pydantic', 'rich', 'orjson', 'opentelemetry.sdk', 'yaml', 'wrapt'}"
    program = f"import sys; from otel_agents.cli.app import main; main(['--help']); print({heavy} & set(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=surroundings(), check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "set()")


def test_help_of_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert left("help", "config") == left("config", "--help") == 0
    assert capsys.readouterr().out.count("usage: otel-agents config") == 2


def test_version(ran: Callable[..., Ran]) -> None:
    from importlib.metadata import version

    assert ran("--version") == (0, f"otel-agents {version('otel-agents')}\n", "")


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("confg", "otel-agents: no command 'confg'; did you mean `otel-agents config`?\n"),
        ("xyzzy", f"otel-agents: no command 'xyzzy'; commands: {', '.join(app.COMMANDS)}\n"),
    ],
)
def test_an_unknown_command_is_told_the_nearest(ran: Callable[..., Ran], word: str, line: str) -> None:
    assert ran(word) == (2, "", line)


def test_wrong_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert left("config", "show", "--jsn") == 2
    assert capsys.readouterr().err == "otel-agents config: unrecognized arguments: --jsn (try: otel-agents config --help)\n"
    assert left("config") == 2


def surroundings() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(app.__file__).parents[2])}


def test_a_reader_that_leaves_is_no_fault() -> None:
    program = [sys.executable, "-m", "otel_agents", "config", "show"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings()) as left:
        assert left.stdout is not None
        assert left.stderr is not None
        left.stdout.close()
        assert (left.stderr.read(), left.wait()) == (b"", 141)


# config show


def test_show_says_value_and_source_of_every_setting(ran: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("otel-agents.yaml").write_text("content: hashed\njournal: {max_age: 36h, fsync: on}\n")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3cret@c:4318?key=s3cret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    status, out, err = ran("config", "show")
    lines = [line.split() for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert ["content", "hashed", "otel-agents.yaml:1", "content"] in lines
    assert ["journal_max_age", "36", "h", "otel-agents.yaml:2", "journal.max_age"] in lines
    assert ["journal_fsync", "on", "otel-agents.yaml:2", "journal.fsync"] in lines
    assert ["journal_max_bytes", "1", "GiB", "default"] in lines
    assert ["journal_dir", "/state/otel-agents/journal", "default"] in lines
    assert ["log_level", "info", "default"] in lines
    assert ["otlp_headers", "authorization", "OTEL_EXPORTER_OTLP_HEADERS"] in lines
    assert ["traces", "http://c:4318/v1/traces?***", "http/json,", "else", "http/protobuf"] in lines
    assert ["logs", "nowhere", "OTEL_LOGS_EXPORTER=none"] in lines
    assert "s3cret" not in out
    assert "\x1b" not in out


def test_show_as_json(ran: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://user:s3cret@c/v1/logs")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-key=s3cret")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "zipkin")
    monkeypatch.setenv("OTEL_AGENTS_CONTENT", "ful")
    status, out, _ = ran("config", "show", "--json")
    shown = json.loads(out)
    assert status == 1
    assert shown["settings"]["content"] == {"value": "none", "from": "default"}
    assert shown["settings"]["otlp_logs_headers"] == {"value": {"x-key": "***"}, "from": "OTEL_EXPORTER_OTLP_LOGS_HEADERS"}
    assert shown["endpoints"] == {
        "traces": None,
        "metrics": None,
        "logs": {
            "url": "https://c/v1/logs",
            "protocol": None,
            "headers": {"x-key": "***"},
            "timeout": 10.0,
            "compression": "gzip",
            "certificate": None,
            "client_key": None,
            "client_certificate": None,
            "insecure": None,
        },
    }
    assert len(shown["destination"]) == 16
    assert shown["problems"] == ["OTEL_AGENTS_CONTENT='ful' is not a valid choice: use none, metadata, hashed, redacted, full (did you mean full?)"]
    assert shown["notices"] == ["OTEL_METRICS_EXPORTER=zipkin: otel-agents has no such exporter; use otlp, prometheus, console or none"]
    assert "s3cret" not in out


# config schema


def test_schema_prints_the_json_schema_of_the_file(ran: Callable[..., Ran]) -> None:
    status, out, err = ran("config", "schema")
    assert (status, err) == (0, "")
    assert json.loads(out)["properties"]["content"]["anyOf"][0]["enum"] == ["none", "metadata", "hashed", "redacted", "full"]


# config check


def test_a_configuration_that_fits_is_said_to(ran: Callable[..., Ran], tmp_path: Path) -> None:
    Path("otel-agents.yaml").write_text("content: hashed\nagents: {planner: gpt-5}\nmodels: [gpt-5, gpt-6]\n")
    assert ran("config", "check") == (0, f"{tmp_path}/otel-agents.yaml: nothing wrong (3 values given, 1 agent, 2 models)\n", "")


def test_check_finds_names_that_point_at_nothing(ran: Callable[..., Ran]) -> None:
    Path("otel-agents.yaml").write_text(CONFIG)
    status, out, _ = ran("config", "check")
    assert status == 1
    assert out.splitlines() == [
        "otel-agents.yaml:4 agents.coder.model is 'gpt-6', which `models:` does not list (did you mean gpt-5?): list it, or correct the name",
        "otel-agents.yaml:9 experiments.fix.parameters.model is 'gpt-4', which `models:` does not list (did you mean gpt-5?): list it, or correct the name",
        "otel-agents.yaml:8 experiments.fix.agents names 'codre', which `agents:` does not define (did you mean coder?): define it, or correct the name",
    ]


def test_check_judges_one_file_without_its_surroundings(ran: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_AGENTS_CONTENT", "ful")
    Path("other.yaml").write_text("alerts: {tool_fail: 3}\n")
    Path("fine.yaml").write_text("content: full\n")
    status, out, _ = ran("config", "check", "other.yaml", "--json")
    assert status == 1
    [problem, *_] = json.loads(out)["problems"]
    assert problem.startswith("other.yaml:1 alerts tool_fail is not an alert with a threshold (did you mean tool_fails?): there are agent_runs_fail, ")
    assert ran("config", "check", "fine.yaml")[0] == 0


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("missing.yaml", None, "FILE='missing.yaml' does not exist: create it, or leave the name out"),
        ("broken.yaml", "a: [", "broken.yaml:1: is not YAML (expected the node content, but found '<stream end>'); correct that line"),
        ("broken.toml", "a =", "broken.toml: is not TOML (Invalid value (at end of document)); correct it"),
        ("certificate.yaml", "otlp: {certificate: /no/ca.pem}", "certificate.yaml:1 otlp.certificate='/no/ca.pem' does not exist: correct the path"),
        ("cost.yaml", "alerts: {cost_spike: 0.5}", "cost.yaml:1 alerts cost_spike has a threshold of 0.5, which is out of range: write more than 1"),
    ],
)
def test_what_a_file_can_have_wrong(ran: Callable[..., Ran], name: str, text: str | None, line: str) -> None:
    if text is not None:
        Path(name).write_text(text)
    assert ran("config", "check", name) == (1, f"{line}\n", "")


def test_wrong_settings_end_a_command_with_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.complain(SettingsError(["one", "two"])) == 2
    assert capsys.readouterr() == ("", "otel-agents: one\notel-agents: two\n")
    with pytest.raises(ValueError, match="ours"):  # a fault of ours keeps its traceback
        app.complain(ValueError("ours"))
