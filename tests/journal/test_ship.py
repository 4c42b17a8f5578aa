"""What the endpoint gets, and what becomes of the segments."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from otlp_server import Reply, grpc_receiver, http_receiver
from rig import Rig

MakeRig = Callable[..., Rig]


@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf", "grpc", None])
def test_a_span_and_a_log_arrive_once_over_each_protocol(rig: MakeRig, protocol: str | None) -> None:
    with (grpc_receiver if protocol == "grpc" else http_receiver)() as receiver:
        one = rig(receiver.url, protocol=protocol)
        one.span("first", {"a": 1})
        one.log("said")
        one.span("second")
        one.shipper.run_once()
        one.shipper.run_once()
        assert receiver.names() == ["first", "second"]
        assert receiver.names("logs") == ["said"]
        assert len(receiver.requests) == 2
        assert one.shipper.status()["traces"]["pending_bytes"] == 0
    assert one.dropped == {}
