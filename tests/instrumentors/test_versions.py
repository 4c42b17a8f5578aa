"""The version ranges of the registry, proved at both ends: the instrumentors' own tests, run against the oldest and the newest release of each library.

A release is installed into an environment of its own behind which this one stands, so that it brings only what is not here already; the environments are
kept in the user's cache folder. What is newest is looked up anew each week.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from typing import NamedTuple

import pytest
from packaged import ROOT, locked

from otel_agents.instrumentors.registry import INSTRUMENTORS, named, release
from otel_agents.stack.home import cache

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
def test_a_release(tried: Release, capfd: pytest.CaptureFixture[str]) -> None:
    python = installed(tried.wanted)
    version = version_in(python, tried.library)
    assert named(tried.library).supports(version)
    tests = [str(HERE / name) for name in tried.tests]
    outcome = run(python, "-m", "pytest", "-q", *QUIET, *tests, str(HERE / "test_tables.py"), "-k", f"not test_tables or of_{tried.library}_")
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
QUIET = ("-n0", "-p", "no:cacheprovider", "-o", "filterwarnings=default", "--disable-warnings", "--tb=short")


def installed(wanted: tuple[str, ...]) -> str:
    """The interpreter of the environment with this release, which is made if it isn't there yet."""
    name = re.sub(r"[^\w.=]+", "-", f"py{sys.version_info.major}.{sys.version_info.minor}-{'-'.join(wanted)}")
    week, folder = time.strftime("%G-%V"), cache().with_name("releases") / name
    made_of = json.dumps([week, sys.prefix, *wanted])
    with locked(folder.with_suffix(".lock")):
        if not (folder / "complete").exists() or (folder / "complete").read_text() != made_of:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder, wanted)
            (folder / "complete").write_text(made_of)
    return str(folder / "bin" / "python")


def make(folder: Path, wanted: tuple[str, ...]) -> None:
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "behind.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    outcome = run(sys.executable, "-m", "pip", "--python", str(folder), "install", "--quiet", "--disable-pip-version-check", "--upgrade", *wanted)
    assert outcome.returncode == 0, outcome.stderr[-2000:]


def version_in(python: str, library: str) -> str:
    return run(python, "-c", f"from importlib.metadata import version; print(version({library!r}))").stdout.strip()


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=270)
