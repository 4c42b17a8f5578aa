"""The whole stack, real and once for all tests: `stack` is started on free ports in a folder of its own and stopped at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from patience import until_it_holds

from otel_agents.stack.home import Home
from otel_agents.stack.native import Native
from otel_agents.stack.stores import Stores

Eventually = Callable[..., None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--verify-queries", action="store_true", help="write grafana/verified.json: the LogQL and TraceQL queries that Loki and Tempo execute")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Native]:
    """Collector, Prometheus, Alertmanager and the stores that `stack up` finds, as they are shipped; binaries that are missing are built first."""
    native = Native(Home(tmp_path_factory.mktemp("stack")), tell=lambda server, text: print(f"{server}: {text}"))
    try:
        native.up(free_ports=True)
        yield native
    finally:
        native.down()


@pytest.fixture
def stores(stack: Native) -> Stores:
    return stack.stores()


@pytest.fixture
def eventually() -> Eventually:
    return until_it_holds


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"
