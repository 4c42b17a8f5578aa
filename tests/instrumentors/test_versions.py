"""The version ranges of the registry, proved at both ends: the instrumentors' own tests, run against the oldest and the newest release of each library."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from releases import PYTEST, environment, ran, version_in

from otel_agents.instrumentors.registry import INSTRUMENTORS, named, release

HERE = Path(__file__).parent
CHAT, HELPERS, RESPONSES = "test_openai_chat.py", "test_openai_helpers.py", "test_openai_responses.py"


class Release(NamedTuple):
    """What to install, and which tests it has the API for; `HTTP` libraries of its time come with the old ones."""

    library: str
    wanted: tuple[str, ...]
    tests: tuple[str, ...]


RELEASES = (
    Release("openai", ("openai==1.26.0", "httpx<0.28"), (CHAT,)),
    Release("openai", ("openai==1.40.0", "httpx<0.28"), (CHAT, HELPERS)),
    Release("openai", ("openai<2",), (CHAT, HELPERS, RESPONSES)),
    Release("openai", ("openai>=2,<3",), (CHAT, HELPERS, RESPONSES)),
    Release("openai", ("openai>=3,<4",), (CHAT, HELPERS, RESPONSES)),
    Release("litellm", ("litellm==1.53.1", "openai<2", "httpx<0.28"), ("test_litellm.py",)),
    Release("litellm", ("litellm[mcp]<2",), ("test_litellm.py", "test_litellm_responses.py")),
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("tried", RELEASES, ids=lambda tried: tried.wanted[0])
def test_a_release(tried: Release, capfd: pytest.CaptureFixture[str]) -> None:
    python = environment(tried.wanted)
    version = version_in(python, tried.library)
    assert named(tried.library).supports(version)
    tests = [str(HERE / name) for name in tried.tests]
    outcome = ran(python, *PYTEST, *tests, str(HERE / "test_tables.py"), "-k", f"not test_tables or of_{tried.library}_")
    summary = outcome.stdout.strip().splitlines()[-1]
    with capfd.disabled():
        print(f"\n{tried.library} {version}: {summary}")
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]


def test_both_ends_of_every_range_are_tried() -> None:
    for row in INSTRUMENTORS:
        tried = [release for release in RELEASES if release.library == row.library]
        assert release(re.sub(r".*==", "", tried[0].wanted[0]))[:2] == release(row.since)
        assert tried[-1].wanted[0].endswith(f"<{row.before}")
