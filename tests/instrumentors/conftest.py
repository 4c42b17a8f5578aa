"""What the tests of instrumentors share: a model server, and libraries made for one test."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agents import semconv
from otel_agents.instrumentors import registry
from otel_agents.journal.spans import Spans
from otel_agents.telemetry.content import Policy
from otel_agents.telemetry.context import engine

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # its table of prices, without the network

sys.path.insert(0, str(Path(__file__).parents[1]))  # model_server.py stands beside the folders of the tests

from model_server import ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], None]]:
    """Write modules (path → source) that can be imported during this test."""
    written: set[str] = set()

    def write(modules: dict[str, str]) -> None:
        for name, source in modules.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
            written.add(Path(name).parts[0].removesuffix(".py"))

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] in written]:
        del sys.modules[name]


class Observed:
    """What was observed, as data: one dictionary a span, in the order in which they ended.

    Content is parsed; times and ports are only checked for being there. The cost, which comes from a table of prices, has tests of its own.
    """

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def spans(self) -> list[dict[str, Any]]:
        found = [_as_data(span) for span in self._exporter.get_finished_spans()]
        self._exporter.clear()
        return found

    def only(self) -> dict[str, Any]:
        """The one span there is."""
        [span] = self.spans()
        return span


def _as_data(span: ReadableSpan) -> dict[str, Any]:
    attributes: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in (span.attributes or {}).items()}
    attributes.pop("otel_agents.cost", None)
    for name in ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions"):
        if name in attributes:
            attributes[name] = json.loads(attributes[name])
    if "server.port" in attributes:
        assert attributes.pop("server.port") > 0
    if "gen_ai.response.time_to_first_chunk" in attributes:
        assert attributes.pop("gen_ai.response.time_to_first_chunk") > 0
    return {"name": span.name, "kind": span.kind.name, "status": span.status.status_code.name, "attributes": attributes}


@pytest.fixture
def observed() -> Iterator[Observed]:
    """openai and litellm, observed with all content, and nothing else: no journal, no metrics."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))

    def prepare() -> None:
        engine.spans = Spans(provider.get_tracer(semconv.SCOPE, schema_url=semconv.SCHEMA_URL))
        engine.policy = Policy(mode="full", spans=True)

    engine.switch_on(prepare)
    engine.strict = True
    registry.install()
    yield Observed(exporter)
    registry.uninstall()
    engine.reset()
    assert engine.failures == {}
