"""The version ranges of the registry, proved at both ends: the instrumentors' own tests, run against the oldest and the newest release of each library.

A release is installed beside the environment, into a folder of pytest's cache that goes first on the path: some seconds the first time, none afterwards.
`pytest --cache-clear` fetches what is newest today.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

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


@pytest.mark.timeout(280)
@pytest.mark.parametrize("tried", RELEASES, ids=lambda tried: tried.wanted[0])
def test_a_release(tried: Release, pytestconfig: pytest.Config, capfd: pytest.CaptureFixture[str]) -> None:
    folder = installed(tried.wanted, cache(pytestconfig))
    version = version_in(folder, tried.library)
    assert named(tried.library).supports(version)
    tests = [str(HERE / name) for name in tried.tests]
    outcome = run("-m", "pytest", "-q", *QUIET, *tests, str(HERE / "test_tables.py"), "-k", f"not test_tables or of_{tried.library}_", path=folder)
    summary = outcome.stdout.strip().splitlines()[-1]
    with capfd.disabled():
        print(f"\n{tried.library} {version}: {summary}")
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]


def test_both_ends_of_every_range_are_tried() -> None:
    for row in INSTRUMENTORS:
        tried = [release for release in RELEASES if release.library == row.library]
        assert release(re.sub(r".*==", "", tried[0].wanted[0]))[:2] == release(row.since)
        assert tried[-1].wanted[0].endswith(f"<{row.before}")


# the warnings of other releases are theirs; ours are errors in the run that runs this one
QUIET = ("-p", "no:cacheprovider", "-o", "filterwarnings=default", "--disable-warnings", "--tb=short")


def cache(config: pytest.Config) -> Path:
    assert config.cache is not None
    return config.cache.mkdir("releases")


def installed(wanted: tuple[str, ...], cache: Path) -> Path:
    """The folder with this release, filled if it isn't there yet."""
    folder = cache / re.sub(r"[^\w.=]+", "-", f"py{sys.version_info.major}.{sys.version_info.minor}-{'-'.join(wanted)}")
    if not (folder / "complete").exists():
        outcome = run("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target", str(folder), *wanted)
        assert outcome.returncode == 0, outcome.stderr[-2000:]
        (folder / "complete").touch()
    return folder


def version_in(folder: Path, library: str) -> str:
    [metadata] = folder.glob(f"{library}-*.dist-info")
    return metadata.name.removeprefix(f"{library}-").removesuffix(".dist-info")


def run(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    before = {"PYTHONPATH": os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH")]))} if path else {}
    return subprocess.run([sys.executable, *arguments], cwd=HERE.parents[1], env={**os.environ, **before}, capture_output=True, text=True, timeout=270)
