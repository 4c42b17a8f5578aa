"""Programs that make one call and end: what Prometheus makes of fifty of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import sent
from observed import finish, start

from otel_agents.stack.stores import Stores
from otel_agents.testing import Telemetry

Eventually = Callable[..., None]
Figure = Callable[[str, str, object, str], None]
PROGRAMS, TOGETHER = 50, 5


def test_fifty_programs_of_one_call_are_fifty_calls(stores: Stores, tmp_path: Path, eventually: Eventually, figure: Figure) -> None:
    journals = [tmp_path / str(number) for number in range(PROGRAMS)]
    for batch in range(0, PROGRAMS, TOGETHER):
        running = [start("one_call", journal=journal, stores=stores, OTEL_SERVICE_NAME="fifty") for journal in journals[batch : batch + TOGETHER]]
        for program in running:
            finish(program)
    time.sleep(1)
    for name, expected in EXPECTED.items():
        eventually(lambda name=name, expected=expected: close(stores.value(f'sum(increase({name}{{service_name="fifty"}}[10m]))'), expected))
    calls = stores.value('sum(increase(gen_ai_client_inference_duration_seconds_count{service_name="fifty"}[10m]))')
    figure("R16b", "50 programs of one call each, increase() in Prometheus", f"{calls:g}", "–")
    durations = [span["end"] - span["start"] for journal in journals for span in Telemetry(journal).spans if span["name"].startswith("chat")]
    low, high = bucket_of(sorted(durations)[PROGRAMS // 2] / 1e9, journals[0])
    median = stores.value('histogram_quantile(0.5, sum by (le) (increase(gen_ai_client_inference_duration_seconds_bucket{service_name="fifty"}[10m])))')
    assert median is not None
    assert low <= median <= high


EXPECTED = {
    "otel_agents_runs_total": PROGRAMS,
    "gen_ai_client_inference_duration_seconds_count": PROGRAMS,
    "gen_ai_client_inference_usage_input_tokens_total": 10 * PROGRAMS,
    "gen_ai_client_inference_usage_output_tokens_total": 5 * PROGRAMS,
    "otel_agents_cost_USD_total": 4.5e-6 * PROGRAMS,
}


def close(found: float | None, expected: float) -> None:
    assert found is not None
    assert abs(found - expected) < 1e-9 + 1e-6 * expected, (found, expected)


def bucket_of(seconds: float, journal: Path) -> tuple[float, float]:
    """The bucket that a duration falls into."""
    [duration] = Telemetry(journal).metrics["gen_ai.client.inference.duration"]
    assert duration["count"] == 1
    bounds = [0.0, *sorted({float(labels["le"]) for labels, _ in sent.samples(journal)["gen_ai_client_inference_duration_seconds_bucket"]})]
    return next((low, high) for low, high in pairwise(bounds) if low <= seconds <= high)
