"""Writes what collector/kubernetes has of the Collector's own files: Kustomize reads nothing above its root, and the Operator wants an object.

`python -m otel_agents.stack.cluster` writes them where they are; the same input gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from otel_agents.stack import home
from otel_agents.stack.servers import OTELCOL

Json = dict[str, Any]
COPIED = ("otelcol", "agent-tier", "gateway-tier", "journal", "tail-sampling")
HEAD = "# Rendered by `python -m otel_agents.stack.cluster`: never edited by hand.\n"
NAMESPACE, USER = "observability", 10001  # the user of the Collector's image
OURS = {"app.kubernetes.io/part-of": "otel-agents"}
CONFINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
UNPRIVILEGED = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
QUEUE_FOLDER = "/var/lib/otelcol"
VARIABLES = {
    "STACK_QUEUE": QUEUE_FOLDER,
    "STACK_MEMORY_MIB": "640",
    "STACK_MEMORY_SPIKE_MIB": "160",
    "STACK_PROMETHEUS": "http://prometheus:9090",
    "STACK_LOKI": "http://loki:3100",
    "STACK_TEMPO_OTLP": "tempo:4317",
}


def source(name: str) -> Path:
    """One of the Collector's files: the configuration, or an overlay."""
    return home.collector() / "otelcol.yaml" if name == "otelcol" else home.overlay(name)


def operated() -> Json:
    """The configuration as the Operator reads it: it looks for ports in the addresses, and takes that of metrics as a number only."""
    config: Json = yaml.safe_load(source("otelcol").read_text(encoding="utf-8"))
    protocols = config["receivers"]["otlp"]["protocols"]
    protocols["grpc"]["endpoint"], protocols["http"]["endpoint"] = "0.0.0.0:4317", "0.0.0.0:4318"
    config["extensions"]["health_check"]["endpoint"] = "0.0.0.0:13133"
    config["service"]["telemetry"]["metrics"]["readers"] = [{"pull": {"exporter": {"prometheus": {"host": "0.0.0.0", "port": 8888}}}}]
    return config


def claim() -> Json:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "4Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "queue"}, "spec": spec}


def queue_fill() -> Json:
    return {"type": "Pods", "pods": {"metric": {"name": "otelcol_queue_percent"}, "target": {"type": "AverageValue", "averageValue": "30"}}}


def operators_collector() -> Json:
    """The gateway as the OpenTelemetry Operator's custom resource: what base/ has, in its words."""
    spec = {
        "mode": "statefulset",
        "image": OTELCOL.image,
        "upgradeStrategy": "none",  # the version is the one that was tested
        "env": [{"name": name, "value": value} for name, value in VARIABLES.items()],
        "resources": {
            "requests": {"cpu": "200m", "memory": "256Mi", "ephemeral-storage": "64Mi"},
            "limits": {"cpu": "2", "memory": "896Mi", "ephemeral-storage": "256Mi"},
        },
        "podSecurityContext": UNPRIVILEGED,
        "securityContext": CONFINED,
        "terminationGracePeriodSeconds": 60,
        "volumeClaimTemplates": [claim()],
        "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Retain", "whenDeleted": "Retain"},
        "volumeMounts": [{"name": "queue", "mountPath": QUEUE_FOLDER}],
        "startupProbe": {"periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {"periodSeconds": 5, "timeoutSeconds": 3},
        "livenessProbe": {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6},
        "podDisruptionBudget": {"maxUnavailable": 1},
        "autoscaler": {"minReplicas": 2, "maxReplicas": 6, "metrics": [queue_fill()], "targetCPUUtilization": 70},
        "config": operated(),
    }
    about = {"name": "otelcol", "namespace": NAMESPACE, "labels": OURS}
    return {"apiVersion": "opentelemetry.io/v1beta1", "kind": "OpenTelemetryCollector", "metadata": about, "spec": spec}


class Yaml(yaml.SafeDumper):
    """One object is never an alias of another."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def rendered() -> dict[str, str]:
    """The text of each file by its place in collector/kubernetes."""
    copies = {f"config/{name}.yaml": source(name).read_text(encoding="utf-8") for name in COPIED}
    collector = yaml.dump(operators_collector(), Dumper=Yaml, sort_keys=False, allow_unicode=True, width=10**6)
    return copies | {"overlays/operator/collector.yaml": HEAD + collector}


def write(folder: Path) -> list[Path]:
    """Write the files that are not what they should be, and give their paths."""
    wanted = {folder / name: text for name, text in rendered().items()}
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
    return changed


if __name__ == "__main__":
    for file in write(home.collector() / "kubernetes"):
        print(file)
