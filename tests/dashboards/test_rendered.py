"""The committed files are what the code renders; thresholds reach both rules and boards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendered_boards import ROOT

from otel_agents.config.definitions import ALERTS as CONFIGURABLE
from otel_agents.dashboards.alerts import ALERTS
from otel_agents.dashboards.render import render, rendered, rendered_for_kubernetes

FOLDERS = {"grafana": rendered, "collector/kubernetes/overlays": rendered_for_kubernetes}
RENDERED = ("dashboards/*", "rules/*", "provisioning/*/*")


@pytest.mark.parametrize("folder", FOLDERS)
def test_committed_files_are_what_the_code_renders(folder: str) -> None:
    expected = FOLDERS[folder]({})
    home = ROOT / folder
    found = {str(path.relative_to(home)): path.read_text() for pattern in RENDERED for path in home.glob(pattern) if path.is_file()}
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == [], f"render them again: otel-agents stack render --to {folder} (--kubernetes)"


@pytest.mark.parametrize("files", FOLDERS.values())
def test_rendering_twice_gives_the_same_bytes(files: Callable[[Mapping[str, Any]], dict[str, str]]) -> None:
    assert files({}) == files({})


def test_a_threshold_reaches_its_rule_and_every_board_that_draws_it(tmp_path: Path) -> None:
    render(tmp_path, {"agent_slow": {"threshold": 7.5, "events": 3}})
    rules = {rule["alert"]: rule["expr"] for rule in yaml.safe_load((tmp_path / "rules" / "alerts.yaml").read_text())["groups"][0]["rules"]}
    assert "> 7.5 and" in rules["AgentSlow"]
    assert rules["AgentSlow"].endswith(">= 3")
    drawn = [
        step["value"]
        for name in ("fleet", "agent")
        for panel in json.loads((tmp_path / "dashboards" / f"{name}.json").read_text())["panels"]
        if panel["title"].startswith("Run p")
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if step["color"] == "red"
    ]
    assert drawn == [7.5, 7.5, 7.5]


def test_what_did_not_change_is_not_written_again(tmp_path: Path) -> None:
    first = {path: path.stat().st_mtime_ns for path in render(tmp_path, {})}
    changed = [path.name for path in render(tmp_path, {"cost_per_hour": {"threshold": 99}}) if path.stat().st_mtime_ns != first[path]]
    assert sorted(changed) == ["alerts.yaml", "cost.json"]


def test_every_threshold_of_the_configuration_file_is_used() -> None:
    with_one = {alert.key for alert in ALERTS if alert.threshold is not None}
    assert with_one == set(CONFIGURABLE)
    for alert in ALERTS:
        if alert.threshold is not None:
            low, high = CONFIGURABLE[alert.key]
            assert low < alert.threshold <= high


def test_objects_of_a_cluster_fit_into_it() -> None:
    for name, text in rendered_for_kubernetes({}).items():
        found = yaml.safe_load(text)
        if found["kind"] == "ConfigMap":
            (file, board), *more = found["data"].items()
            assert (name, found["metadata"]["labels"]["grafana_dashboard"], more) == (f"dashboards/{Path(file).stem}.yaml", "1", [])
            assert json.loads(board) == json.loads((ROOT / "grafana" / "dashboards" / file).read_text())
            assert len(text) < 2**20
    groups = yaml.safe_load(rendered_for_kubernetes({})["rules/prometheusrule.yaml"])["spec"]["groups"]
    assert groups == [group for file in sorted((ROOT / "grafana" / "rules").glob("*"), reverse=True) for group in yaml.safe_load(file.read_text())["groups"]]
