"""The nesting of the three signals, against the official messages."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_agents.otlp.signals import HEAD, NESTING, SIGNALS

REQUESTS = {"traces": ExportTraceServiceRequest, "metrics": ExportMetricsServiceRequest, "logs": ExportLogsServiceRequest}
ITEMS = {"traces": {"name": "a"}, "metrics": {"name": "a"}, "logs": {"eventName": "a"}}


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_request_is_one_to_the_official_messages(signal: str) -> None:
    request = NESTING[signal].request({"attributes": []}, {"name": "scope"}, [ITEMS[signal]])
    message = Parse(json.dumps(request), REQUESTS[signal]())  # raises on a name that it does not know
    assert message.ByteSize() > len("scope")


@pytest.mark.parametrize("signal", SIGNALS)
def test_what_was_built_is_walked(signal: str) -> None:
    nesting = NESTING[signal]
    request = nesting.request({"attributes": []}, {"name": "scope"}, [ITEMS[signal]])
    assert [(resource["resource"], scope["scope"], items) for resource, scope, items in nesting.walk(request)] == [
        ({"attributes": []}, {"name": "scope"}, [ITEMS[signal]])
    ]


@pytest.mark.parametrize("signal", SIGNALS)
def test_an_item_behind_the_head_is_a_request(signal: str) -> None:
    line = HEAD[signal] + json.dumps(ITEMS[signal]).encode() + b"]}]}]}"
    assert [items for _, _, items in NESTING[signal].walk(json.loads(line))] == [[ITEMS[signal]]]
