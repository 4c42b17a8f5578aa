"""Every configuration that is shipped is accepted by the server it is for, without a warning; compose.yaml says what the native stack does."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from otel_agents.stack import build, home
from otel_agents.stack.build import Found
from otel_agents.stack.choice import choose
from otel_agents.stack.servers import GRAFANA_PORT, IN_CONTAINERS, JAEGER, LOKI_TEMPO, OPEN, OTELCOL, PORTS, PROMETHEUS_FLAGS, servers_with

COLLECTOR = home.collector()
OVERLAYS = sorted((COLLECTOR / "overlays").glob("*.yaml"))
STORES = choose().stores
VARIABLES = {"OTEL_AGENTS_JOURNAL_DIR": "/tmp", "STACK_TENANT": "a"}


@pytest.fixture(scope="module")
def binaries() -> dict[str, Found]:
    return build.have({server.name: server for kind in (OPEN, STORES) for server in servers_with(kind)}.values())


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables with a certificate, a key and a token that exist."""
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split(), "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], capture_output=True, check=True)
    (folder / "token").write_text("a-token\n")
    files = {"STACK_TLS_CERT": "cert.pem", "STACK_TLS_KEY": "key.pem", "STACK_TOKEN_FILE": "token"}
    return VARIABLES | {name: str(folder / file) for name, file in files.items()}


