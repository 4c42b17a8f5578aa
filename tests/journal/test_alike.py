"""A chunk whose lines are alike is joined in one step: the same request as line by line, or none at all."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind

from otel_agents.journal.batches import REQUEST_ITEMS, alike, joined
from otel_agents.journal.encode import Lines

RESOURCE = Resource({"service.name": 'shop "a"}],"scope":{'})


def line(number: int, scope: str = "ours", note: str = "") -> bytes:
    ids = SpanContext(1, number + 1, is_remote=False)
    span = ReadableSpan(
        name=f"step {number}",
        context=ids,
        kind=SpanKind.INTERNAL,
        resource=RESOURCE,
        attributes={"note": note},
        start_time=1,
        end_time=2,
        instrumentation_scope=InstrumentationScope(scope),
    )
    return Lines(lambda text, name="": text).span(span)


@pytest.mark.parametrize("count", [1, 2, 50])
@pytest.mark.parametrize("note", ["", '],"scope":{', '{"resourceSpans":[{"scopeSpans":[{"spans":[', "é\n\\"])
def test_lines_that_are_alike_are_one_request(count: int, note: str) -> None:
    lines = [line(number, note=note) for number in range(count)]
    found = alike("traces", b"".join(lines))
    whole = [one[:-1] for one in lines]
    assert found is not None
    assert found.body == joined("traces", whole) == joined("traces", found)
    assert (len(found), [*found], found[:1], found[0]) == (count, whole, whole[:1], whole[0])


FRAGMENT = line(1)[:60]
UNLIKE = {
    "another scope": [line(1), line(2, "theirs"), line(3)],
    "a fragment before a line": [line(1), FRAGMENT + line(2)],
    "a fragment first": [FRAGMENT + line(1), line(2)],
    "a fragment with a newline": [line(1), FRAGMENT + b"\n", line(2)],
    "a foreign line": [line(1), b"{}\n", line(2)],
    "an empty line": [b"\n", line(1)],
    "another signal": [line(1).replace(b"resourceSpans", b"resourceLogs")],
    "too many": [line(1)] * (REQUEST_ITEMS + 1),
}


@pytest.mark.parametrize("lines", UNLIKE.values(), ids=UNLIKE)
def test_lines_that_are_not_alike_are_looked_at_one_by_one(lines: list[bytes]) -> None:
    assert alike("traces", b"".join(lines)) is None
