"""What the endpoint gets, what its answers do, and what becomes of the segments."""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTracePartialSuccess, ExportTraceServiceResponse
from otlp_server import OK, Reply, Request, closed_port, grpc_receiver, http_receiver
from rig import Rig
from rig import span as make_span

MakeRig = Callable[..., Rig]
OPENSSL = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
PROTOCOLS = ["http/json", "http/protobuf", "grpc"]


def receiver_for(protocol: str | None) -> Callable[..., object]:
    return grpc_receiver if protocol == "grpc" else http_receiver


@pytest.mark.parametrize("protocol", [*PROTOCOLS, None])
def test_a_span_and_a_log_arrive_once_over_each_protocol(rig: MakeRig, protocol: str | None) -> None:
    with receiver_for(protocol)() as receiver:
        one = rig(receiver.url, protocol=protocol)
        one.span("first", {"a": 1})
        one.log("said")
        one.span("second")
        one.shipper.run_once()
        one.shipper.run_once()
        assert receiver.names() == ["first", "second"]
        assert receiver.names("logs") == ["said"]
        assert len(receiver.requests) == 2
        assert one.status()["pending_bytes"] == 0
    assert one.dropped == {}


def test_a_request_carries_an_origin_once(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        for name in ("a", "b", "c"):
            one.span(name)
        one.shipper.run_once()
        [request] = receiver.requests
        assert [len(element["scopeSpans"][0]["spans"]) for element in request.content["resourceSpans"]] == [3]
        assert request.headers["Content-Encoding"] == "gzip"


def test_headers_and_user_info_are_sent_and_never_said(rig: MakeRig, caplog: pytest.LogCaptureFixture) -> None:
    with http_receiver(lambda request: Reply(401)) as receiver:
        one = rig(receiver.url.replace("http://", "http://me:pass%20word@"), headers={"api-key": "sesame"}, compression="none")
        one.span("a")
        one.shipper.run_once()
        assert receiver.requests[0].headers["api-key"] == "sesame"
        assert receiver.requests[0].headers["Authorization"] == "Basic bWU6cGFzcyB3b3Jk"
        assert "Content-Encoding" not in receiver.requests[0].headers
    assert "HTTP 401" in caplog.text
    assert not {word for word in ("sesame", "pass", "bWU6") if word in caplog.text + str(one.status())}


LATER = {
    "cut": Reply(cuts=True),
    "429": Reply(429),
    "500": Reply(500),
    "502": Reply(502),
    "503": Reply(503),
    "504": Reply(504),
    "302": Reply(302, {"Location": "http://elsewhere.test/"}),
    "401": Reply(401),
    "403": Reply(403),
    "405": Reply(405),
    "HTML": Reply(200, {"Content-Type": "text/html"}, b"<html>hello</html>", takes=False),
    "HTML in disguise": Reply(200, {"Content-Type": "application/json"}, b"\n<!doctype html>", takes=False),
}


@pytest.mark.parametrize("reply", LATER.values(), ids=LATER)
def test_nothing_is_lost_to_an_answer_that_says_nothing_of_the_items(rig: MakeRig, reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    replies = [reply, reply]
    with http_receiver(lambda request: replies.pop() if replies else OK) as receiver:
        one = rig(receiver.url)
        one.span("a")
        for _ in range(3):
            one.shipper.run_once()
            one.retry_now()
        one.shipper.run_once()
        assert receiver.names() == ["a"]
        assert len(receiver.requests) == 3
    assert one.dropped == {}
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["otel-agents", "otel-agents"]
    assert "can't send traces to" in caplog.messages[0]
    assert "again" in caplog.messages[1]


GRPC_LATER = ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "UNAUTHENTICATED", "INTERNAL"]


@pytest.mark.parametrize("code", GRPC_LATER)
def test_nothing_is_lost_to_a_grpc_status_that_says_nothing_of_the_items(rig: MakeRig, code: str) -> None:
    replies = [Reply(grpc_code=code)]
    with grpc_receiver(lambda request: replies.pop() if replies else OK) as receiver:
        one = rig(receiver.url, protocol="grpc")
        one.span("a")
        one.shipper.run_once()
        assert receiver.names() == []
        assert one.status()["last_error"] == f"gRPC {code}"
        one.retry_now()
        one.shipper.run_once()
        assert receiver.names() == ["a"]
    assert one.dropped == {}


def test_refused_connections_lose_nothing_and_are_said_once(rig: MakeRig, caplog: pytest.LogCaptureFixture) -> None:
    with closed_port() as url:
        one = rig(url)
        one.span("a")
        for _ in range(3):
            one.shipper.run_once()
            one.retry_now()
    assert [record.getMessage() for record in caplog.records if "refused" in record.getMessage()] == caplog.messages
    assert len(caplog.messages) == 1
    assert one.status()["last_error"] == "connection refused"
    assert one.shipper.lag_seconds() > 0


def test_a_hanging_server_costs_its_timeout_and_no_item(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(hangs=True)) as receiver:
        one = rig(receiver.url, timeout=0.2)
        one.span("a")
        began = time.monotonic()
        one.shipper.run_once()
        assert time.monotonic() - began < 1.5
        assert one.status()["last_error"] == "no answer in time"


def test_a_dripping_answer_ends_at_the_deadline(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(body=b"{" + b" " * 100 + b"}", drips_s=0.05)) as receiver:
        one = rig(receiver.url, timeout=0.3)
        one.span("a")
        began = time.monotonic()
        one.shipper.run_once()
        assert time.monotonic() - began < 2.0
        assert one.status()["last_error"] == "no answer in time"


@pytest.mark.parametrize("given", ["7", "date"])
def test_retry_after_is_obeyed_in_both_forms(rig: MakeRig, given: str) -> None:
    with http_receiver(lambda request: Reply(429, {"Retry-After": formatdate(time.time() + 7, usegmt=True) if given == "date" else given})) as receiver:
        one = rig(receiver.url)
        one.span("a")
        one.shipper.run_once()
        one.shipper.run_once()
        assert len(receiver.requests) == 1
        assert 5 < one.shipper._senders["traces"]._not_before - time.monotonic() <= 7


def test_a_grpc_server_may_say_when_to_come_again(rig: MakeRig) -> None:
    from google.rpc.error_details_pb2 import RetryInfo

    info = RetryInfo()
    info.retry_delay.FromMilliseconds(7500)
    with grpc_receiver(lambda request: Reply(grpc_code="UNAVAILABLE", headers={"google.rpc.retryinfo-bin": info.SerializeToString()})) as receiver:
        one = rig(receiver.url, protocol="grpc")
        one.span("a")
        one.shipper.run_once()
        assert 6 < one.shipper._senders["traces"]._not_before - time.monotonic() <= 7.5


PARTIAL = {
    "http/json": b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}',
    "http/protobuf": ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=2)).SerializeToString(),
    "grpc": ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=2)).SerializeToString(),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_partial_success_is_counted(rig: MakeRig, protocol: str) -> None:
    with receiver_for(protocol)(lambda request: Reply(body=PARTIAL[protocol])) as receiver:
        one = rig(receiver.url, protocol=protocol)
        for name in "abc":
            one.span(name)
        one.shipper.run_once()
        assert one.dropped == {("traces", "rejected"): 2}
        assert one.status()["dropped"] == {"rejected": 2}
        assert one.status()["pending_bytes"] == 0


