"""Every query to Prometheus parses, by a parser that is not the server's own; the servers themselves answer them all in tests/stack."""

from __future__ import annotations

import promql_parser
import pytest
from rendered_boards import queries

WINDOWS = {"$__range": "6h", "$__rate_interval": "4m"}


@pytest.mark.parametrize("query", queries())
def test_it_parses(query: str) -> None:
    for variable, length in WINDOWS.items():
        query = query.replace(variable, length)
    assert promql_parser.parse(query).prettify()
