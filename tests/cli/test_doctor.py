"""`otel-agents doctor`, in this environment and on journals and endpoints that are in trouble."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Command
from otlp_server import Receiver, Reply, closed_port, grpc_receiver, http_receiver
from written_journal import Written, counter, span

from otel_agents.analysis.folder import Folder
from otel_agents.cli import checks
from otel_agents.config.settings import load

ENDPOINT = "0123456789abcdef"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OTEL_", "OTEL_AGENTS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        yield receiver


def facts(section: checks.Section) -> dict[str, tuple[str, str]]:
    return {fact.label: (fact.state, fact.text) for fact in section.facts}


def test_all_is_well_here(command: Command) -> None:
    result = command("doctor", "--offline")
    assert (result.status, "Everything is in order." in result.out) == (0, True), result.out
    assert "litellm" in result.out
    assert "patched" in result.out


def test_as_json(command: Command) -> None:
    found = command("doctor", "--json").json
    assert found["ok"] is True
    assert found["problems"] == []
    assert found["activated"]["works"] is True
    assert {row["library"]: row["patched"] for row in found["libraries"]} == {"litellm": True, "openai": True}
    assert [row["to"] for row in found["goes_to"]] == ["local"] * 3


def test_what_is_wrong_and_how_to_mend_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url.replace("://", "://user:secret@"))
        monkeypatch.setenv("OTEL_AGENTS_CONTENT", "everything")
        result = command("doctor")
    assert result.status == 1
    assert "connection refused" in result.out
    assert "start the Collector there" in " ".join(result.out.split())
    assert "OTEL_AGENTS_CONTENT='everything'" in result.out
    assert "4 problems to fix" in result.out
    assert "secret" not in result.out


def test_an_endpoint_that_answers(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    found = facts(checks.destinations(load(), offline=False))
    assert found["traces"] == ("ok", f"{receiver.url}/v1/traces answers (http/json, else http/protobuf)")
    assert found["logs"][0] == found["metrics"][0] == "ok"
    assert receiver.items("traces") == []


def test_an_endpoint_over_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    with grpc_receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        assert {state for state, _ in facts(checks.destinations(load(), offline=False)).values()} == {"ok"}


@pytest.mark.parametrize(("status", "fix"), [(401, "OTEL_EXPORTER_OTLP_HEADERS"), (404, "/v1/traces is appended"), (503, "the endpoint's log")])
def test_an_endpoint_that_refuses(status: int, fix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(lambda request: Reply(status)) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        found = checks.destinations(load(), offline=False).facts[0]
    assert (found.state, found.text) == (checks.WRONG, f"{receiver.url}/v1/traces: HTTP {status}")
    assert fix in found.fix


def test_an_endpoint_that_takes_only_protobuf(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver(lambda request: Reply(415 if "json" in request.headers["Content-Type"] else 200)) as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        assert checks.destinations(load(), offline=False).facts[0].state == checks.OK


def test_signals_that_go_nowhere_or_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    found = facts(checks.destinations(load(), offline=False))
    assert found == {
        "traces": ("ok", "the journal only (no endpoint is set)"),
        "metrics": ("note", "nowhere: switched off"),
        "logs": ("ok", "the journal only (no endpoint is set)"),
    }


def test_a_library_outside_its_range() -> None:
    row = {"library": "openai", "installed": "0.28", "supported": ">=1.26,<4", "patched": False, "why": "version 0.28 is outside >=1.26,<4", "absent": []}
    found = checks.library(row)
    assert (found.state, "pip install 'openai>=1.26,<4'" in found.fix) == (checks.WRONG, True)
    assert checks.library(row | {"installed": None}).state == checks.NOTE


def test_a_python_that_is_not_switched_on() -> None:
    found = checks.activation({"started": False, "recorded": False, "libraries": [], "said": ["ImportError: no"]}, {"OTEL_SDK_DISABLED": "true"})
    assert [fact.state for fact in found.facts if fact.label in ("programs", "OTEL_SDK_DISABLED")] == [checks.WRONG, checks.WRONG]
    assert any("ImportError: no" in fact.fix for fact in found.facts)


def test_a_program_that_can_not_record() -> None:
    found = checks.activation({"started": True, "recorded": False, "libraries": [], "said": ["telemetry failed in build the pipeline"]}, {})
    (fact,) = [fact for fact in found.facts if fact.label == "recording"]
    assert (fact.state, "build the pipeline" in fact.fix, found.data["works"]) == (checks.WRONG, True, False)


def test_what_waits_and_for_whom(written: Written) -> None:
    remote = Written(written.folder, ENDPOINT)
    path = remote.spans("1-ab-cd-1", span("a", id=1), span("b", id=2))
    written.spans("2-ab-cd-1", span("c", id=3))
    found = checks.journal(load(), Folder(written.folder))
    assert found.data["pending_bytes"] == {ENDPOINT: path.stat().st_size}
    assert ("note", f"{path.stat().st_size} B for another endpoint ({ENDPOINT})") in [(fact.state, fact.text) for fact in found.facts]


def test_a_journal_folder_that_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text("")
    found = facts(checks.journal(load(), Folder(path)))
    assert found["folder"][0] == checks.WRONG


def test_losses_of_each_process_by_its_counters_or_its_own_notes_whichever_know_more(written: Written) -> None:
    """One had its metric sent and deleted, one did not get to its notes, of one the metric is older."""
    full = {"otel_agents.signal": "traces", "otel_agents.reason": "disk_full"}
    written.metrics("2-ab-cd-1", counter("otel_agents.telemetry.dropped", [(3, full)]))
    written.metrics("3-ab-cd-1", counter("otel_agents.telemetry.dropped", [(2, full)]))
    for owner, told in (("1-ab-cd", '"traces":{"disk_full":5},"logs":{"cap":1}'), ("2-ab-cd", ""), ("3-ab-cd", '"traces":{"disk_full":4}')):
        (written.folder / "local" / f"{owner}.offsets.json").write_text(f'{{"sent":{{}},"dropped":{{{told}}}}}')
    found = checks.lost(Folder(written.folder))
    assert found.data == [{"signal": "logs", "reason": "cap", "count": 1}, {"signal": "traces", "reason": "disk_full", "count": 5 + 3 + 4}]
    assert "free some space" in found.facts[1].fix


def test_the_kind_of_file_system() -> None:
    assert checks.file_system(Path("/proc")) == "proc"
