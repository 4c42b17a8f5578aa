"""Our suite uses the fixture that users have, and everything it records is held to the conventions."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

pytest_plugins = ["otel_agents.testing", "conformance.plugin", "figures", "packaged", "selection", "switching", "toolchain"]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell has it ignored by what it starts in the background, and so by the programs of our tests
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_loop_left() -> Iterator[None]:
    """Close the loop that litellm's synchronous calls make and keep (`asyncio.get_event_loop` in a thread without one): its end would warn in another test."""
    yield
    policy = asyncio.get_event_loop_policy()
    loop = getattr(getattr(policy, "_local", None), "_loop", None)
    if loop is not None and not loop.is_running() and not loop.is_closed():
        loop.close()
        policy.set_event_loop(None)
