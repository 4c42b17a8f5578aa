"""Finds what a test leaves open where it was made: garbage is collected at the end of each module, where a ResourceWarning fails that module's last test.

litellm keeps clients beyond their event loops; they are closed at the end of the test that made them.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest


def pytest_collection_finish() -> None:
    """The modules of libraries are no garbage: without them a collection takes milliseconds."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def nothing_left_open() -> Iterator[None]:
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_client_left() -> Iterator[None]:
    yield
    close_loop()
    if clients := kept_by_litellm():
        close(clients)


def close_loop() -> None:
    """litellm's synchronous calls make a loop and keep it (`asyncio.get_event_loop` in a thread without one)."""
    policy = asyncio.get_event_loop_policy()
    loop = getattr(getattr(policy, "_local", None), "_loop", None)
    if loop is not None and not loop.is_running() and not loop.is_closed():
        loop.close()
        policy.set_event_loop(None)


def kept_by_litellm() -> dict[str, Any]:
    """Its cache of clients; none where this process has not imported it, or where its release has no such cache."""
    cache = getattr(sys.modules.get("litellm"), "in_memory_llm_clients_cache", None)
    return getattr(cache, "cache_dict", {})


def close(clients: dict[str, Any]) -> None:
    """Close the synchronous ones; the loops of the others are closed, so that only the collector can close their sockets, about which asyncio then warns."""
    for client in clients.values():
        if hasattr(client, "close") and not asyncio.iscoroutinefunction(client.close):
            client.close()
    clients.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
