"""Our own aggregation equals the SDK's: the same points from the same measurements, cumulative and delta, with exemplars."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otel_agents.journal.encode import Lines
from otel_agents.telemetry.context import SPAN, Context
from otel_agents.telemetry.meter import MeterBackend
from otel_agents.telemetry.metrics import Instruments
from otel_agents.telemetry.series import MAX_SERIES, Aggregation, Origin, origin_in

COST, ACTIVE, DURATION, LAG = "otel_agents.cost", "otel_agents.agents.active", "gen_ai.execute_tool.duration", "otel_agents.shipper.lag"
AGENT = ("gen_ai.agent.name",)
SCOPE = ("otel_agents", "1", "https://example.test")
DELTAS = {Counter: AggregationTemporality.DELTA, Histogram: AggregationTemporality.DELTA}
LINES = Lines(lambda text, name="": text)
Json = dict[str, Any]


class Ours:
    def __init__(self, *, delta: bool = False) -> None:
        self.aggregation = Aggregation(1, frozenset({"create_counter", "create_histogram"} if delta else ()))
        self.instruments = Instruments(self.aggregation)
        self.instruments.observe(LAG, lambda: 2.5)

    def lines(self) -> list[bytes]:
        return list(LINES.series(self.aggregation.collect(), Resource({}), InstrumentationScope(*SCOPE)))


class Theirs:
    def __init__(self, *, delta: bool = False) -> None:
        self.reader = InMemoryMetricReader(preferred_temporality=DELTAS if delta else None)
        self.instruments = Instruments(MeterBackend(MeterProvider([self.reader], Resource({}), shutdown_on_exit=False).get_meter(*SCOPE)))
        self.instruments.observe(LAG, lambda: 2.5)

    def lines(self) -> list[bytes]:
        data = self.reader.get_metrics_data()
        return list(LINES.metrics(data)) if data is not None else []


def metrics(lines: list[bytes]) -> dict[str, Json]:
    """The points of the lines by metric, unordered, without times."""
    found = {}
    for line in lines:
        [metric] = orjson.loads(line)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        [kind] = {"sum", "histogram", "gauge"} & set(metric)
        for point in metric[kind]["dataPoints"]:
            point.pop("timeUnixNano"), point.pop("startTimeUnixNano", None)
            for one in point.get("exemplars", ()):
                one.pop("timeUnixNano")
            if kind == "histogram":
                point["sum"] = round(point["sum"], 9)  # they add up collections, we values
            if kind == "sum":
                point.pop("exemplars", None)  # which addition a sum shows is for its reservoir to choose
        metric[kind]["dataPoints"].sort(key=lambda point: orjson.dumps(point.get("attributes", [])))
        found[metric["name"]] = metric
    return found


def origin(span: int) -> Origin | None:
    """0: none; odd: sampled; even: not."""
    if span == 0:
        return None
    return origin_in(Context({SPAN: NonRecordingSpan(SpanContext(7, span, is_remote=False, trace_flags=TraceFlags(span % 2)))}))


durations = st.sampled_from((0.0, 0.005, 0.01, 0.0100001, 1.0, 81.92, 100.0))
values = st.one_of(
    st.tuples(st.just(COST), st.sampled_from((0.5, 1, 2**40))), st.tuples(st.just(ACTIVE), st.sampled_from((1, -1))), st.tuples(st.just(DURATION), durations)
)
measurements = st.lists(st.tuples(values, st.sampled_from("abc"), st.integers(0, 5)), max_size=12)


@pytest.mark.parametrize("delta", [False, True], ids=["cumulative", "delta"])
@given(rounds=st.lists(measurements, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_the_points_are_the_sdks(rounds: list[Any], delta: bool) -> None:
    ours, theirs = Ours(delta=delta), Theirs(delta=delta)
    for measured in rounds:
        for (name, value), agent, span in measured:
            for side in (ours, theirs):
                side.instruments.record(name, value, side.instruments.labels(AGENT, {"gen_ai.agent.name": agent}), origin(span))
        assert metrics(ours.lines()) == metrics(theirs.lines())


def test_a_sum_shows_its_last_sampled_addition_once() -> None:
    ours = Ours()
    for value, span in ((1, 1), (2, 3), (4, 2), (8, 0)):
        ours.instruments.record(COST, value, ours.instruments.labels(AGENT, {}), origin(span))
    exemplars = [[point.exemplars for point in metric.data_points] for _ in range(2) for metric in ours.aggregation.collect() if metric.name == COST]
    assert [[[(one.value, one.span_id, one.trace_id) for one in of] for of in points] for points in exemplars] == [[[(2, 3, 7)]], [[]]]


def test_deltas_follow_each_other_without_a_gap() -> None:
    ours, found = Ours(delta=True), []
    for _ in range(2):
        ours.instruments.record(COST, 1, ours.instruments.labels(AGENT, {}))
        [collected] = [metric for metric in ours.aggregation.collect() if metric.name == COST]
        found += [(point.start_time_unix_nano, point.time_unix_nano) for point in collected.data_points]
    assert found[0][0] == 1
    assert found[0][1] == found[1][0] <= found[1][1]


def test_what_counts_from_the_start_of_the_process_says_so() -> None:
    ours = Ours()
    ours.instruments.record(COST, 1, ours.instruments.labels(AGENT, {}))
    assert {point.start_time_unix_nano for metric in ours.aggregation.collect() for point in metric.data_points} == {1}


def test_threads_lose_nothing_and_a_collection_meanwhile_takes_nothing_away() -> None:
    ours, done = Ours(), threading.Event()

    def add(_: int) -> None:
        for _each in range(500):
            for name in (COST, DURATION):
                ours.instruments.record(name, 1, ours.instruments.labels(AGENT, {"gen_ai.agent.name": "a"}), origin(1))

    def collect() -> None:
        while not done.is_set():
            ours.lines()

    with ThreadPoolExecutor(9) as pool:
        collecting = pool.submit(collect)
        list(pool.map(add, range(8)))
        done.set()
        collecting.result()
    told = metrics(ours.lines())
    assert told[COST]["sum"]["dataPoints"][0]["asInt"] == "4000"
    assert told[DURATION]["histogram"]["dataPoints"][0]["count"] == "4000"


def test_series_beyond_the_maximum_go_to_the_overflow_series() -> None:
    ours = Ours()
    for number in range(MAX_SERIES + 5):
        ours.instruments.record(COST, 1, ours.instruments.labels((), {}, (("gen_ai.agent.name", f"a{number}"),)))
    points = metrics(ours.lines())[COST]["sum"]["dataPoints"]
    assert len(points) == MAX_SERIES + 1
    assert [point["asInt"] for point in points if point["attributes"][0]["key"] == "otel.metric.overflow"] == ["5"]


def test_recreated_label_sets_continue_the_same_series() -> None:
    ours = Ours()
    for _ in range(2):
        ours.instruments.record(COST, 1, ours.instruments.labels(AGENT, {"gen_ai.agent.name": "a"}))
        ours.instruments.sets.clear()
    assert [point["asInt"] for point in metrics(ours.lines())[COST]["sum"]["dataPoints"]] == ["2"]
