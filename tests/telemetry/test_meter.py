"""Counters that are summed up between collections: sums are right at each collection, views apply, exemplars are of the last addition."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.trace import SpanContext, TraceFlags

from otel_agents.telemetry.meter import MeterBackend
from otel_agents.telemetry.metrics import MAX_LABEL_SETS, Instruments
from otel_agents.telemetry.series import Labels, Origin

COST, ACTIVE, AGENT = "otel_agents.cost", "otel_agents.agents.active", ("gen_ai.agent.name",)


class Rig:
    def __init__(self, *views: View, readers: int = 1) -> None:
        self.readers = [InMemoryMetricReader() for _ in range(readers)]
        self.instruments = Instruments(MeterBackend(MeterProvider(self.readers, views=views).get_meter("test")))
        self.instruments.observe("otel_agents.shipper.lag", lambda: 0.0)

    def add(self, value: float, agent: str = "a", origin: Origin | None = None, metric: str = COST) -> None:
        self.instruments.record(metric, value, self.instruments.labels(AGENT, {"gen_ai.agent.name": agent}), origin)

    def points(self, metric: str = COST, reader: int = 0) -> list[Any]:
        data = self.readers[reader].get_metrics_data()
        assert data is not None
        metrics = [one for of in data.resource_metrics for scope in of.scope_metrics for one in scope.metrics]
        return [point for one in metrics if one.name == metric for point in one.data.data_points]


def sampled(span: int) -> Origin:
    return Origin(SpanContext(7, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)))


def test_every_collection_has_all_that_was_added_before_it() -> None:
    rig = Rig(readers=2)
    for value in (1, 2, 3):
        rig.add(value)
    rig.add(5, "b")
    assert {point.attributes["gen_ai.agent.name"]: point.value for point in rig.points()} == {"a": 6, "b": 5}
    rig.add(4)
    assert {point.attributes["gen_ai.agent.name"]: point.value for point in rig.points(reader=1)} == {"a": 10, "b": 5}
    assert {point.attributes["gen_ai.agent.name"]: point.value for point in rig.points()} == {"a": 10, "b": 5}


def test_what_goes_up_and_down_comes_back_to_zero() -> None:
    rig = Rig()
    rig.add(1, metric=ACTIVE)
    assert [point.value for point in rig.points(ACTIVE)] == [1]
    rig.add(-1, metric=ACTIVE)
    assert [point.value for point in rig.points(ACTIVE)] == [0]


def test_the_exemplar_is_the_last_addition_with_its_own_value_and_span() -> None:
    rig = Rig()
    rig.add(1, origin=sampled(1))
    rig.add(2, origin=sampled(2))
    [point] = rig.points()
    [exemplar] = point.exemplars
    assert (point.value, exemplar.value, exemplar.span_id, exemplar.trace_id) == (3, 2, 2, 7)


def test_a_view_takes_labels_away() -> None:
    rig = Rig(View(instrument_name=COST, attribute_keys=set()))
    rig.add(1, "a")
    rig.add(2, "b")
    [point] = rig.points()
    assert (point.value, dict(point.attributes)) == (3, {})


def test_threads_lose_nothing() -> None:
    rig = Rig()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [rig.add(1) for _ in range(500)] and None, range(8)))
    assert [point.value for point in rig.points()] == [4000]


def test_sets_of_labels_are_one_object_each_and_bounded() -> None:
    instruments = Rig().instruments
    first = instruments.labels(AGENT, {"gen_ai.agent.name": "a", "other": 1})
    assert first is instruments.labels(AGENT, {"gen_ai.agent.name": "a"})
    assert first == {"gen_ai.agent.name": "a"}
    assert instruments.labels(AGENT, {}, (("otel_agents.outcome", "ok"),)) == {"otel_agents.outcome": "ok"}
    for number in range(MAX_LABEL_SETS + 10):
        assert type(instruments.labels(AGENT, {"gen_ai.agent.name": f"a{number}"})) is Labels
    assert len(instruments.sets) <= MAX_LABEL_SETS
    assert instruments.labels(AGENT, {"gen_ai.agent.name": "new"}) == {"gen_ai.agent.name": "_other"}
