"""collector/kubernetes, without a cluster: built by Kustomize, held to the published schemas, and its Collectors run as their manifests say.

Nothing here needs the running stack.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import manifests
import pytest
import yaml
from manifests import KUBERNETES, Json, mistakes, objects
from otlp_server import Receiver, grpc_receiver, http_receiver
from patience import until_it_holds
from processes import run, written
from promql_parser import parse

from otel_agents.dashboards.render import render
from otel_agents.stack import build, cluster, home, ports, processes
from otel_agents.stack.answers import ask
from otel_agents.stack.servers import OTELCOL

pytestmark = pytest.mark.timeout(900)  # Kustomize is built where it is missing

OVERLAYS = sorted(path.parent.name for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
BUILDS = [".", "base", *(f"overlays/{name}" for name in OVERLAYS)]
TIERS = ("STACK_GATEWAY_HOST", "STACK_SAMPLERS_HOST")
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
YOURS = {"registry.example/your-program:1.0.0", "registry.example/otel-agents-python:0.1.0"}  # nobody else has them
CONFIGURATION = "/etc/otelcol"
USER = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [{kubernetes}, {kubernetes}/base]
components:
  - {kubernetes}/components/without-prometheus-operator
  - {kubernetes}/components/agent-daemonset
  - {kubernetes}/components/agent-journal
  - {kubernetes}/components/sampling
  - {kubernetes}/components/network-policies
  - {kubernetes}/components/store-headers
images: [{{ name: otel/opentelemetry-collector-contrib, newName: registry.internal/otelcol }}]
configMapGenerator:
  - {{ name: otelcol-stores, namespace: observability, behavior: merge, literals: ["STACK_LOKI=https://logs.internal"] }}
patches:
  - target: {{ kind: StatefulSet, name: otelcol-sampler }}
    patch: |-
      - {{ op: add, path: /spec/template/spec/containers/0/env/-, value: {{ name: STACK_SAMPLE_PERCENT, value: "25" }} }}
"""


@cache
def built(name: str) -> list[Json]:
    return objects(KUBERNETES / name)


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """What README.md tells a user to write: everything together, with another registry and a store elsewhere."""
    folder = tmp_path_factory.mktemp("deploy").resolve()
    (folder / "kustomization.yaml").write_text(USER.format(kubernetes=os.path.relpath(KUBERNETES.resolve(), folder)))
    return objects(folder)


def of(found: list[Json], *kinds: str) -> dict[str, Json]:
    return {each["metadata"]["name"]: each for each in found if each["kind"] in kinds}


def pods(found: list[Json]) -> dict[str, Json]:
    """The pod template of each workload."""
    return {name: each["spec"]["template"] for name, each in of(found, *WORKLOADS).items()}


def containers(pod: Json) -> list[Json]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def collectors(found: list[Json]) -> dict[str, Json]:
    return {name: container for name, pod in pods(found).items() for container in containers(pod) if container["name"] == "otelcol"}


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def environment(container: Json, found: list[Json]) -> dict[str, str]:
    """What the container sees; a Secret's values are made up."""
    given: dict[str, str] = {}
    for source in container.get("envFrom", []):
        if "configMapRef" in source:
            given |= of(found, "ConfigMap")[source["configMapRef"]["name"]]["data"]
        else:
            given |= {f"STACK_{store}_AUTHORIZATION": "Bearer a-secret" for store in ("TEMPO", "PROMETHEUS", "LOKI")}
    return given | {each["name"]: each["value"] for each in container.get("env", [])}


# ------------------------------------------------------------------------------------------------ rendered, built, valid


def test_the_collectors_files_are_those_of_compose_and_native_use() -> None:
    assert cluster.write(KUBERNETES) == [], "written just now: commit them (python -m otel_agents.stack.cluster)"


def test_every_folder_is_built() -> None:
    components = {path.parent.name for path in KUBERNETES.glob("components/*/kustomization.yaml")}
    used = {Path(name).name for path in KUBERNETES.glob("overlays/*/kustomization.yaml") for name in yaml.safe_load(path.read_text()).get("components", [])}
    assert components - used == {"without-prometheus-operator"}, "the user's own kustomization below has it"
    assert {"agent-daemonset", "sampling", "network-policies", "operator", "journal-sidecar", "full"} <= set(OVERLAYS)


@pytest.mark.parametrize("name", BUILDS)
def test_every_object_is_what_its_published_schema_says(name: str) -> None:
    found = built(name)
    assert found
    assert [mistake for each in found for mistake in mistakes(each)] == []
    ids = [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in found]
    assert len(set(ids)) == len(ids)
    assert {each["metadata"].get("namespace") for each in found if each["kind"] != "Namespace"} == {"observability"}


