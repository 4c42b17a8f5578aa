"""Items put together from bytes that were made once are, byte for byte, those that encode.py makes from plain data; what can't be is left to that."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState

from otel_agents.journal import encode, fragments
from otel_agents.journal.fragments import Fragments
from otel_agents.journal.sizes import ITEM_LIMIT
from otel_agents.redaction.redactor import Redactor

REDACT = Redactor("none")
FRAGMENTS = Fragments(REDACT)
SECRET = "sk-proj-4f8Gk2LmQ9rT7vXz1BcD3eFgH5jKnP6sUwYa"
FEW = ["gen_ai.tool.name", f"key {SECRET}", "gen_ai.usage.input_tokens", "password", 'é\n"', ""]
texts = st.one_of(st.text(max_size=200), st.sampled_from(["", "stop", f"key {SECRET}", "ann@example.com", "x" * 127, "x" * 129, '"\\\x00\u2028']))
scalars = st.one_of(st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.none(), st.binary(max_size=9), texts)
values = st.one_of(texts, scalars, st.lists(texts, max_size=12), st.lists(scalars, max_size=4), st.dictionaries(texts, scalars, max_size=3))
names_of_attributes = st.one_of(st.sampled_from(FEW), st.text(max_size=20))
mappings = st.dictionaries(names_of_attributes, values, min_size=1, max_size=8)
further = st.dictionaries(names_of_attributes, values, max_size=4)
ids = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    is_remote=st.booleans(),
    trace_flags=st.sampled_from([TraceFlags(1), TraceFlags(3)]),
)
moments = st.integers(0, 2**63)
maybe = st.one_of(st.none(), ids)
names = st.one_of(texts, st.just("execute_tool search"))


def fragments_of(span: ReadableSpan, attributes: dict[str, Any]) -> bytes | None:
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return FRAGMENTS.span((span.name, span.context, span.parent, span.kind, span.start_time), span.end_time, attributes)


@settings(deadline=None)
@given(ids, maybe, names, st.sampled_from(SpanKind), moments, moments, mappings)
def test_a_span(context: SpanContext, parent: SpanContext | None, name: str, kind: SpanKind, began: int, ended: int, attributes: dict[str, Any]) -> None:
    plain = ReadableSpan(name, context, parent, attributes=attributes, kind=kind, start_time=began, end_time=ended)
    for _ in ("made", "known by now"):
        assert fragments_of(plain, attributes) == encode.span(plain, REDACT)


@settings(deadline=None)
@given(st.tuples(moments, moments), st.sampled_from(SeverityNumber), st.one_of(st.none(), texts), mappings, st.one_of(st.none(), names), maybe)
def test_a_log_record(
    times: tuple[int, int], severity: SeverityNumber, body: str | None, attributes: dict[str, Any], event_name: str | None, context: SpanContext | None
) -> None:
    trace_id, span_id, flags = (context.trace_id, context.span_id, context.trace_flags) if context else (None, None, None)
    record = LogRecord(
        timestamp=times[0],
        observed_timestamp=times[1],
        trace_id=trace_id,
        span_id=span_id,
        trace_flags=flags,
        severity_text="DEBUG",
        severity_number=severity,
        body=body,
        attributes=attributes,
        event_name=event_name,
    )
    for _ in ("made", "known by now"):
        made = FRAGMENTS.log(times, severity, "DEBUG", body, attributes, event_name, context)
        assert made == encode.log(ReadableLogRecord(record, Resource({})), REDACT)


@settings(deadline=None)
@given(ids, st.one_of(mappings, st.just({})), further)
def test_what_an_event_shares_with_its_span(context: SpanContext, attributes: dict[str, Any], beside: dict[str, Any]) -> None:
    def event(given: dict[str, Any], further: dict[str, Any] | None) -> bytes | None:
        return FRAGMENTS.log((1, 2), SeverityNumber.INFO, "INFO", None, given, "e", context, further)

    assert event(attributes, beside) == event({**attributes, **beside}, None)
    attributes.setdefault("s", "t")
    span = ReadableSpan("s", context, attributes=attributes, start_time=1, end_time=2)
    event(attributes, beside)
    assert fragments_of(span, attributes) == encode.span(span, REDACT)
    event(attributes, {})
    told = {**attributes, "more": 1}
    attributes["more"] = 1
    changed = ReadableSpan("s", context, attributes=told, start_time=1, end_time=2)
    assert fragments_of(changed, attributes) == encode.span(changed, REDACT)


def test_what_is_unusual_is_left_to_the_other_way() -> None:
    plain, state = SpanContext(1, 2, is_remote=False), SpanContext(1, 2, is_remote=False, trace_state=TraceState([("v", "1")]))
    unsampled = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(0))

    def span(context: SpanContext, name: str, value: Any) -> bytes | None:
        return fragments_of(ReadableSpan(name, context, kind=SpanKind.CLIENT, start_time=1, end_time=2), {"a": value})

    def log(value: Any, context: SpanContext | None = None, severity_text: str = "INFO") -> bytes | None:
        return FRAGMENTS.log((1, 2), SeverityNumber.INFO, severity_text, None, {"a": value}, "e", context)

    assert span(plain, "s", "x") is not None
    assert [span(state, "s", "x"), span(plain, "\ud800", "x"), *(span(plain, "s", value) for value in ("\ud800", ["\ud800"], "x" * ITEM_LIMIT))] == [None] * 5
    assert fragments_of(ReadableSpan("s", plain, start_time=-1, end_time=2), {"a": 1}) is None
    assert FRAGMENTS.log((-1, 2), SeverityNumber.INFO, "INFO", None, {"a": 1}, "e", None) is None
    assert log("x") is not None
    assert [log("\ud800"), log("x" * ITEM_LIMIT), log("x", unsampled), log("x", None, "")] == [None] * 4


def test_what_is_kept_is_bounded_and_holds_no_secret() -> None:
    made = Fragments(REDACT)
    for number in range(3 * fragments.MAX_CACHED):
        made.attributes({f"a{number}": "x", "b": f"x{number}", "c": number, "d": [f"x{number}"]})
    assert [len(known) <= fragments.MAX_CACHED for known in (made.texts, made.pairs)] == [True] * 2
    made.attributes({"said": f"key {SECRET}", "password": "hunter22", "listed": [SECRET]})
    assert made.texts[f"it is {SECRET}"] == b'"it is [redacted:openai-key]"'
    kept = json.dumps([*made.texts, *(list(pair) for pair in made.pairs)])
    assert "hunter22" not in kept
    assert SECRET not in kept
