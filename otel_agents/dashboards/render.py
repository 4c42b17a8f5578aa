"""Renders boards and alerts: files for Grafana and Prometheus, objects for Kubernetes. The same input gives the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from otel_agents.dashboards import datasources, grafana, kubernetes, rules
from otel_agents.dashboards.agent import AGENT
from otel_agents.dashboards.alerts import Thresholds
from otel_agents.dashboards.conversations import CONVERSATIONS
from otel_agents.dashboards.cost import COSTS
from otel_agents.dashboards.fleet import FLEET
from otel_agents.dashboards.inference import MODELS
from otel_agents.dashboards.memory import MEMORIES
from otel_agents.dashboards.pipeline import PIPELINE
from otel_agents.dashboards.quality import QUALITY
from otel_agents.dashboards.tools import TOOLS

BOARDS = (FLEET, AGENT, MODELS, COSTS, TOOLS, MEMORIES, QUALITY, CONVERSATIONS, PIPELINE)
HEADER = "# Rendered by `otel-agents stack render` from otel_agents/dashboards: never edited by hand.\n"
UNFOLDED = 10**6  # line width: an expression stays on one line


class Yaml(yaml.SafeDumper):
    """Readable YAML: texts of several lines as blocks, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


Yaml.add_representer(str, text)


def as_yaml(content: Mapping[str, Any]) -> str:
    return HEADER + yaml.dump(content, Dumper=Yaml, sort_keys=False, allow_unicode=True, width=UNFOLDED)


def as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def in_one_line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def rendered(thresholds: Thresholds, places: datasources.Places = datasources.IN_CONTAINERS) -> dict[str, str]:
    """The files of the folder `grafana`, by path. thresholds: the `alerts:` section, as `{"agent_slow": {"threshold": 60}}`."""
    boards = {f"dashboards/{board.key}.json": as_json(grafana.dashboard(board, thresholds)) for board in BOARDS}
    alerts = {f"rules/{name}": as_yaml(content) for name, content in rules.files(thresholds).items()}
    return boards | alerts | {f"provisioning/{name}": as_yaml(content) for name, content in datasources.files(places).items()}


def rendered_for_kubernetes(thresholds: Thresholds) -> dict[str, str]:
    """The same boards and rules as Kubernetes objects, in two Kustomize folders: a cluster with Grafana may lack the Prometheus Operator."""
    folders = {
        "dashboards": {board.key: kubernetes.dashboard(board.key, in_one_line(grafana.dashboard(board, thresholds))) for board in BOARDS},
        "rules": {"prometheusrule": kubernetes.prometheus_rule(thresholds)},
    }
    complete = {folder: {**found, "kustomization": kubernetes.kustomization(sorted(found))} for folder, found in folders.items()}
    return {f"{folder}/{name}.yaml": as_yaml(content) for folder, found in complete.items() for name, content in found.items()}


def render(folder: Path, thresholds: Thresholds, *, kubernetes: bool = False, places: datasources.Places = datasources.IN_CONTAINERS) -> list[Path]:
    """Write the files into this folder, which is created if missing, and return their paths. Unchanged files are not touched."""
    files = rendered_for_kubernetes(thresholds) if kubernetes else rendered(thresholds, places)
    return [written(folder / name, content) for name, content in files.items()]


def written(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        path.write_text(content, encoding="utf-8")
    return path
