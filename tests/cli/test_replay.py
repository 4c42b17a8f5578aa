"""`otel-agents replay`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Command
from otlp_server import Receiver, Reply, closed_port, http_receiver
from written_journal import Written, log, span

ELSEWHERE = "0123456789abcdef"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as made:
        yield made


def kept(written: Written) -> Path:
    """A journal with what was sent elsewhere, and what stayed local."""
    path = Written(written.folder, ELSEWHERE).spans("1-ab-cd-1", span("sent elsewhere", id=1))
    path.rename(path.with_name(path.name.replace(".jsonl", ".sent.jsonl")))
    written.logs("2-ab-cd-1", log("said", id=2))
    return written.spans("2-ab-cd-1", span("local", id=2), span("local too", id=3))


def test_all_that_is_kept_goes_out_once(command: Command, written: Written, receiver: Receiver) -> None:
    kept(written)
    result = command("replay", "--to", receiver.url)
    assert (result.status, receiver.names(), receiver.names("logs")) == (0, ["local", "local too", "sent elsewhere"], ["said"])
    assert result.out.startswith("sent 3 spans, 1 log record: ")
    again = command("replay", "--to", receiver.url)
    assert (again.status, len(receiver.items("traces"))) == (0, 3)
    assert again.out.startswith("nothing to replay")


def test_what_came_since_goes_with_the_next_one_and_again_sends_all(command: Command, written: Written, receiver: Receiver) -> None:
    path = kept(written)
    command("replay", "--to", receiver.url)
    more = Written(written.folder.parent / "more").spans("2-ab-cd-1", span("later", id=4))
    with path.open("ab") as file:
        file.write(more.read_bytes())
    assert command("replay", "--to", receiver.url, "--json").json["items"] == {"traces": 1}
    assert command("replay", "--to", receiver.url, "--json", "--again").json["items"] == {"traces": 4, "logs": 1}


def test_an_endpoint_of_another_name_gets_it_too(command: Command, written: Written, receiver: Receiver) -> None:
    kept(written)
    command("replay", "--to", receiver.url)
    with http_receiver() as other:
        assert command("replay", "--to", other.url, "--json").json["items"] == {"traces": 3, "logs": 1}


def test_a_file_that_is_written_to_goes_up_to_its_last_whole_line(command: Command, written: Written, receiver: Receiver) -> None:
    path = kept(written)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b'{"resourceSpans":[{"scope')
        file.flush()
        found = command("replay", "--to", receiver.url, "--json").json
    assert (found["items"], found["lost"]) == ({"traces": 3, "logs": 1}, {})


def test_a_dry_run_sends_nothing(command: Command, written: Written, receiver: Receiver) -> None:
    kept(written)
    assert command("replay", "--to", receiver.url, "--dry-run").out.startswith("would send ")
    assert receiver.requests == []


def test_since_leaves_old_files(command: Command, written: Written, receiver: Receiver) -> None:
    path = kept(written)
    for one in written.folder.rglob("*.jsonl"):
        os.utime(one)
    os.utime(path, (0, 0))
    assert command("replay", "--to", receiver.url, "--since", "1h", "--json").json["items"] == {"traces": 1, "logs": 1}


def test_what_was_sent_until_the_endpoint_failed_is_not_sent_again(command: Command, written: Written) -> None:
    kept(written)
    with http_receiver(lambda request: Reply(503) if request.signal == "logs" else Reply()) as receiver:
        result = command("replay", "--to", receiver.url, "--patience", "1s")
        assert (result.status, len(receiver.names())) == (1, 3)
        assert f"can't send logs to {receiver.url}: HTTP 503" in result.err
        receiver.answer = lambda request: Reply()
        assert command("replay", "--to", receiver.url).status == 0
        assert (receiver.names(), receiver.names("logs")) == (["local", "local too", "sent elsewhere"], ["said"])


def test_nobody_there_is_said_in_a_line(command: Command, written: Written) -> None:
    kept(written)
    with closed_port() as url:
        result = command("replay", "--to", url, "--patience", "1s")
    assert result.status == 1
    assert [line.split(" to ")[0] for line in result.err.splitlines()] == ["otel-agents replay: can't send logs", "otel-agents replay: can't send traces"]
    assert result.err.count(": connection refused. What was sent is remembered; run it again when the endpoint is back.") == 2


def test_a_journal_that_is_not_there_is_said_and_not_made(command: Command, tmp_path: Path, receiver: Receiver) -> None:
    result = command("replay", "--to", receiver.url, "--journal", str(tmp_path / "nowhere"))
    assert (result.status, result.err.splitlines()[0]) == (1, f"otel-agents: nothing has been recorded in {tmp_path / 'nowhere'} yet.")
    assert not (tmp_path / "nowhere").exists()


def test_without_an_endpoint_it_says_what_to_write(command: Command, written: Written) -> None:
    result = command("replay")
    assert (result.status, "--to http://localhost:4318" in result.err) == (2, True)


def test_what_waits_for_this_very_endpoint_is_left_to_its_shipper(command: Command, written: Written, receiver: Receiver) -> None:
    from otel_agents.config.settings import load

    destination = load(otlp_endpoint=receiver.url).destination
    Written(written.folder, destination).spans("3-ab-cd-1", span("on its way", id=5))
    assert command("replay", "--to", receiver.url).out.startswith("nothing to replay")


def test_headers_for_another_host_are_not_sent(command: Command, written: Written, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(written)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://hosted.example")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20secret")
    result = command("replay", "--to", receiver.url)
    assert "is meant for https://hosted.example" in result.err
    assert {request.headers.get("Authorization") for request in receiver.requests} == {None}
