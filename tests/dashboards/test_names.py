"""Boards query what programs emit today: each metric and event is in the engine's tables."""

from __future__ import annotations

import re

import pytest
from rendered_boards import dashboards, queries

from otel_agents import semconv
from otel_agents.dashboards import promql
from otel_agents.dashboards.alerts import SPEND
from otel_agents.telemetry.instruments import TABLE, Instrument

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "up_down": ("",), "gauge": ("",), "counter": ("_total",)}  # by a word in the maker's name
UNITS = {"s": "_seconds", "USD": "_USD"}
OF_SERVERS = re.compile(r"^(up|otelcol_\w+|loki_\w+|vl_\w+|ALERTS)$")
METRIC = re.compile(r"\b((?:otel_agents|gen_ai|otelcol|loki)_\w+|up|ALERTS)(?=[{\[ ])")


def series_of(name: str, row: Instrument) -> set[str]:
    """The series that an instrument becomes, as Prometheus translates OTLP names by default."""
    suffixes = next(suffixes for word, suffixes in SUFFIXES.items() if word in row.make)
    return {f"{promql.label(name)}{UNITS.get(row.unit, '')}{suffix}" for suffix in suffixes}


def names_in_prometheus() -> set[str]:
    return {f"{promql.label(semconv.METRIC_OA_SHIPPER_LAG)}_seconds"} | {series for name, row in TABLE.items() for series in series_of(name, row)}


@pytest.mark.parametrize("query", queries())
def test_metrics_exist(query: str) -> None:
    asked = {name for name in METRIC.findall(re.sub(r'"[^"]*"|by \([^)]*\)', "", query).replace(SPEND, "")) if not OF_SERVERS.match(name)}
    assert asked <= names_in_prometheus()


def test_nothing_that_is_measured_is_left_unseen() -> None:
    """The metrics that no board and no alert uses, each with its reason."""
    shown = {name for query in queries() for name in METRIC.findall(query)}
    unseen = {name for name, row in TABLE.items() if not series_of(name, row) & shown}
    assert unseen == {
        semconv.METRIC_CLIENT_INFERENCE_OPERATION_INPUT_TOKENS,  # sizes of calls: the counters say what is paid for
        semconv.METRIC_CLIENT_INFERENCE_OPERATION_OUTPUT_TOKENS,
        semconv.METRIC_CLIENT_INFERENCE_TIME_PER_OUTPUT_CHUNK,  # tokens a second say it better: chunks have any size
        semconv.METRIC_CLIENT_INFERENCE_USAGE_CACHE_WRITE_INPUT_TOKENS,  # priced within the cost
        semconv.METRIC_CLIENT_INFERENCE_USAGE_REASONING_OUTPUT_TOKENS,  # a part of the output
        semconv.METRIC_INVOKE_WORKFLOW_DURATION,  # a workflow's trace leads to its agents
        semconv.METRIC_CLIENT_TOKEN_USAGE,  # the old name, for other people's boards
    }


def test_events_are_the_engines() -> None:
    events = {value for name, value in vars(semconv).items() if name.startswith("EVENT_")}
    asked = {event for board in dashboards() for event in re.findall(r'event_name=\\*"([\w.]+)', str(board))}
    assert asked
    assert asked <= events