def said(*words: object, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=environment, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_collector_takes_its_configuration_without_a_word(binaries: dict[str, Found]) -> None:
    assert said(binaries["otelcol"].binary, "validate", f"--config={COLLECTOR / 'otelcol.yaml'}") == ""


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_the_collector_takes_each_overlay_without_a_word(overlay: Path, binaries: dict[str, Found], certified: dict[str, str]) -> None:
    configs = [f"--config={file}" for file in (COLLECTOR / "otelcol.yaml", overlay)]
    assert said(binaries["otelcol"].binary, "validate", *configs, environment=certified) == ""


def test_overlays_that_change_different_things_go_together(binaries: dict[str, Found], certified: dict[str, str]) -> None:
    for pair in combinations(("tls-auth", "tail-sampling", "span-metrics", "old-names", "tenant"), 2):
        configs = [f"--config={file}" for file in (COLLECTOR / "otelcol.yaml", *map(home.overlay, pair))]
        assert said(binaries["otelcol"].binary, "validate", *configs, environment=certified) == ""


@pytest.mark.parametrize("overlay", [path for path in OVERLAYS if path.stem != "open-stores"], ids=lambda path: path.stem)
def test_each_overlay_goes_with_the_open_stores(overlay: Path, binaries: dict[str, Found], certified: dict[str, str]) -> None:
    configs = [f"--config={file}" for file in (COLLECTOR / "otelcol.yaml", home.overlay("open-stores"), overlay)]
    assert said(binaries["otelcol"].binary, "validate", *configs, environment=certified) == ""


def test_both_pairs_of_stores_have_the_same_queues() -> None:
    ours, others = (yaml.safe_load(path.read_text())["exporters"] for path in (COLLECTOR / "otelcol.yaml", home.overlay("open-stores")))
    wanted = {name: ours["otlp_http/loki"][name] for name in ("retry_on_failure", "sending_queue")}
    assert [{name: one[name] for name in wanted} for one in others.values()] == [wanted] * 2


def test_jaeger_takes_its_configuration_without_a_word(binaries: dict[str, Found]) -> None:
    assert said(binaries["jaeger"].binary, "validate", f"--config={COLLECTOR / 'jaeger.yaml'}").splitlines()[1:] == []  # the first is its version
    text = (COLLECTOR / "jaeger.yaml").read_text()
    assert [name for name in JAEGER.environment if f"${{env:{name}:-" not in text] == []


def test_prometheus_takes_its_configuration_and_rules(binaries: dict[str, Found], tmp_path: Path) -> None:
    shutil.copy(COLLECTOR / "prometheus.yaml", tmp_path)
    shutil.copytree(COLLECTOR / "targets", tmp_path / "targets")
    shutil.copytree(home.grafana() / "rules", tmp_path / "rules")
    answer = said(binaries["prometheus"].binary.with_name("promtool"), "check", "config", tmp_path / "prometheus.yaml")
    assert "SUCCESS" in answer
    assert "WARN" not in answer.upper()


def loki_takes_its_configuration(found: Found, folder: Path) -> None:
    answer = said(found.binary, f"-config.file={COLLECTOR / 'loki.yaml'}", "-config.expand-env=true", "-verify-config", cwd=folder)
    assert [line for line in answer.splitlines() if "level=warn" in line or "level=error" in line] == []


def tempo_takes_the_configuration_of_its_line(found: Found, folder: Path) -> None:
    assert said(found.binary, f"-config.file={COLLECTOR / f'tempo-{found.major}.yaml'}", "-config.expand-env=true", "-config.verify", cwd=folder) == ""


INSTALLED = {"loki": loki_takes_its_configuration, "tempo": tempo_takes_the_configuration_of_its_line}


if STORES == LOKI_TEMPO:  # they are not built here: there is no such test where they are not installed

    @pytest.mark.parametrize("name", INSTALLED)
    def test_installed_stores_take_their_configuration(name: str, binaries: dict[str, Found], tmp_path: Path) -> None:
        INSTALLED[name](binaries[name], tmp_path)


def test_alertmanager_takes_its_configuration(binaries: dict[str, Found]) -> None:
    assert "SUCCESS" in said(binaries["alertmanager"].binary.with_name("amtool"), "check-config", COLLECTOR / "alertmanager.yaml")


# ------------------------------------------------------------------------------------------------ compose.yaml, as data


@pytest.fixture(scope="module")
def composed() -> dict[str, Any]:
    """The file as an engine's parser reads it."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (COLLECTOR / "compose.yaml").read_text())  # variables have their defaults
    parsed = PyCompose.from_yaml(text)
    parsed.validate()
    assert parsed.to_spec().name == "otel-agents"
    return dict(yaml.safe_load(text))


def test_images_are_the_tested_versions(composed: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in composed["services"].items()}
    assert {server.name: images[server.name] for server in IN_CONTAINERS} == {server.name: server.image for server in IN_CONTAINERS}
    tags = {server.name: server.image.rpartition(":")[2].lstrip("v") for server in IN_CONTAINERS}
    assert tags == {server.name: server.version for server in IN_CONTAINERS}
    assert f"checked on {tags['tempo']}" in (COLLECTOR / "tempo-3.yaml").read_text(), "what is not tested here says where it was"
    assert all(image.rpartition(":")[2][0] in "v0123456789" for image in images.values())


def test_ports_are_loopback_only_and_the_usual_ones(composed: dict[str, Any]) -> None:
    published = [port.split(":") for service in composed["services"].values() for port in service.get("ports", [])]
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert sorted(int(outer) for _, outer, _ in published) == sorted([*(PORTS[name] for name in PUBLISHED), GRAFANA_PORT])
    assert all(outer == inner for _, outer, inner in published)


PUBLISHED = ("otlp_grpc", "otlp_http", "health", "otelcol", "prometheus", "loki", "tempo", "alertmanager")


def test_every_mount_exists_and_is_read_only_and_every_volume_is_declared(composed: dict[str, Any]) -> None:
    mounts = [mount.split(":") for service in composed["services"].values() for mount in service.get("volumes", [])]
    files = [mount for mount in mounts if mount[0].startswith(".")]
    assert [source for source, *_ in files if not (COLLECTOR / source).exists()] == []
    assert {tuple(rest[1:]) for _, *rest in files} == {("ro",)}
    assert {mount[0] for mount in mounts} - {mount[0] for mount in files} == set(composed["volumes"])


def test_every_service_has_limits_and_is_asked_for_its_health(composed: dict[str, Any]) -> None:
    services = composed["services"]
    assert [name for name, service in services.items() if not service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory"}] == []
    asked = "".join(service["healthcheck"]["test"][-1] for service in services.values() if "test" in service.get("healthcheck", {}))
    assert [server.name for server in IN_CONTAINERS if f"{server.name}:" not in asked and f":{PORTS[server.port]}" not in asked] == []
    assert all(words in asked for words in ("otelcol:13133", "localhost:3100/ready", "tempo:3200/ready", "localhost:3000/api/health"))


def test_containers_are_told_what_processes_are_told(composed: dict[str, Any]) -> None:
    assert set(PROMETHEUS_FLAGS) <= set(composed["services"]["prometheus"]["command"])
    for server in IN_CONTAINERS:
        given = composed["services"][server.name].get("environment", {})
        assert given.keys() - server.environment.keys() <= {"STACK_METRICS_HOST", "STACK_LOKI_HOST", "STACK_TEMPO_HOST", "STACK_LOKI_RETENTION"}
    text = (COLLECTOR / "otelcol.yaml").read_text() + home.overlay("open-stores").read_text()
    assert [name for name in OTELCOL.environment if f"${{env:{name}:-" not in text] == []


def test_memory_is_limited_above_what_the_collector_limits_itself_to(composed: dict[str, Any]) -> None:
    limit = composed["services"]["otelcol"]["deploy"]["resources"]["limits"]["memory"]
    itself = yaml.safe_load((COLLECTOR / "otelcol.yaml").read_text())["processors"]["memory_limiter"]["limit_mib"]
    assert int(itself.rpartition(":-")[2].rstrip("}")) * 1.25 < int(limit.removesuffix("M"))