def has_poison(request: Request) -> bool:
    return any("poison" in item["name"] for item in request.items)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_one_poison_item_harms_only_itself(rig: MakeRig, protocol: str) -> None:
    refusal = Reply(400, grpc_code="INVALID_ARGUMENT")
    with receiver_for(protocol)(lambda request: refusal if has_poison(request) else OK) as receiver:
        one = rig(receiver.url, protocol=protocol)
        for number in range(50):
            one.span("poison" if number in (17, 40) else f"{number:02}")
        one.shipper.run_once()
        assert receiver.names() == sorted(f"{number:02}" for number in range(50) if number not in (17, 40))
        assert one.dropped == {("traces", "rejected"): 2}


def test_an_endpoint_that_refuses_everything_is_not_taken_for_poison(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(400)) as receiver:
        one = rig(receiver.url, protocol="http/json")
        for number in range(5):
            one.span(f"{number}")
        one.shipper.run_once()
        assert one.dropped == {}
        receiver.answer = lambda request: OK
        one.retry_now()
        one.shipper.run_once()
        assert receiver.names() == list("01234")


def test_a_lasting_500_costs_only_the_item_that_causes_it(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(500) if has_poison(request) else OK) as receiver:
        one = rig(receiver.url)
        for name in ("a", "poison", "b"):
            one.span(name)
        for _ in range(5):
            one.shipper.run_once()
            one.retry_now()
        assert receiver.names() == ["a", "b"]
        assert one.dropped == {("traces", "rejected"): 1}


