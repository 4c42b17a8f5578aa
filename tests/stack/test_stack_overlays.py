"""The overlays at work: a Collector with each of them, between programs and the stores."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from brokers import kafka
from collectors import collector
from observed import run
from otlp_server import http_receiver

from otel_agents.stack.answers import ask
from otel_agents.stack.native import Native
from otel_agents.stack.servers import LOKI_TEMPO
from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

Eventually = Callable[..., None]
TOKEN = "a-token-of-the-tests"


def span(trace: int, name: str, *, seconds: float = 0.1, failed: bool = False, cost: float = 0.0) -> dict[str, object]:
    now = time.time_ns()
    attributes = [{"key": "otel_agents.cost", "value": {"doubleValue": cost}}] if cost else []
    times = {"startTimeUnixNano": str(now - int(seconds * 1e9)), "endTimeUnixNano": str(now)}
    return {"traceId": f"{trace:032x}", "spanId": f"{trace:016x}", "name": name, "attributes": attributes, "status": {"code": 2 if failed else 0}, **times}


def of(service: str, *spans: dict[str, object]) -> dict[str, object]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}


def at(stores: Stores, ports: dict[str, int]) -> Stores:
    """The same stores, with another Collector before them."""
    return replace(stores, otelcol=f"http://127.0.0.1:{ports['otelcol']}", otlp=f"http://127.0.0.1:{ports['otlp_http']}")


def test_tail_sampling_keeps_errors_slow_and_expensive_ones(stack: Native, stores: Stores, tmp_path: Path, eventually: Eventually) -> None:
    ports: dict[str, int] = {}
    given = {"STACK_DECISION_WAIT": "1s", "STACK_SAMPLE_PERCENT": "0"}
    spans = [span(1, "quick"), span(2, "failed", failed=True), span(3, "slow", seconds=31), span(4, "dear", cost=0.3), span(5, "cheap", cost=0.2)]
    with collector(stack, tmp_path, "tail-sampling", listening=ports, **given):
        assert at(stores, ports).send("traces", of("sampled", *spans)).status == 200
        eventually(lambda: {span["name"] for span in stores.spans("sampled")} == {"failed", "slow", "dear"})
        time.sleep(2)
        assert {span["name"] for span in stores.spans("sampled")} == {"failed", "slow", "dear"}


def test_span_metrics_count_what_sampling_drops(stack: Native, stores: Stores, tmp_path: Path, journal: Path, eventually: Eventually) -> None:
    ports: dict[str, int] = {}
    given = {"STACK_DECISION_WAIT": "1s", "STACK_SAMPLE_PERCENT": "0", "STACK_SPAN_METRICS_INTERVAL": "2s"}
    with collector(stack, tmp_path, "span-metrics", "tail-sampling", listening=ports, **given):
        run("many", 5, journal=journal, stores=at(stores, ports), OTEL_SERVICE_NAME="counted")
        query = 'sum(traces_span_metrics_calls_total{service_name="counted",gen_ai_operation_name="execute_tool",gen_ai_tool_name="count"})'
        eventually(lambda: stores.value(query) == 5, seconds=40)
    assert stores.spans("counted") == []


def test_old_names_stand_beside_the_new_ones_with_equal_values(stack: Native, stores: Stores, tmp_path: Path, journal: Path, eventually: Eventually) -> None:
    ports: dict[str, int] = {}
    with collector(stack, tmp_path, "old-names", listening=ports):
        run("one_call", journal=journal, stores=at(stores, ports), OTEL_SERVICE_NAME="renamed")
        expected = {
            'gen_ai_client_operation_duration_seconds_count{gen_ai_operation_name="chat",': 1,
            'gen_ai_client_inference_duration_seconds_count{gen_ai_operation_name="chat",': 1,
            'gen_ai_client_token_usage_sum{gen_ai_token_type="input",': 10,
            'gen_ai_client_token_usage_sum{gen_ai_token_type="output",': 5,
        }
        for query, value in expected.items():
            eventually(lambda query=query, value=value: stores.value(f'sum(increase({query}service_name="renamed"}}[5m]))') == pytest.approx(value))


def test_two_tiers_hand_everything_on(stack: Native, stores: Stores, tmp_path: Path, journal: Path, eventually: Eventually) -> None:
    gateway: dict[str, int] = {}
    agent: dict[str, int] = {}
    sampling = {"STACK_DECISION_WAIT": "1s", "STACK_SAMPLE_PERCENT": "100"}
    with collector(stack, tmp_path / "gateway", "tail-sampling", "gateway-tier", listening=gateway, **sampling):
        onward = {"STACK_GATEWAY_HOST": "localhost", "STACK_GATEWAY_PORT": str(gateway["otlp_grpc"]), "STACK_GATEWAY_INSECURE": "true"}
        with collector(stack, tmp_path / "agent", "agent-tier", listening=agent, **onward):
            telemetry = run("many", 20, journal=journal, stores=at(stores, agent), OTEL_SERVICE_NAME="tiered", OTEL_AGENTS_CONTENT="full")
            [trace_id] = {span["trace_id"] for span in telemetry.spans}
            eventually(lambda: len(stores.trace(trace_id)) == 21)
            eventually(lambda: len(stores.lines("tiered")) == len(telemetry.logs))
            eventually(lambda: stores.value('sum(otel_agents_runs_total{service_name="tiered"})') == 1)
    assert any(line.text.startswith('{"gen_ai.tool.call.arguments"') for line in stores.lines("tiered"))


def test_kafka_between_the_tiers_keeps_what_no_gateway_reads_and_is_waited_for(stack: Native, stores: Stores, tmp_path: Path, eventually: Eventually) -> None:
    """First no gateway is there to read, then no broker to write to: all of it arrives."""
    agent: dict[str, int] = {}
    gateway: dict[str, int] = {}
    with kafka(tmp_path / "broker") as broker, collector(stack, tmp_path / "agent", "kafka-agents", listening=agent, STACK_KAFKA=broker.address):
        said = {"OTEL_SERVICE_NAME": "queued", "OTEL_AGENTS_CONTENT": "full"}
        unread = run("many", 20, journal=tmp_path / "unread", stores=at(stores, agent), **said)
        eventually(lambda: of_kafka(stores, agent, "otelcol_exporter_sent_spans") == len(unread.spans))
        with collector(stack, tmp_path / "gateway", "kafka-gateway", STACK_KAFKA=broker.address, listening=gateway):
            check_queued(stores, [unread], eventually)
            assert stores.total(at(stores, gateway).otelcol, "otelcol_receiver_accepted_spans") == len(unread.spans), "each is read once"
            broker.stop()
            unwritten = run("many", 30, journal=tmp_path / "unwritten", stores=at(stores, agent), **said)
            assert of_kafka(stores, agent, "otelcol_exporter_queue_size") > 0
            broker.start()
            check_queued(stores, [unread, unwritten], eventually)
    assert any(line.text.startswith('{"gen_ai.tool.call.arguments"') for line in stores.lines("queued"))


def of_kafka(stores: Stores, ports: dict[str, int], name: str) -> float:
    """What the Collector counts of its exporter."""
    return stores.total(at(stores, ports).otelcol, name, exporter="kafka")


def check_queued(stores: Stores, runs: list[Telemetry], eventually: Eventually) -> None:
    """Every span, log line and metric point of these runs is in its store."""
    for telemetry in runs:
        made = telemetry.spans
        eventually(lambda made=made: len(stores.trace(made[0]["trace_id"])) == len(made))
    eventually(lambda: len(stores.lines("queued")) == sum(len(telemetry.logs) for telemetry in runs))
    eventually(lambda: stores.value('sum(otel_agents_runs_total{service_name="queued"})') == len(runs))


def test_only_who_has_the_token_is_let_in_over_tls(stack: Native, stores: Stores, tmp_path: Path, journal: Path, eventually: Eventually) -> None:
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(["openssl", *words.split(), "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], capture_output=True, check=True)
    (tmp_path / "token").write_text(TOKEN)
    given = {"STACK_TLS_CERT": str(tmp_path / "cert.pem"), "STACK_TLS_KEY": str(tmp_path / "key.pem"), "STACK_TOKEN_FILE": str(tmp_path / "token")}
    ports: dict[str, int] = {}
    with collector(stack, tmp_path, "tls-auth", listening=ports, **given):
        assert ask(f"http://127.0.0.1:{ports['otlp_http']}/v1/traces", b"{}").status in (0, 400), "plain HTTP is not understood"
        client = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"https://localhost:{ports['otlp_http']}", "OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "cert.pem")}
        run("one_call", journal=journal / "without", stores=None, OTEL_SERVICE_NAME="stranger", **client)
        right = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}"}
        telemetry = run("one_call", journal=journal / "with", stores=None, OTEL_SERVICE_NAME="friend", **client, **right)
        eventually(lambda: len(stores.lines("friend")) == len(telemetry.logs))
        eventually(lambda: len(stores.spans("friend")) == len(telemetry.spans))
        assert stores.lines("stranger") == []
        assert stores.spans("stranger") == []


def test_the_tenant_is_named_in_every_request(stack: Native, stores: Stores, tmp_path: Path, journal: Path, eventually: Eventually) -> None:
    ports: dict[str, int] = {}
    with http_receiver() as receiver:
        given = {"STACK_TENANT": "team-a", "STACK_LOKI": receiver.url, "STACK_PROMETHEUS": receiver.url}
        with collector(stack, tmp_path, "tenant", listening=ports, stores=LOKI_TEMPO, **given):
            run("one_call", journal=journal, stores=at(stores, ports), OTEL_SERVICE_NAME="tenant")
            eventually(lambda: {request.signal for request in receiver.requests} == {"logs", "metrics"})
        assert {request.headers.get("X-Scope-Orgid") for request in receiver.requests} == {"team-a"}