def test_the_users_own_kustomization_is_valid_too(users: list[Json]) -> None:
    assert [mistake for each in users for mistake in mistakes(each)] == []
    assert of(users, "PrometheusRule", "PodMonitor") == {}
    assert {container["image"] for container in collectors(users).values()} == {"registry.internal/otelcol:0.158.0"}
    seen = {name: environment(container, users) for name, container in collectors(users).items()}
    assert seen["otelcol-gateway"]["STACK_LOKI"] == "https://logs.internal"
    assert seen["otelcol-gateway"]["STACK_TEMPO_OTLP"] == "tempo:4317"
    assert seen["otelcol-sampler"]["STACK_SAMPLE_PERCENT"] == "25"


@pytest.mark.parametrize(("name", "kind"), [("dashboards", "ConfigMap"), ("rules", "PrometheusRule")])
def test_dashboards_and_rules_stand_alone(tmp_path: Path, name: str, kind: str) -> None:
    """Each by itself is what the whole has of its kind, also as somebody renders it with thresholds of their own."""
    assert {each["kind"] for each in built(f"overlays/{name}")} == {kind}
    assert of(built(f"overlays/{name}"), kind) == of(built("."), kind)
    render(tmp_path, {"agent_slow": {"threshold": 7.5}}, kubernetes=True)
    own = objects(tmp_path / name)
    assert [mistake for each in own for mistake in mistakes(each)] == []
    assert of(own, kind).keys() == of(built("."), kind).keys()
    assert any("7.5" in str(each) for each in own)


def test_dashboards_and_rules_go_where_somebody_elses_grafana_and_prometheus_look(tmp_path: Path) -> None:
    """As README.md says."""
    (shown,) = (block for block in re.findall(r"```yaml\n(.*?)```", (KUBERNETES / "README.md").read_text(), re.S) if "namespace: monitoring\n" in block)
    folder = tmp_path.resolve()
    (folder / "kustomization.yaml").write_text(shown.replace("otel-agents/collector/kubernetes", os.path.relpath(KUBERNETES.resolve(), folder)))
    found = objects(folder)
    assert [mistake for each in found for mistake in mistakes(each)] == []
    assert {each["kind"] for each in found} == {"ConfigMap", "PrometheusRule"}
    assert {each["metadata"]["namespace"] for each in found} == {"monitoring"}
    assert all(each["metadata"]["labels"]["release"] == "prometheus" for each in found)
    assert all(each["metadata"]["labels"]["grafana_dashboard"] == "1" for each in of(found, "ConfigMap").values())


def test_the_schemas_are_strict() -> None:
    """In every kind that is shipped a field that nobody knows is found, at the top and deep inside, and so is a value of another type."""
    every = {(each["apiVersion"], each["kind"]): each for name in BUILDS for each in built(name)}
    assert len(every) == 14
    for each in every.values():
        assert len(mistakes({**each, "unknown": 1})) == 1
        assert len(mistakes({**each, "metadata": {**each["metadata"], "lables": {}}})) == 1
        assert mistakes({**each, "metadata": {**each["metadata"], "name": 1}})
        if "spec" in each:
            assert len(mistakes({**each, "spec": {**each["spec"], "unknown": 1}})) == 1
    workload = of(built("base"), "StatefulSet")["otelcol-gateway"]
    text = yaml.safe_dump(workload)
    for right, wrong in (("readOnlyRootFilesystem", "readonlyRootFilesystem"), ("containerPort: 4317", "containerPort: many"), ("emptyDir", "emptydir")):
        if right in text:
            assert mistakes(yaml.safe_load(text.replace(right, wrong))), wrong


@pytest.mark.parametrize("name", BUILDS)
def test_no_secret_is_written_and_no_address_of_a_registry_is_foreign(name: str) -> None:
    assert of(built(name), "Secret") == {}
    for settings in of(built(name), "ConfigMap").values():
        assert not re.search(r"(?i)\b(bearer|basic) [a-z0-9+/=_-]{8,}", yaml.safe_dump(settings["data"]))


# ------------------------------------------------------------------------------------------------ images, security, sizes