def test_a_lasting_500_for_everything_costs_nothing(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(500)) as receiver:
        one = rig(receiver.url)
        for number in range(40):
            one.span(f"{number}")
        for _ in range(8):
            one.shipper.run_once()
            one.retry_now()
        assert one.dropped == {}
        receiver.answer = lambda request: OK
        one.shipper.run_once()
        assert len(receiver.names()) == 40


def test_413_splits_down_to_one_item_and_cuts_the_one_that_is_too_large(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(413) if len(request.body) > 5000 else OK) as receiver:
        one = rig(receiver.url)
        for number in range(20):
            one.span(f"{number:02}", {"text": "x" * (20_000 if number == 7 else 1_000)})
        one.shipper.run_once()
        assert receiver.names() == [f"{number:02}" for number in range(20)]
        [large] = [item for item in receiver.items("traces") if item["name"] == "07"]
        assert large["attributes"][0]["value"]["stringValue"].endswith("… [cut, 20000 characters]")
    assert one.dropped == {}


def test_what_is_too_large_at_any_size_is_counted(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(413) if request.items and request.items[0]["name"] == "b" else OK) as receiver:
        one = rig(receiver.url)
        for name in "abc":
            one.span(name)
        receiver.answer = lambda request: Reply(413) if "b" in [item["name"] for item in request.items] else OK
        one.shipper.run_once()
        assert receiver.names() == ["a", "c"]
        assert one.dropped == {("traces", "too_large"): 1}


@pytest.mark.parametrize("status", [400, 404, 415])
def test_without_a_protocol_asked_for_protobuf_follows_json(rig: MakeRig, status: int, caplog: pytest.LogCaptureFixture) -> None:
    with http_receiver(lambda request: Reply(status) if "json" in request.headers["Content-Type"] else OK) as receiver:
        one = rig(receiver.url, signals=("traces",))
        for name in "ab":
            one.span(name)
            one.shipper.run_once()
        assert receiver.names() == ["a", "b"]
        assert [request.headers["Content-Type"] for request in receiver.taken] == ["application/x-protobuf"] * 2
        assert one.status()["protocol"] == "http/protobuf"
    assert [message for message in caplog.messages if "protobuf from now on" in message] == caplog.messages
    assert len(caplog.messages) == 1


def test_a_protocol_asked_for_is_kept(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(415)) as receiver:
        one = rig(receiver.url, protocol="http/json")
        one.span("a")
        one.shipper.run_once()
        assert one.status() | {"pending_bytes": 0} == {
            "protocol": "http/json",
            "pending_bytes": 0,
            "last_error": "HTTP 415",
            "last_success": None,
            "dropped": {},
        }


def test_a_kept_connection_that_the_server_closed_is_opened_again(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(headers={"Connection": "close"})) as receiver:
        one = rig(receiver.url)
        for name in "abc":
            one.span(name)
            one.shipper.run_once()
        assert receiver.names() == ["a", "b", "c"]
    assert one.dropped == {}


