"""A real model: what the telemetry says of it is what the server said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Done, run
from real_model import installed, served

PROGRAM = Path(__file__).parent / "programs" / "real_program.py"
COUNTED, STREAMED = 6, 5  # calls of the program; llama.cpp's server tells no usage of a stream
pytestmark = pytest.mark.timeout(1800)  # the first time everything is compiled


@pytest.fixture(scope="module")
def url(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server; what is built for it says so while it is built."""
    captured = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with captured.global_and_fixture_disabled():
            print(f"\n{line}", end="", flush=True)

    with served(installed(say), tmp_path_factory.mktemp("llama") / "server.log") as base_url:
        yield base_url


@pytest.fixture(scope="module")
def observed(url: str, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return start(url, tmp_path_factory.mktemp("journal"), OTEL_AGENTS_CONTENT="full", OTEL_AGENTS_CONTENT_IN="spans,events")


def start(url: str, journal: Path, **settings: str | None) -> Done:
    return run(PROGRAM, url, journal=journal, timeout=600, LITELLM_LOCAL_MODEL_COST_MAP="True", NO_PROXY="*", **settings)  # beside others, a model is slow


def came(done: Done) -> list[tuple[str, Any, list[int] | None]]:
    return [tuple(json.loads(line)) for line in done.out.splitlines()]


def told(attributes: dict[str, Any]) -> list[int] | None:
    counts = [attributes.get(f"gen_ai.usage.{kind}_tokens") for kind in ("input", "output")]
    return None if counts == [None, None] else counts  # type: ignore[return-value]  # both, or neither


def test_the_program_says_the_same_with_and_without_us(url: str, observed: Done, tmp_path: Path) -> None:
    without = start(url, tmp_path, OTEL_AGENTS_ENABLED=None)
    assert without.said == observed.said
    assert (observed.status, observed.err) == (0, "")
    assert [(what, text) for what, text, _ in came(observed)[:2]] == [("completion", " Rome")] * 2


def test_token_counts_are_the_servers(observed: Done) -> None:
    spans = [span["attributes"] for span in observed.telemetry.spans]
    said = [usage for _, _, usage in came(observed)]
    assert [told(attributes) for attributes in spans] == said
    assert [usage is not None for usage in said] == [True] * COUNTED + [False] * STREAMED
    for position, kind in enumerate(("input", "output")):
        points = observed.telemetry.metrics[f"gen_ai.client.inference.usage.{kind}_tokens"]
        assert sum(point["value"] for point in points) == sum(usage[position] for usage in said if usage)


def test_what_was_said_is_what_came(observed: Done) -> None:
    outputs = [json.loads(span["attributes"]["gen_ai.output.messages"])[0]["parts"] for span in observed.telemetry.spans]
    for (what, text, _), parts in zip(came(observed), outputs, strict=True):
        if "tool call" in what:
            [call] = parts
            assert (call["type"], call["name"], sorted(call["arguments"])) == ("tool_call", "weather", ["city"])
        else:
            assert parts == [{"type": "text", "content": text}]


def test_streams_have_their_times_and_their_reasons(observed: Done) -> None:
    spans = [span for span in observed.telemetry.spans if span["attributes"].get("gen_ai.request.stream")]
    assert [span["attributes"]["gen_ai.response.finish_reasons"] for span in spans] == [["stop"]] * 3 + [["tool_call"]] * 2
    for span in spans:
        assert 0 < span["attributes"]["gen_ai.response.time_to_first_chunk"] < (span["end"] - span["start"]) / 1e9
    first = observed.telemetry.metrics["gen_ai.client.inference.time_to_first_chunk"]
    assert sum(point["count"] for point in first) == len(spans) == STREAMED
    assert sum(point["count"] for point in observed.telemetry.metrics["gen_ai.client.inference.time_per_output_chunk"]) > STREAMED
