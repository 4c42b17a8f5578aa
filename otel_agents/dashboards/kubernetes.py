"""The boards as ConfigMaps with the label that Grafana's sidecar looks for, and the rules as a PrometheusRule for the Prometheus Operator."""

from __future__ import annotations

from typing import Any

from otel_agents.dashboards import rules
from otel_agents.dashboards.alerts import Thresholds

Json = dict[str, Any]
NAMESPACE = "observability"
OURS = {"app.kubernetes.io/name": "otel-agents", "app.kubernetes.io/part-of": "otel-agents"}
SIDECAR = {"grafana_dashboard": "1"}  # the default of Grafana's Helm chart; the folder is an annotation


def dashboard(name: str, rendered: str) -> Json:
    """One board in a ConfigMap, which may hold up to 1 MiB."""
    about = {"name": f"otel-agents-{name}", "namespace": NAMESPACE, "labels": OURS | SIDECAR, "annotations": {"grafana_folder": "Agents"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {f"{name}.json": rendered}}


def kustomization(names: list[str]) -> Json:
    """The kustomization of a folder with these objects, for `kubectl apply -k`."""
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": [f"{name}.yaml" for name in names]}


def prometheus_rule(thresholds: Thresholds) -> Json:
    """All rule groups. Your Prometheus may select rules by another label (often `release`)."""
    about = {"name": "otel-agents", "namespace": NAMESPACE, "labels": OURS | {"role": "alert-rules"}}
    groups = [group for file in rules.files(thresholds).values() for group in file["groups"]]
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": about, "spec": {"groups": groups}}