def test_a_connection_that_the_program_closed_is_not_written_to(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url, signals=("traces",))
        one.span("a")
        one.shipper.run_once()
        number = one.shipper._senders["traces"].client._connection.sock.fileno()
        theirs, other = socket.socketpair()
        with theirs, other:
            other.setblocking(False)
            os.dup2(theirs.fileno(), number)
            one.span("b")
            one.shipper.run_once()
            with pytest.raises(BlockingIOError):
                other.recv(1)
            os.close(number)
        assert receiver.names() == ["a", "b"]


def test_https_with_a_certificate_of_ones_own(rig: MakeRig, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [*OPENSSL, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificate)
    with http_receiver(tls=context) as receiver:
        stranger = rig(receiver.url, destination="d1")
        stranger.span("a")
        stranger.shipper.run_once()
        assert stranger.status()["last_error"] == "the certificate is not trusted"
        friend = rig(receiver.url, certificate=str(certificate), client_certificate=str(certificate), client_key=str(key))
        friend.span("b")
        friend.shipper.run_once()
        assert receiver.names() == ["b"]


def test_the_environments_proxy_is_asked(rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    with http_receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://us:er@"))
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        one = rig("http://collector.test:4318", signals=("traces",))
        one.span("a")
        one.shipper.run_once()
        assert [request.path for request in proxy.requests] == ["http://collector.test:4318/v1/traces"]
        assert proxy.requests[0].headers["Proxy-Authorization"] == "Basic dXM6ZXI="
        assert proxy.names() == ["a"]


def test_a_fragment_and_a_line_glued_to_it(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        one.span("a")
        [segment] = one.journal.segments("traces")
        with open(segment.path, "ab") as file:
            file.write(one.lines.span(make_span("lost"))[:99])
        one.span("b")
        one.journal.append("traces", b"no line of ours\n")
        one.span("c")
        one.shipper.run_once()
        assert receiver.names() == ["a", "b", "c"]
    assert one.dropped == {("traces", "torn"): 1}


def test_sent_segments_stay_readable_under_another_name(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        one = rig(receiver.url)
        one.span("a")
        one.shipper.run_once()
        assert one.shipper.flush()
        one.shipper.close()
    [name] = one.files()
    assert name.endswith(".sent.jsonl")
    assert json.loads((one.journal.folder / name).read_bytes())["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "a"


def test_local_is_sent_nowhere(rig: MakeRig) -> None:
    with http_receiver() as receiver:
        local = rig(None, destination="local")
        local.span("a")
        local.shipper.run_once()
        assert local.shipper.flush()
        local.shipper.close()
        other = rig(receiver.url)
        other.span("b")
        other.shipper.run_once()
        assert receiver.names() == ["b"]
        assert len(local.files("*[0-9].jsonl")) == 1


def test_flush_does_not_try_an_endpoint_that_failed(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(503)) as receiver:
        one = rig(receiver.url)
        one.span("a")
        one.shipper.run_once()
        began = time.monotonic()
        assert not one.shipper.flush()
        assert time.monotonic() - began < 0.3
        assert len(receiver.requests) == 1


def test_flush_asks_for_a_connection_before_the_first_send(rig: MakeRig) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one_waiting in waiting:
            one_waiting.setblocking(False)
            one_waiting.connect_ex(full.getsockname())
        one = rig(f"http://127.0.0.1:{full.getsockname()[1]}")
        one.span("a")
        began = time.monotonic()
        assert not one.shipper.flush()
        assert time.monotonic() - began < 0.4
        for one_waiting in waiting:
            one_waiting.close()


def test_flush_ends_in_time_when_the_server_hangs(rig: MakeRig) -> None:
    with http_receiver(lambda request: Reply(hangs=True)) as receiver:
        one = rig(receiver.url)
        one.span("a")
        began = time.monotonic()
        assert not one.shipper.flush(0.5)
        assert time.monotonic() - began < 1.0
        assert len(receiver.requests) == 1


def test_grpc_without_grpcio_names_the_extra(rig: MakeRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    one = rig("http://127.0.0.1:1", protocol="grpc")
    one.span("a")
    one.shipper.run_once()
    assert "pip install 'otel-agents[grpc]'" in caplog.text
    assert one.dropped == {}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.WARNING, "otel_agents")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
