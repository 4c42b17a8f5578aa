"""Questions to the stores in each store's own language, as text: Loki's and Tempo's are executed only where those are installed."""

from __future__ import annotations

import pytest

from otel_agents.stack.log_lines import Line, Selection, line_of, logql, logsql, nanoseconds
from otel_agents.stack.traces import Span, Wanted, hex_ids, traceql

SELECTIONS = {
    Selection(): ('{service_name=~".+"}', "*"),
    Selection("shop", trace_id="ab", span_id="cd"): (
        '{service_name="shop"} | trace_id="ab" | span_id="cd"',
        '"service.name":="shop" "trace_id":="ab" "span_id":="cd"',
    ),
    Selection("shop", event=""): ('{service_name="shop"} | event_name=""', '"service.name":="shop" event_name:=""'),
    Selection(contains='a "b" (c)'): ('{service_name=~".+"} |= "a \\"b\\" (c)"', r'_msg:~"a\\ \"b\"\\ \\(c\\)"'),
}


@pytest.mark.parametrize("selection", SELECTIONS, ids=range(len(SELECTIONS)))
def test_a_selection_of_lines(selection: Selection) -> None:
    assert (logql(selection), logsql(selection)) == SELECTIONS[selection]


def test_attributes_have_the_names_that_the_store_gives_them() -> None:
    selection = Selection(attributes={"gen_ai.agent.name": "größer"})
    assert logql(selection) == '{service_name=~".+"} | gen_ai_agent_name="größer"'
    assert logsql(selection) == '"gen_ai.agent.name":="größer"'


def test_spans_in_traceql() -> None:
    assert traceql(Wanted("shop")) == '{ resource.service.name = "shop" }'
    wanted = Wanted("shop", name="chat", attributes={"gen_ai.agent.name": "a"}, failed=True)
    assert traceql(wanted) == '{ resource.service.name = "shop" && name = "chat" && .gen_ai.agent.name = "a" && status = error }'


def test_a_line_of_victorialogs_has_loki_s_names() -> None:
    row = {"_time": "2026-12-01T04:03:34.42582720Z", "_msg": "said", "_stream": "{}", "_stream_id": "0", "gen_ai.agent.name": "a", "trace_id": "ab"}
    assert line_of(row) == Line(1796097814425827200, "said", {"gen_ai_agent_name": "a", "trace_id": "ab"})
    assert nanoseconds("2026-12-01T04:03:34Z") == 1796097814 * 10**9


def span(**more: object) -> Span:
    named = {"key": "service.name", "value": {"stringValue": "shop"}}
    return {"name": "chat", "resource": [named], "attributes": [{"key": "k", "value": {"intValue": "7"}}], **more}


MATCHING = {
    "its service": (Wanted("shop"), True),
    "another service": (Wanted("shops"), False),
    "another name": (Wanted("shop", name="tool"), False),
    "an attribute": (Wanted("shop", attributes={"k": "7"}), True),
    "another attribute": (Wanted("shop", attributes={"k": "8"}), False),
    "one that failed": (Wanted("shop", failed=True), False),
}


@pytest.mark.parametrize("case", MATCHING)
def test_which_spans_are_wanted(case: str) -> None:
    wanted, expected = MATCHING[case]
    assert wanted.matches(span()) is expected


@pytest.mark.parametrize("code", [2, "STATUS_CODE_ERROR"])
def test_a_span_that_failed(code: object) -> None:
    assert Wanted("shop", failed=True).matches(span(status={"code": code}))


def test_ids_are_hex_whichever_way_a_store_writes_them() -> None:
    assert hex_ids({"traceId": "AA0fTlpryMDS4_BRYnOElQ==".replace("_", "/"), "spanId": "AQIDBAUGBwg="}) == {
        "traceId": "000d1f4e5a6bc8c0d2e3f05162738495",
        "spanId": "0102030405060708",
    }
    assert hex_ids({"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1"}) == {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1"}
