"""Our own spans and records leave the SDK's objects out as long as nobody asks for them: what is written is the same, line by line."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry import _logs, trace
from opentelemetry.context import attach, detach
from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, TraceState

import otel_agents as oa
from otel_agents.journal.spans import LeanSpan
from otel_agents.testing import Telemetry, capture

pytestmark = [
    pytest.mark.own_attributes("a", "b", "n", "why", *(f"x{number}" for number in range(200))),
    pytest.mark.meant_beside_conventions("span 'another'", "recorded as a span event", "tool.name does not belong", "operation None", "operation 'ste'"),
]
ELSEWHERE = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "1"), ("w", "2")]))


class Seeing(SpanProcessor):
    """Somebody else's processor: with it, our spans are the SDK's own."""

    def __init__(self) -> None:
        self.started: list[SdkSpan] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span: SdkSpan, parent_context: Any = None) -> None:
        self.started.append(span)

    def on_end(self, span: ReadableSpan) -> None:
        self.ended.append(span)


class Hearing(LogRecordProcessor):
    """The same for log records."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def on_emit(self, log_record: Any) -> None:
        self.records.append(log_record)

    def shutdown(self) -> None:
        """Nothing waits here."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True


def watch() -> tuple[Seeing, Hearing]:
    """Have somebody else look at what our providers record; the first item builds them."""
    with oa.step("first"):
        pass
    seeing, hearing = Seeing(), Hearing()
    trace.get_tracer_provider().add_span_processor(seeing)  # type: ignore[attr-defined]  # ours is the SDK's
    _logs.get_logger_provider().add_log_record_processor(hearing)  # type: ignore[attr-defined]
    return seeing, hearing


def here() -> trace.Span:
    return trace.get_current_span()


# ------------------------------------------------------------------------------------------------ what may happen to a span


def plainly() -> None:
    with oa.agent("a", model="gpt-4o"), oa.llm(model="gpt-4o", provider="openai"):
        oa.current().usage(input_tokens=2, output_tokens=1)
        oa.current().response(id="r", model="gpt-4o-2024-08-06", finish_reasons=["stop"])


def failing() -> None:
    with pytest.raises(ValueError, match="é"), oa.tool("t"):
        raise ValueError("é \ud800 api_key=sk-abcdefghijklmnopqrstuvwxyz123456")


def failing_without_a_word() -> None:
    with pytest.raises(ValueError, match=r"^$"), oa.tool("t"):
        raise ValueError


def renamed() -> None:
    with oa.llm(model="gpt-4o", provider="openai"):
        oa.current().model("gpt-4o-mini")


def told_attributes() -> None:
    with oa.step("s"):
        here().set_attribute("a", [1, 2])
        here().set_attributes({"b": "x", "n": 0.5})
        here().set_attribute("gen_ai.tool.name", "mine")


def told_events_and_links() -> None:
    with oa.step("s"):
        here().add_event("cache", {"n": 1}, timestamp=5)
        here().add_link(SpanContext(1, 2, is_remote=False), {"why": "retry"})
        here().record_exception(KeyError("k"), timestamp=6)


def told_its_status_and_name() -> None:
    with oa.step("s"):
        here().set_status(Status(StatusCode.ERROR, "no"))
        here().update_name("another")


def ended_by_somebody_else() -> None:
    with oa.step("s"):
        here().set_attribute("a", 1)
        here().end()


def of_many_attributes() -> None:
    with oa.step("s"):
        oa.current().attributes({f"x{number}": number for number in range(200)})


def below_a_remote_parent() -> None:
    token = attach(trace.set_span_in_context(NonRecordingSpan(ELSEWHERE)))
    with oa.agent("a"), oa.step("s"):
        pass
    detach(token)


def below_an_invalid_parent() -> None:
    token = attach(trace.set_span_in_context(NonRecordingSpan(SpanContext(0, 0, is_remote=False))))
    with oa.step("s"):
        pass
    detach(token)


def with_children_of_others() -> None:
    with oa.agent("a"), trace.get_tracer("theirs").start_as_current_span("theirs", links=[Link(ELSEWHERE)]), oa.step("s"):
        logging.getLogger("app").warning("hello %s", "you", extra={"n": 1})


def logged() -> None:
    logging.getLogger("app").error("outside")
    with oa.session("c1", user="u"), oa.agent("a"):
        try:
            raise LookupError("gone")
        except LookupError:
            logging.getLogger("app.part").exception("inside", extra={"a": {"b": 1}})


CASES: tuple[Callable[[], None], ...] = (
    plainly, failing, failing_without_a_word, renamed, told_attributes, told_events_and_links, told_its_status_and_name, ended_by_somebody_else,
    of_many_attributes, below_a_remote_parent, below_an_invalid_parent, with_children_of_others, logged,
)  # fmt: skip
SAMPLERS = ("parentbased_always_on", "always_on", "always_off", "parentbased_traceidratio")


def shape(telemetry: Telemetry) -> list[Any]:
    """What was recorded, without what differs between any two runs; ids by the place where they came first."""
    ids: dict[str, int] = {"": -1}
    of_items = [item for item in (*telemetry.spans, *telemetry.logs) if item.get("name") != "step first"]
    for item in of_items:
        for name in ("trace_id", "span_id", "parent_id"):
            if name in item:
                item[name] = item[name] if item[name].startswith("00000000000000") else ids.setdefault(item[name], len(ids))
        item.pop("start", None), item.pop("end", None), item.pop("resource")
        item["attributes"].pop("exception.stacktrace", None), item["attributes"].pop("code.line.number", None)
        for event in item.get("events", ()):
            event["attributes"].pop("exception.stacktrace", None)
    return of_items


def recorded(act: Callable[[], None], *, watched: bool) -> tuple[list[Any], list[SdkSpan]]:
    with capture(content="full", content_in="spans,events") as telemetry:
        seeing = watch()[0] if watched else Seeing()
        act()
    return shape(telemetry), seeing.started


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("act", CASES, ids=lambda act: act.__name__)
@pytest.mark.filterwarnings("ignore:Log record attributes were dropped")
def test_what_is_written_is_what_the_sdk_would_write(act: Callable[[], None], sampler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "1")
    lean, _ = recorded(act, watched=False)
    full, started = recorded(act, watched=True)
    assert lean == full
    assert bool(lean) is (sampler != "always_off" or (act in (logged, with_children_of_others, below_a_remote_parent) and bool(full)))
    assert not any(isinstance(span, LeanSpan) for span in started)


# ------------------------------------------------------------------------------------------------ what is seen of it


def test_somebody_who_looks_sees_the_sdks_span() -> None:
    with capture() as telemetry, oa.agent("a"), oa.tool("t", description="d"):
        span: Any = here()
        assert (span.name, span.kind, span.status.status_code, span.parent.is_valid) == ("execute_tool t", trace.SpanKind.INTERNAL, StatusCode.UNSET, True)
        assert (span.attributes["gen_ai.tool.name"], span.events, span.links, span.end_time) == ("t", (), (), None)
        assert isinstance(span, SdkSpan)
        assert isinstance(span, ReadableSpan)
        assert span.resource.attributes["service.name"]
        assert span.instrumentation_scope.name == "otel_agents"
        assert '"name": "execute_tool t"' in span.to_json()
        with pytest.raises(AttributeError):
            span.nothing  # noqa: B018 - the look is what is tested
    assert span.is_whole  # as soon as somebody looks
    assert not span.is_recording()
    assert len(telemetry.spans) == 2


def test_a_processor_that_comes_while_a_span_runs_sees_its_end() -> None:
    with capture() as telemetry:
        with oa.agent("a"):
            seeing, _ = watch()
        with oa.step("s"):
            pass
    assert [span.name for span in seeing.ended] == ["invoke_agent a", "step s"]
    assert [span["name"] for span in telemetry.spans] == ["step first", "invoke_agent a", "step s"]
    assert seeing.ended[0].attributes == telemetry.span("invoke_agent a")["attributes"]


def test_threads_that_touch_a_span_at_once_lose_nothing() -> None:
    with capture() as telemetry, oa.step("s"):
        span, ready = here(), threading.Barrier(8)

        def touch(number: int) -> None:
            ready.wait()
            span.set_attribute(f"x{number}", number)
            span.add_event("n", {"n": number})

        threads = [threading.Thread(target=touch, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = telemetry.span("step s")
    assert {f"x{number}" for number in range(8)} < set(told["attributes"])
    assert sorted(event["attributes"]["n"] for event in told["events"]) == list(range(8))


@contextmanager
def limited(monkeypatch: pytest.MonkeyPatch, name: str, limit: int) -> Iterator[Telemetry]:
    monkeypatch.setenv(name, str(limit))
    with capture() as telemetry:
        yield telemetry


def test_the_sdks_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    with limited(monkeypatch, "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", 3) as telemetry, oa.step("s"):
        oa.current().attributes(a="abcdef")
    assert telemetry.span("step s")["attributes"]["a"] == "abc"
    monkeypatch.delenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")
    with limited(monkeypatch, "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", 3) as telemetry:
        logging.getLogger("app").warning("x", extra={"a": "abcdef"})
    assert telemetry.logs[0]["attributes"]["a"] == "abc"


def test_a_reader_that_joins_ours_sees_our_metrics_and_the_journal_has_all_of_them() -> None:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    with capture(metric_temporality="delta") as telemetry:
        with oa.agent("a"):
            pass
        reader = InMemoryMetricReader()
        metrics.get_meter_provider().add_metric_reader(reader)  # type: ignore[attr-defined]  # ours is the SDK's
        with oa.agent("a"), oa.agent("a"):
            pass
        data = reader.get_metrics_data()
        assert data is not None
        seen = [metric for of in data.resource_metrics for scope in of.scope_metrics for metric in scope.metrics if metric.name == "otel_agents.runs"]
        telemetry.metrics  # noqa: B018 - collects
        told = [item for item, _, _ in telemetry._items("metrics") if item["name"] == "otel_agents.runs"]
    assert [point.value for metric in seen for point in metric.data.data_points] == [2]
    assert sum(int(point["asInt"]) for item in told for point in item["sum"]["dataPoints"]) == 3
