"""Client calls through the whole of it, journal and all: spans below their agent, events, metrics and cost; litellm over openai counted once."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import litellm
import openai
import pytest
from model_server import ModelServer, chat, error

import otel_agents as oa
from otel_agents.testing import Telemetry, capture

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:pydantic"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # event loops and sockets litellm leaves to the collector
]
HELLO = [{"role": "user", "content": "hello?"}]


@pytest.fixture(autouse=True, scope="module")
def _swept() -> Iterator[None]:
    """What litellm leaves behind is collected here, not in the middle of other tests."""
    yield
    gc.collect()


@oa.agent(name="helper")
def run(server: ModelServer) -> None:
    litellm.completion(model="openai/gpt-4o-mini", messages=HELLO, api_base=server.url, api_key="k")
    with openai.OpenAI(base_url=server.url, api_key="k") as client:
        list(client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True, stream_options={"include_usage": True}))  # type: ignore[arg-type] # plain dicts
        client.embeddings.create(model="text-embedding-3-small", input="x")


def totals(telemetry: Telemetry) -> dict[str, list[float]]:
    return {
        name: [point.get("count", point.get("value")) for point in points] for name, points in telemetry.metrics.items() if name.startswith("gen_ai.client.")
    }


def test_an_agent_and_its_calls(server: ModelServer) -> None:
    with capture(content="full") as telemetry:
        run(server)
        counted = totals(telemetry)
        cost = telemetry.metrics["otel_agents.cost"]
    agent = telemetry.span("invoke_agent helper")
    assert [(span["name"], span["parent_id"] == agent["span_id"], span["trace_id"] == agent["trace_id"]) for span in telemetry.spans[:-1]] == [
        ("chat gpt-4o-mini", True, True),
        ("chat gpt-4o-mini", True, True),
        ("embeddings text-embedding-3-small", True, True),
    ]
    assert agent["attributes"]["gen_ai.usage.input_tokens"] == 22
    assert counted == {
        "gen_ai.client.inference.duration": [2],
        "gen_ai.client.inference.usage.input_tokens": [22],
        "gen_ai.client.inference.usage.output_tokens": [14],
        "gen_ai.client.inference.usage.cache_read.input_tokens": [8],
        "gen_ai.client.inference.usage.reasoning.output_tokens": [6],
        "gen_ai.client.inference.operation.input_tokens": [2],
        "gen_ai.client.inference.operation.output_tokens": [2],
        "gen_ai.client.inference.time_to_first_chunk": [1],
        "gen_ai.client.inference.time_per_output_chunk": [4],
        "gen_ai.client.operation.duration": [1],
    }
    assert sum(point["value"] for point in cost) == pytest.approx(2 * 5.55e-6 + 1e-7, rel=0.05)


def test_content_goes_to_the_event(server: ModelServer) -> None:
    with capture(content="full") as telemetry:
        run(server)
    details = [event for event in telemetry.events if event["event_name"] == "gen_ai.client.inference.operation.details"]
    assert [event["attributes"]["gen_ai.input.messages"] for event in details] == [[{"role": "user", "parts": [{"type": "text", "content": "hello?"}]}]] * 2
    assert [event["attributes"]["gen_ai.output.messages"] for event in details] == [
        [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]
    ] * 2


def test_without_content_nothing_of_it_is_anywhere(server: ModelServer) -> None:
    server.will(chat("a secret"))
    with capture() as telemetry:
        run(server)
    written = b"".join(line for signal in ("traces", "logs", "metrics") for line in telemetry.lines(signal))
    assert b"hello?" not in written
    assert b"a secret" not in written


def test_an_error_is_told_once(server: ModelServer) -> None:
    server.will(error(401, "no such key"))
    with capture() as telemetry, pytest.raises(litellm.AuthenticationError):
        litellm.completion(model="openai/gpt-4o-mini", messages=HELLO, api_base=server.url, api_key="k", max_retries=0)
    [span] = telemetry.spans
    assert (span["status"], span["attributes"]["error.type"]) == ("error", "litellm.exceptions.AuthenticationError")
    raised = [event for event in telemetry.events if event["event_name"] == "gen_ai.client.operation.exception"]
    assert [event["attributes"]["exception.type"] for event in raised] == ["litellm.exceptions.AuthenticationError"]


def test_an_unsampled_call_is_the_same_call(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with capture() as telemetry:
        run(server)
        counted = totals(telemetry)
    assert telemetry.spans == []
    assert counted["gen_ai.client.inference.usage.input_tokens"] == [22]
