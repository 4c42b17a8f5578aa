"""The oldest release of OpenTelemetry that pyproject.toml allows and the newest: the core of the suite, run there."""

from __future__ import annotations

import tomllib

import pytest
from packaged import ROOT
from releases import PYTEST, environment, ran, version_in

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


@pytest.mark.timeout(600)
@pytest.mark.parametrize("wanted", RELEASES)
def test_a_release(wanted: str, capfd: pytest.CaptureFixture[str]) -> None:
    python = environment(RELEASES[wanted])
    version = version_in(python, "opentelemetry-sdk")
    assert version.startswith(FLOOR) is (wanted == "oldest")
    outcome = ran(python, *PYTEST, *CORE, "-k", f"({CHOSEN}) and not ({NOT_YET[wanted]})")
    with capfd.disabled():
        print(f"\nopentelemetry-sdk {version}: {outcome.stdout.strip().splitlines()[-1]}")
    assert outcome.returncode == 0, outcome.stdout[-6000:] + outcome.stderr[-2000:]
