"""What the tests of instrumentors share: a model server, and libraries made for one test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model_server import ModelServer
from observed_spans import Observed
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_agents import semconv
from otel_agents.instrumentors import registry
from otel_agents.journal.spans import Spans
from otel_agents.telemetry.content import Policy
from otel_agents.telemetry.engine import engine

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # its table of prices, without the network


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
