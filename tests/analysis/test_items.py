"""Lines of OTLP/JSON → plain data."""

from __future__ import annotations

import pytest

from otel_agents.analysis.items import Decoder, Event, Log, Origin, Point, Span

SPAN = (
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173",'
    b'"flags":256,"name":"chat gpt-4o-mini","kind":3,"startTimeUnixNano":"1790000000000000001","endTimeUnixNano":"1790000000500000001","attributes":'
    b'[{"key":"gen_ai.usage.input_tokens","value":{"intValue":"12"}},{"key":"ratio","value":{"doubleValue":"NaN"}},{"key":"none","value":{}},'
    b'{"key":"reasons","value":{"arrayValue":{"values":[{"stringValue":"stop"}]}}},{"key":"map","value":{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}}],'
    b'"events":[{"timeUnixNano":"1790000000100000001","name":"retry","attributes":[{"key":"n","value":{"intValue":"1"}}]}],'
    b'"status":{"code":2,"message":"],\\"scope\\":{ is no tail"}}],"scope":{"name":"otel_agents","version":"0.1.0"},"schemaUrl":"https://x"}],'
    b'"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"travel"}}]}}]}\n'
)


def test_a_span_with_everything() -> None:
    (found,) = Decoder("traces").items(SPAN, "file")
    assert isinstance(found, Span)
    assert found.attributes.pop("ratio") != 0  # type: ignore[attr-defined]  # a NaN equals nothing
    assert found == Span(
        trace_id="5b8efff798038103d269b633813fc60c",
        span_id="eee19b7ec3c1b174",
        parent_id="eee19b7ec3c1b173",
        name="chat gpt-4o-mini",
        kind="client",
        start=1790000000000000001,
        end=1790000000500000001,
        attributes={"gen_ai.usage.input_tokens": 12, "none": None, "reasons": ["stop"], "map": {"a": True}},
        events=(Event(1790000000100000001, "retry", {"n": 1}),),
        failed=True,
        message='],"scope":{ is no tail',
        origin=Origin({"service.name": "travel"}, "otel_agents"),
        segment="file",
    )


def test_a_log_record() -> None:
    line = (
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"0","observedTimeUnixNano":"5","severityNumber":9,"severityText":"INFO",'
        b'"body":{"stringValue":"hello"},"eventName":"otel_agents.run.started","traceId":"aa","spanId":"bb"}],"scope":{}}],"resource":{}}]}'
    )
    assert Decoder("logs").items(line) == [Log(5, "INFO", 9, "hello", "otel_agents.run.started", "aa", "bb", {})]


def test_points_of_every_shape() -> None:
    line = (
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"n","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":"1",'
        b'"timeUnixNano":"2","count":"3","sum":4.5,"bucketCounts":["3"],"explicitBounds":[]}]}},{"name":"m","sum":{"dataPoints":[{"timeUnixNano":"2","asInt":"7"}]}}],"scope":{}}],"resource":{}}]}'
    )
    assert Decoder("metrics").items(line) == [Point("n", "s", 1, 2, 4.5, 3, {}), Point("m", "", 0, 2, 7.0, None, {})]


def test_a_line_of_another_writer_with_several_scopes() -> None:
    one = b'{"traceId":"a","spanId":"%d","name":"n","startTimeUnixNano":"1","endTimeUnixNano":"2"}'
    line = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%b,%b],"scope":{"name":"x"}},{"spans":[%b],"scope":{"name":"y"}}]}]}' % (one % 1, one % 2, one % 3)
    assert [(item.span_id, item.origin.scope) for item in Decoder("traces").items(line) if isinstance(item, Span)] == [("1", "x"), ("2", "x"), ("3", "y")]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"hello\n",
        b"[1]",
        b"null",
        b'{"resourceSpans":3}',
        b'{"resourceSpans":[{}]}',
        b"\xff\xfe",
        SPAN[:400],
        SPAN.replace(b'"spanId"', b'"spamId"'),
    ],
)
def test_what_is_torn_or_foreign_is_counted(line: bytes) -> None:
    decoder = Decoder("traces")
    assert decoder.items(line) == []
    assert decoder.skipped == 1


def test_a_line_that_was_glued_to_a_fragment() -> None:
    decoder = Decoder("traces")
    assert len(decoder.items(SPAN[:300] + SPAN)) == 1
    assert decoder.skipped == 1
