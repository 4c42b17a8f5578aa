"""AnyValue in OTLP/JSON → Python values, with the official messages as the source."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agents.otlp.any_value import attributes_of, value_of

CASES: list[tuple[AnyValue, Any]] = [
    (AnyValue(), None),
    (AnyValue(string_value=""), ""),
    (AnyValue(bool_value=False), False),
    (AnyValue(int_value=-(2**63)), -(2**63)),
    (AnyValue(double_value=0.5), 0.5),
    (AnyValue(double_value=math.inf), math.inf),
    (AnyValue(bytes_value=b"\x00\xff"), "AP8="),
    (AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])), [1, None]),
    (AnyValue(array_value=ArrayValue()), []),
    (AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a", value=AnyValue(string_value="b"))])), {"a": "b"}),
    (AnyValue(kvlist_value=KeyValueList()), {}),
]


@pytest.mark.parametrize(("message", "expected"), CASES, ids=lambda given: repr(given)[:30])
def test_every_kind(message: AnyValue, expected: Any) -> None:
    found = value_of(MessageToDict(message))
    assert (found, type(found)) == (expected, type(expected))


def test_a_kind_that_otlp_does_not_have_is_no_value() -> None:
    with pytest.raises(KeyError, match="dateValue"):
        value_of({"dateValue": "2026-11-21"})


def test_attributes_of_a_record() -> None:
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop")), KeyValue(key="n", value=AnyValue(int_value=3))])
    assert attributes_of(MessageToDict(resource)) == {"service.name": "shop", "n": 3}
    assert attributes_of({}) == {}