def images(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        yield from (value for key, value in found.items() if key == "image" and isinstance(value, str))
    for part in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from images(part)


def test_images_are_those_of_compose() -> None:
    composed = yaml.safe_load((home.collector() / "compose.yaml").read_text())["services"]["otelcol"]["image"]
    assert {image for name in BUILDS for each in built(name) if each["kind"] != "ConfigMap" for image in images(each)} - YOURS == {composed}
    assert composed == OTELCOL.image
    stages = re.findall(r"^FROM (\S+)", (KUBERNETES / "instrumentation" / "Dockerfile").read_text(), re.M)
    assert [image for image in stages if ":" not in image or image.endswith(":latest")] == []


@pytest.mark.parametrize("name", BUILDS)
def test_pods_keep_to_the_restricted_profile(name: str) -> None:
    """Pod Security's `restricted`, which the namespace asks for; the one overlay that needs a folder of the node lowers it, and breaks nothing but that."""
    enforced = {each["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for each in of(built(name), "Namespace").values()}
    of_node = False
    for pod in pods(built(name)).values():
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        of_node |= any("hostPath" in volume for volume in spec["volumes"])
        for container in containers(pod):
            confined = container["securityContext"]
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["readOnlyRootFilesystem"] is True
            assert confined["capabilities"] == {"drop": ["ALL"]}
            assert confined.get("runAsUser", spec["securityContext"].get("runAsUser", 0)) > 0
            assert not any("hostPort" in port for port in container.get("ports", []))
    assert enforced <= {"privileged" if of_node else "restricted"}


@pytest.mark.parametrize("name", BUILDS)
def test_every_container_has_sizes_and_probes(name: str) -> None:
    for pod in pods(built(name)).values():
        for container in containers(pod):
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
            assert {"readinessProbe", "livenessProbe"} <= container.keys()
    for container in collectors(built(name)).values():
        seen, named = environment(container, built(name)), {port["name"]: port["containerPort"] for port in container["ports"]}
        assert len(named) == len(container["ports"])
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked = container[probe]["httpGet"]
            assert (f":{named[asked['port']]}", asked["path"]) == (seen["STACK_HEALTH"][-6:], OTELCOL.ready)
        assert int(seen["STACK_MEMORY_MIB"]) * 1.25 < mebibytes(container["resources"]["limits"]["memory"])
        assert int(seen["STACK_MEMORY_SPIKE_MIB"]) < int(seen["STACK_MEMORY_MIB"]) / 3


def mebibytes(quantity: str) -> float:
    return float(quantity[:-2]) * {"Mi": 1, "Gi": 1024}[quantity[-2:]]


@pytest.mark.parametrize("name", BUILDS)
def test_the_queue_has_a_volume_of_its_own_that_holds_it(name: str) -> None:
    """Three queues as big as the configuration says, and room to compact one of them."""
    full = 512 * 3 + 512
    for workload, each in of(built(name), *WORKLOADS).items():
        container = collectors(built(name))[workload]
        assert [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "queue"] == [
            environment(container, [*built(name)])["STACK_QUEUE"]
        ]
        claims = {claim["metadata"]["name"]: claim["spec"]["resources"]["requests"]["storage"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        volumes = {volume["name"]: volume for volume in each["spec"]["template"]["spec"]["volumes"]}
        assert ("queue" in claims) == (each["kind"] == "StatefulSet") == ("queue" not in volumes)
        size = claims.get("queue") or volumes["queue"].get("emptyDir", {}).get("sizeLimit")
        assert size is None or mebibytes(size) >= full
        if claims:
            assert set(each["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}


# ------------------------------------------------------------------------------------------------ what names what


@pytest.mark.parametrize("name", [name for name in BUILDS if name not in (".", "overlays/operator")])
def test_whatever_is_named_is_there(name: str) -> None:
    found = built(name)
    settings, labels = of(found, "ConfigMap"), {workload: pod["metadata"]["labels"] for workload, pod in pods(found).items()}
    for workload, each in of(found, *WORKLOADS).items():
        assert selects(each["spec"]["selector"]["matchLabels"], labels[workload])
        assert [other for other in labels if selects(each["spec"]["selector"]["matchLabels"], labels[other])] == [workload]
        if each["kind"] == "StatefulSet":
            service = of(found, "Service")[each["spec"]["serviceName"]]["spec"]
            assert service["clusterIP"] == "None"
            assert selects(service["selector"], labels[workload])
        spec = each["spec"]["template"]["spec"]
        assert spec.get("serviceAccountName", "otelcol") in of(found, "ServiceAccount")
        there = {volume["name"] for volume in spec["volumes"]} | {claim["metadata"]["name"] for claim in each["spec"].get("volumeClaimTemplates", [])}
        assert {mount["name"] for container in containers(each["spec"]["template"]) for mount in container["volumeMounts"]} == there
        assert {volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume} <= settings.keys()
        container = collectors(found)[workload]
        assert {source["configMapRef"]["name"] for source in container.get("envFrom", []) if "configMapRef" in source} <= settings.keys()
        files = settings[next(volume["configMap"]["name"] for volume in spec["volumes"] if volume["name"] == "config")]["data"]
        assert {argument.removeprefix(f"--config={CONFIGURATION}/") for argument in container["args"]} <= files.keys()
    for service in of(found, "Service").values():
        behind = [collectors(found)[workload] for workload in labels if selects(service["spec"]["selector"], labels[workload])]
        assert len(behind) == 1
        named = {port["name"]: port["containerPort"] for port in behind[0]["ports"]}
        assert all(named[port["targetPort"]] == port["port"] for port in service["spec"]["ports"])
    for budget in of(found, "PodDisruptionBudget").values():
        assert [workload for workload in labels if selects(budget["spec"]["selector"]["matchLabels"], labels[workload])] == [budget["metadata"]["name"]]
    for scaler in of(found, "HorizontalPodAutoscaler").values():
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in of(found, target["kind"])[target["name"]]["spec"], "applying again would undo what it did"
    hosts = {seen.get(key) for container in collectors(found).values() for seen in [environment(container, found)] for key in TIERS}
    assert {f"{name}.observability" for name in of(found, "Service")} >= hosts - {None}


def test_the_pod_monitors_find_the_collectors() -> None:
    ours, operators = of(built("."), "PodMonitor").values()
    labels = [pod["metadata"]["labels"] for pod in pods(built("overlays/full")).values()]
    assert len(labels) == 3
    assert all(selects(ours["spec"]["selector"]["matchLabels"], each) and each[ours["spec"]["jobLabel"]] == "otelcol" for each in labels)
    resource = of(built("overlays/operator"), "OpenTelemetryCollector")["otelcol"]["metadata"]
    assert operators["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == f"{resource['namespace']}.{resource['name']}"
    assert operators["spec"]["podMetricsEndpoints"][0]["relabelings"] == [{"targetLabel": "job", "replacement": "otelcol"}]
    rules = yaml.safe_dump(of(built("."), "PrometheusRule"))
    assert 'up{job=~"otelcol|' in rules


def test_dashboards_have_the_sidecars_label_and_all_are_named() -> None:
    boards = of(built("."), "ConfigMap")
    assert {each["metadata"]["labels"]["grafana_dashboard"] for each in boards.values()} == {"1"}
    assert sorted(key for each in boards.values() for key in each["data"]) == sorted(path.name for path in (home.grafana() / "dashboards").glob("*.json"))


# ------------------------------------------------------------------------------------------------ network policies


def allowed(found: list[Json], labels: Mapping[str, str], direction: str) -> dict[int, list[Json]]:
    """Ports that the policies leave open for a pod, and the peers for each."""
    open_: dict[int, list[Json]] = {}
    for policy in of(found, "NetworkPolicy").values():
        if selects(policy["spec"]["podSelector"]["matchLabels"], labels) and direction.capitalize() in policy["spec"]["policyTypes"]:
            for rule in policy["spec"].get(direction, []):
                assert rule["ports"]
                assert rule["from" if direction == "ingress" else "to"], "everybody"
                for port in rule["ports"]:
                    open_.setdefault(port["port"], []).extend(rule["from" if direction == "ingress" else "to"])
    return open_


PORT = re.compile(r":(\d+)(?:$|/)")


def test_policies_leave_open_what_is_needed_and_nothing_else() -> None:
    found = built("overlays/full")
    feeds = {"otelcol-gateway": {"STACK_PROMETHEUS", "STACK_LOKI", "STACK_TEMPO_OTLP"}, "otelcol-sampler": {"STACK_TEMPO_OTLP"}, "otelcol-agent": set()}
    for workload, pod in pods(found).items():
        labels, container = pod["metadata"]["labels"], collectors(found)[workload]
        seen = environment(container, found)
        served = {port["containerPort"] for port in container["ports"]} - {13133}  # asked by the node's kubelet, which no policy keeps out
        assert allowed(found, labels, "ingress").keys() == served, workload
        stores = {int(PORT.search(seen[name])[1]) for name in feeds[workload]}  # type: ignore[index]
        tiers = {int(value) for name, value in seen.items() if name in ("STACK_GATEWAY_PORT", "STACK_SAMPLERS_PORT")}
        assert allowed(found, labels, "egress").keys() == {53} | stores | tiers, workload


def test_one_tier_lets_in_the_tier_before_it() -> None:
    found = built("overlays/full")
    labels = {workload: pod["metadata"]["labels"] for workload, pod in pods(found).items()}

    def lets(pod: str, direction: str, other: str) -> bool:
        """Whether the policies of a pod name the other: by its labels, or by the namespace that all are in."""
        for peer in allowed(found, labels[pod], direction).get(4317, []):
            of_pods, of_namespaces = (peer.get(kind, {}).get("matchLabels", {}) for kind in ("podSelector", "namespaceSelector"))
            if selects(of_pods, labels[other]) or (not of_pods and of_namespaces.get("kubernetes.io/metadata.name") == "observability"):
                return True
        return False

    ways = {(source, target) for source in labels for target in labels if lets(source, "egress", target) and lets(target, "ingress", source)}
    assert ways == {("otelcol-agent", "otelcol-gateway"), ("otelcol-gateway", "otelcol-sampler")}


# ------------------------------------------------------------------------------------------------ the Collectors, for real


@pytest.fixture(scope="session")
def otelcol() -> Path:
    return build.have([OTELCOL])["otelcol"].binary


def command(name: str, found: list[Json], otelcol: Path, folder: Path, *more: str, **other: str) -> tuple[list[str], dict[str, str]]:
    """The container's own arguments and variables; its ConfigMap and its volume are folders here."""
    pod, container = pods(found)[name], collectors(found)[name]
    mounted = next(volume["configMap"]["name"] for volume in pod["spec"]["volumes"] if volume["name"] == "config")
    (folder / "etc").mkdir(parents=True, exist_ok=True)
    for file, text in of(found, "ConfigMap")[mounted]["data"].items():
        (folder / "etc" / file).write_text(text)
    arguments = [argument.replace(CONFIGURATION, str(folder / "etc")) for argument in container["args"]]
    return [str(otelcol), *more, *arguments], environment(container, found) | {"STACK_QUEUE": str(folder / "queue")} | other


def told(words: list[str], given: Mapping[str, str]) -> str:
    """What `validate` says."""
    done = subprocess.run(words, capture_output=True, text=True, env=dict(given), check=False)
    return f"{done.returncode} {done.stdout}{done.stderr}"


@pytest.mark.parametrize("name", [name for name in BUILDS if name not in (".", "overlays/operator")])
def test_the_collector_takes_every_configuration_without_a_word(name: str, otelcol: Path, tmp_path: Path) -> None:
    for workload in collectors(built(name)):
        assert told(*command(workload, built(name), otelcol, tmp_path / workload, "validate")) == "0 ", workload


def test_the_collector_takes_what_a_user_puts_together(users: list[Json], otelcol: Path, tmp_path: Path) -> None:
    assert len(collectors(users)) == 3
    for workload in collectors(users):
        assert told(*command(workload, users, otelcol, tmp_path / workload, "validate")) == "0 ", workload


def test_the_operators_collector_is_bases(otelcol: Path, tmp_path: Path) -> None:
    """Its configuration is valid, needs no variable that it is not given, and its ports are where the Operator looks for them."""
    spec = of(built("overlays/operator"), "OpenTelemetryCollector")["otelcol"]["spec"]
    config, given = yaml.safe_dump(spec["config"]), {each["name"]: each["value"] for each in spec["env"]}
    (tmp_path / "collector.yaml").write_text(config)
    assert told([str(otelcol), "validate", f"--config={tmp_path / 'collector.yaml'}"], given | {"STACK_QUEUE": str(tmp_path / "queue")}) == "0 "
    assert set(re.findall(r"\$\{env:([A-Z_]+)", config)) == given.keys()
    gateway = collectors(built("base"))["otelcol-gateway"]
    seen = environment(gateway, built("base"))
    assert {name: seen[name] for name in given} == given
    assert (spec["image"], spec["resources"], spec["securityContext"]) == (gateway["image"], gateway["resources"], gateway["securityContext"])
    assert spec["podSecurityContext"] == pods(built("base"))["otelcol-gateway"]["spec"]["securityContext"]
    receivers = spec["config"]["receivers"]["otlp"]["protocols"]
    assert (receivers["grpc"]["endpoint"], receivers["http"]["endpoint"]) == (seen["STACK_OTLP_GRPC"], seen["STACK_OTLP_HTTP"])
    assert isinstance(spec["config"]["service"]["telemetry"]["metrics"]["readers"][0]["pull"]["exporter"]["prometheus"]["port"], int)
    instrumentation = of(built("overlays/operator"), "Instrumentation")["otel-agents"]["spec"]
    assert instrumentation["exporter"]["endpoint"] == "http://otelcol-collector.observability:4318"


@contextmanager
def running(name: str, found: list[Json], otelcol: Path, folder: Path, **other: str) -> Iterator[dict[str, int]]:
    """The Collector of a manifest as a process here, on free ports, until its probe answers."""
    taken = ports.free_ports(OTELCOL.ports)
    given = {
        "STACK_OTLP_GRPC": f"127.0.0.1:{taken['otlp_grpc']}",
        "STACK_OTLP_HTTP": f"127.0.0.1:{taken['otlp_http']}",
        "STACK_HEALTH": f"127.0.0.1:{taken['health']}",
        "STACK_METRICS_HOST": "127.0.0.1",
        "STACK_METRICS_PORT": str(taken["otelcol"]),
    }
    words, environ = command(name, found, otelcol, folder, **(given | other))
    process = processes.start(words, folder / "otelcol.log", environ, str(folder), folder)
    probe = collectors(found)[name]["readinessProbe"]["httpGet"]["path"]
    try:
        until_it_holds(lambda: ask(f"http://127.0.0.1:{taken['health']}{probe}").status == 200 or not processes.lives(process), seconds=30)
        assert processes.lives(process), (folder / "otelcol.log").read_text()
        yield taken
    finally:
        processes.stop(process, OTELCOL.grace_s)


def test_the_autoscalers_metric_is_made_of_metrics_that_the_collector_has(otelcol: Path, tmp_path: Path) -> None:
    found = built("base")
    asked = [metric["pods"] for metric in of(found, "HorizontalPodAutoscaler")["otelcol-gateway"]["spec"]["metrics"] if metric["type"] == "Pods"]
    operators = of(built("overlays/operator"), "OpenTelemetryCollector")["otelcol"]["spec"]["autoscaler"]["metrics"]
    assert [metric["pods"] for metric in operators] == asked
    assert [int(metric["target"]["averageValue"]) > 0 for metric in asked] == [True], "the Operator refuses parts of one"
    (rule,) = yaml.safe_load((KUBERNETES / "metrics-adapter.yaml").read_text())["rules"]["custom"]
    assert [rule["name"]["as"]] == [metric["metric"]["name"] for metric in asked]
    query = rule["metricsQuery"].replace("<<.GroupBy>>", "pod").replace("<<.LabelMatchers>>", 'namespace="observability",pod=~"a|b"')
    parse(query)
    parse(rule["seriesQuery"])
    names = set(re.findall(r"otelcol_\w+", query + rule["seriesQuery"]))
    with running("otelcol-gateway", found, otelcol, tmp_path) as taken:
        said = ask(f"http://127.0.0.1:{taken['otelcol']}/metrics").body.decode()
    own = {line.split("{")[0]: line for line in said.splitlines() if line.startswith("otelcol_exporter_queue")}
    assert names == {"otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"} == names & own.keys()
    assert float(own["otelcol_exporter_queue_capacity"].split()[-1]) == 512 * 2**20


STEP = """
    import otel_agents as oa
    with oa.step("here"):
        pass
"""


def test_an_agent_reads_the_nodes_journals_and_feeds_the_gateway(otelcol: Path, tmp_path: Path) -> None:
    """The program's variables are README.md's; the folders' modes let the Collector's group in, and nobody else."""
    found = built("overlays/agent-journal")
    journals = tmp_path / "journal"
    with grpc_receiver() as gateway:
        port = gateway.url.rpartition(":")[2]
        other = {"STACK_GATEWAY_HOST": "localhost", "STACK_GATEWAY_PORT": port}
        seen = environment(collectors(found)["otelcol-agent"], found)
        with running(
            "otelcol-agent", found, otelcol, tmp_path, OTEL_AGENTS_JOURNAL_DIR=seen["OTEL_AGENTS_JOURNAL_DIR"].replace("/journal", str(journals)), **other
        ):
            for program in ("planner", "writer"):
                given = {"OTEL_AGENTS_JOURNAL_GROUP_READABLE": "true", "OTEL_AGENTS_SHIP": "false"}
                assert run(written(tmp_path, STEP), journal=journals / program, **given).said == (0, "", "")
            assert gateway.wait_for(lambda: len(gateway.names()) >= 2, 30), (tmp_path / "otelcol.log").read_text()
    assert gateway.names() == ["step here", "step here"]
    assert {path.stat().st_mode & 0o777 for path in journals.rglob("*.jsonl")} == {0o640}
    assert {path.stat().st_mode & 0o777 for path in journals.rglob("*") if path.is_dir()} == {0o750}


FAILING = """
    import logging
    import otel_agents as oa
    with oa.agent("planner"):
        logging.getLogger("program").warning("it was said")
        with oa.step("fails") as step:
            raise ValueError("kept by the samplers")
"""


def said(stores: Receiver) -> list[str]:
    """The text of each log line; events have none."""
    return [item.get("body", {}).get("stringValue", "") for item in stores.items("logs")]


def test_what_a_program_sends_passes_all_tiers_to_its_store(users: list[Json], otelcol: Path, tmp_path: Path) -> None:
    """Agent, gateway and sampler run with their manifests' files and variables; only addresses are of this machine. A trace with an error is kept."""
    journals, program = tmp_path / "journals", written(tmp_path, FAILING)
    with http_receiver() as stores, grpc_receiver() as tempo:
        feeds = {
            "STACK_PROMETHEUS": stores.url,
            "STACK_LOKI": stores.url,
            "STACK_TEMPO_OTLP": tempo.url.removeprefix("http://"),
            "STACK_TEMPO_INSECURE": "true",
        }
        with running("otelcol-sampler", users, otelcol, tmp_path / "sampler", **feeds, STACK_DECISION_WAIT="2s") as sampler:
            samplers = {"STACK_SAMPLERS_HOST": "127.0.0.1", "STACK_SAMPLERS_PORT": str(sampler["otlp_grpc"])}
            with running("otelcol-gateway", users, otelcol, tmp_path / "gateway", **feeds, **samplers) as gateway:
                gateways = {"STACK_GATEWAY_HOST": "127.0.0.1", "STACK_GATEWAY_PORT": str(gateway["otlp_grpc"])}
                with running("otelcol-agent", users, otelcol, tmp_path / "agent", **gateways, OTEL_AGENTS_JOURNAL_DIR=f"{journals}/*") as agent:
                    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{agent['otlp_http']}"}
                    assert run(program, journal=tmp_path / "own", **endpoint).status == 1
                    assert run(program, journal=journals / "planner", OTEL_AGENTS_SHIP="false").status == 1
                    assert tempo.wait_for(lambda: len(tempo.names()) >= 4, 60)
                    assert stores.wait_for(lambda: said(stores).count("it was said") >= 2 and bool(stores.items("metrics")), 60)
    assert said(stores).count("it was said") == 2
    assert tempo.names() == ["invoke_agent planner", "invoke_agent planner", "step fails", "step fails"]
    assert {request.signal for request in stores.requests} == {"metrics", "logs"}
    assert {request.path for request in stores.requests} == {"/api/v1/otlp/v1/metrics", "/otlp/v1/logs"}
    sent = [{name.lower(): value for name, value in request.headers.items()} for request in (*stores.requests, *tempo.requests)]
    assert {headers.get("authorization") for headers in sent} == {"Bearer a-secret"}


def test_a_tier_starts_before_the_next_one_has_a_name(otelcol: Path, tmp_path: Path) -> None:
    found = built("overlays/full")
    for workload, nobody in (("otelcol-agent", "STACK_GATEWAY_HOST"), ("otelcol-gateway", "STACK_SAMPLERS_HOST")):
        with running(workload, found, otelcol, tmp_path / workload, **{nobody: "nobody.invalid"}) as taken:
            assert ask(f"http://127.0.0.1:{taken['health']}/").status == 200


def test_the_sidecars_program_writes_where_the_collector_reads() -> None:
    pod = pods(built("overlays/journal-sidecar"))["your-program"]["spec"]
    (sidecar,), (program,) = pod["initContainers"], pod["containers"]
    given = {each["name"]: each["value"] for each in program["env"]}
    assert sidecar["restartPolicy"] == "Always"
    assert given["OTEL_AGENTS_JOURNAL_GROUP_READABLE"] == "true"
    assert given["OTEL_AGENTS_SHIP"] == "false"
    folders = {given["OTEL_AGENTS_JOURNAL_DIR"], environment(sidecar, built("overlays/journal-sidecar"))["OTEL_AGENTS_JOURNAL_DIR"]}
    mounts = {mount["mountPath"] for container in (sidecar, program) for mount in container["volumeMounts"] if mount["name"] == "journal"}
    assert folders == mounts == {"/journal"}
    assert pod["securityContext"]["fsGroup"] == sidecar["securityContext"]["runAsGroup"] != program["securityContext"]["runAsGroup"]


# ------------------------------------------------------------------------------------------------ the Operator's layout


@pytest.fixture(scope="session")
def volume(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image's init container copies into the pod: layout.sh as the Dockerfile runs it, for this Python and another one."""
    image, mounted = tmp_path_factory.mktemp("autoinstrumentation"), tmp_path_factory.mktemp("otel-auto-instrumentation-python")
    other = "3.13" if sys.version_info[:2] != (3, 13) else "3.12"
    words = ["sh", str(KUBERNETES / "instrumentation" / "layout.sh"), str(image), "glibc", f"{sys.version_info[0]}.{sys.version_info[1]}", other]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "OTEL_AGENTS": str(wheel), "PATH": path}, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run(["cp", "-r", f"{image}/.", mounted], check=True)
    return mounted


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application's interpreter, which has nothing of ours."""
    folder = tmp_path_factory.mktemp("application")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def injected(volume: Path) -> dict[str, str]:
    """The variables that the Operator's own source puts into the container, with those of our resource, which win."""
    source = (manifests.published(manifests.OPENTELEMETRY_OPERATOR) / "internal/instrumentation/python.go").read_text()
    known = dict(re.findall(r'^\s*(\w+)\s*= "([^"]+)"', source, re.M))
    defaults = {known[name]: value for name, value in re.findall(r'Name:\s+(\w+),\s+Value:\s+"([^"]+)"', source)}
    assert known["pythonInstrMountPath"] == known["pythonPathSuffix"] == "/otel-auto-instrumentation-python"
    assert known["glibcLinuxAutoInstrumentationSrc"] == "/autoinstrumentation/."
    assert defaults["OTEL_TRACES_EXPORTER"] == "otlp"
    spec = of(built("overlays/operator"), "Instrumentation")["otel-agents"]["spec"]
    given = {known["envPythonPath"]: f"{known['pythonPathPrefix']}:{known['pythonPathSuffix']}", **defaults}
    given |= {each["name"]: each["value"] for each in spec["python"]["env"]}
    return {name: value.replace(known["pythonInstrMountPath"], str(volume)) for name, value in given.items()}


def test_the_operators_layout_starts_us_and_the_program_is_observed(volume: Path, bare: Path, tmp_path: Path) -> None:
    given = injected(volume)
    code = "import otel_agents, orjson, wrapt, yaml, sys\nassert 'sitecustomize' in sys.modules\nprint(otel_agents.__file__)" + STEP.replace("\n    ", "\n")
    with http_receiver() as endpoint:
        journal = Path(given["OTEL_AGENTS_JOURNAL_DIR"])
        done = run(written(tmp_path, code), journal=journal, python=bare, **given, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint.url)
    assert done.said == (0, f"{volume}/otel_agents/__init__.py\n", "")
    assert done.spans == ["step here"]
    assert endpoint.names() == ["step here"]
    assert list(volume.glob(".journal/*/traces-*")) != []


def test_without_the_variable_the_layout_does_nothing(volume: Path, bare: Path, tmp_path: Path) -> None:
    given = {name: value for name, value in injected(volume).items() if name != "OTEL_AGENTS_ENABLED"}
    done = run(written(tmp_path, "import sys\nprint('otel_agents' in sys.modules)"), journal=tmp_path, python=bare, **given, OTEL_AGENTS_ENABLED=None)
    assert done.said == (0, "False\n", "")


def test_the_layout_has_compiled_modules_of_both_pythons_and_fits_its_volume(volume: Path) -> None:
    compiled = {path.name.split(".")[1] for path in volume.rglob("*.so") if "cpython" in path.name}
    assert len({name.split("-")[1] for name in compiled}) == 2
    spec = of(built("overlays/operator"), "Instrumentation")["otel-agents"]["spec"]["python"]
    size = sum(path.stat().st_size for path in volume.rglob("*") if path.is_file()) / 2**20
    journal = next(each["value"] for each in spec["env"] if each["name"] == "OTEL_AGENTS_JOURNAL_MAX_BYTES")
    assert size * 2 + mebibytes(journal.removesuffix("B")) < mebibytes(spec["volumeLimitSize"]), "four versions of Python, and the journal"
    assert size < 200, "the Operator's own limit"


def test_the_recipe_runs_what_was_tested() -> None:
    recipe = (KUBERNETES / "instrumentation" / "Dockerfile").read_text()
    assert "RUN sh layout.sh /autoinstrumentation glibc $PYTHONS && sh layout.sh /autoinstrumentation-musl musl $PYTHONS" in recipe
    assert re.findall(r"^COPY --from=layout (\S+) (\S+)$", recipe, re.M) == [(name, name) for name in ("/autoinstrumentation", "/autoinstrumentation-musl")]
    assert shutil.which("sh")


# ------------------------------------------------------------------------------------------------ README


def test_the_readme_names_what_is_there() -> None:
    text = (KUBERNETES / "README.md").read_text()
    components = {path.parent.name for path in KUBERNETES.glob("components/*/kustomization.yaml")}
    assert [name for name in {*OVERLAYS, *components} if f"`{name}`" not in text] == []
    assert [path for path in re.findall(r"(?:^|[ `(])collector/kubernetes/([\w./-]*\w)", text, re.M) if not (KUBERNETES / path).exists()] == []
    (shown,) = (block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if "components:" in block)
    assert {Path(name).name for name in yaml.safe_load(shown)["components"]} <= components
