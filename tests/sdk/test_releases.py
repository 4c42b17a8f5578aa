"""The oldest release of OpenTelemetry that pyproject.toml allows and the newest, each in an environment of its own: the core of the suite, run there.

An environment has its own opentelemetry-* and takes the rest from this one; it lies in pytest's cache (`pytest --cache-clear` fetches what is newest today).
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FLOOR = next(one.partition(">=")[2] for one in PROJECT["dependencies"] if one.startswith("opentelemetry-sdk>="))
STABLE = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp-proto-grpc")
UNSTABLE = ("opentelemetry-exporter-prometheus", "opentelemetry-instrumentation")
OLDEST = (*(f"{name}=={FLOOR}.0" for name in STABLE), *(f"{name}==0.64b0" for name in UNSTABLE))
RELEASES = {"oldest": OLDEST, "newest": (*STABLE, *UNSTABLE)}
CORE = (
    "tests/verbs/test_decorators.py",
    "tests/runtime/test_global_providers.py",
    "tests/runtime/test_forks.py",
    "tests/runtime/test_log_capture.py",
    "tests/journal/test_lean.py",
    "tests/telemetry/test_metrics.py",
    "tests/exporters/test_prometheus.py",
    "tests/sdk/test_internals.py",
)
CHOSEN = "not test_internals or at_once or of_a_span or this_release"
NOT_YET = {"oldest": "test_the_sdks_limits_hold", "newest": "nothing"}  # 1.43 has no limits of log records to hold
QUIET = ("-p", "no:cacheprovider", "-o", "filterwarnings=default", "--disable-warnings", "--tb=short")


@pytest.mark.releases
@pytest.mark.timeout(600)
@pytest.mark.parametrize("wanted", RELEASES)
def test_a_release(wanted: str, pytestconfig: pytest.Config, capfd: pytest.CaptureFixture[str]) -> None:
    assert pytestconfig.cache is not None
    python = environment(pytestconfig.cache.mkdir("sdk") / f"{wanted}-{sys.version_info.major}.{sys.version_info.minor}", RELEASES[wanted])
    version = ran(python, "-c", "from importlib.metadata import version; print(version('opentelemetry-sdk'))").stdout.strip()
    assert version.startswith(FLOOR) is (wanted == "oldest")
    outcome = ran(python, "-m", "pytest", "-q", *QUIET, *CORE, "-k", f"({CHOSEN}) and not ({NOT_YET[wanted]})")
    with capfd.disabled():
        print(f"\nopentelemetry-sdk {version}: {outcome.stdout.strip().splitlines()[-1]}")
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]


def environment(folder: Path, wanted: tuple[str, ...]) -> Path:
    """The interpreter of the environment, which is made if it isn't there yet."""
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        venv.create(folder, symlinks=True, with_pip=True, clear=True)
        installed = ran(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted)
        assert installed.returncode == 0, installed.stderr[-2000:]
        (folder / "complete").touch()
    purelib = Path(ran(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    (purelib / "beyond.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    (purelib / "otel_agents.pth").write_bytes((ROOT / "otel_agents.pth").read_bytes())
    return python


def ran(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTHON", "PYTEST_"))}
    return subprocess.run([str(python), *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=550, check=False)
