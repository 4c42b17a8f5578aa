"""Each alert fires when it should and not in similar situations: promtool runs the cases in alerts/ against the committed rules."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from rendered_boards import ROOT

from otel_agents.dashboards import rules
from otel_agents.dashboards.alerts import ALERTS, BY_KEY, Alert
from otel_agents.dashboards.render import as_yaml

CASES = Path(__file__).parent / "alerts"
RULES = ROOT / "grafana" / "rules"
every = pytest.mark.parametrize("key", BY_KEY)


def without_minimum(alert: Alert) -> str:
    return replace(alert, events="").expression({})


WEAKENED = {  # without the part that keeps an alert from firing by chance
    **{alert.key: without_minimum(alert) for alert in ALERTS if alert.events},
    "agent_died": BY_KEY["agent_died"].expression({}).replace('{otel_agents_outcome="died"}', ""),
    "agent_silent": re.sub(r" >= 48\b", "", BY_KEY["agent_silent"].expression({})),
    "cost_spike": re.sub(r" and [^ ]+ > 1$", "", BY_KEY["cost_spike"].expression({})),
    "agent_loops": BY_KEY["agent_loops"].expression({}).replace("[5m])) > 0)", "[5m])))"),
    "collector_loses": BY_KEY["collector_loses"].expression({}).replace(" offset 5m", " offset 50m"),
}


def promtool_on(promtool: Path, cases: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(promtool), "test", "rules", str(cases)], capture_output=True, text=True, timeout=240, check=False)


def test_promtool_takes_the_rules(promtool: Path) -> None:
    done = subprocess.run([str(promtool), "check", "rules", *map(str, sorted(RULES.glob("*.yaml")))], capture_output=True, text=True, check=False)
    assert (done.returncode, re.findall(r"(\d+) rules found", done.stdout)) == (0, [str(len(ALERTS)), "1"]), done.stderr


@every
def test_it_fires_when_it_should_and_only_then(promtool: Path, key: str) -> None:
    done = promtool_on(promtool, CASES / f"{key}.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@every
def test_its_cases_say_both(key: str) -> None:
    """The cases of an alert include some that fire, with all annotations, and similar ones that do not."""
    cases = [case for test in yaml.safe_load((CASES / f"{key}.yaml").read_text())["tests"] for case in test["alert_rule_test"]]
    firing = [case["exp_alerts"] for case in cases if case["exp_alerts"]]
    assert {case["alertname"] for case in cases} == {BY_KEY[key].name}
    assert 0 < len(firing) < len(cases)
    assert all(set(one["exp_annotations"]) == {"summary", "description", "runbook", "dashboard"} for alerts in firing for one in alerts)


def test_every_ratio_has_a_minimum() -> None:
    """A ratio or a quantile of too few events is noise."""
    of_events = {alert.key for alert in ALERTS if re.search(r"\) / \(|histogram_quantile", alert.value)}
    assert of_events - {"agent_loops"} == {alert.key for alert in ALERTS if alert.minimum}  # 60 calls in a run do not happen by chance


@pytest.mark.parametrize("key", WEAKENED)
def test_a_rule_without_its_minimum_breaks_its_test(promtool: Path, tmp_path: Path, key: str) -> None:
    assert WEAKENED[key] != BY_KEY[key].expression({})
    weak = replace(BY_KEY[key], condition=WEAKENED[key], events="")
    group = rules.group("weak", [rules.rule(weak, {})])
    (tmp_path / "alerts.yaml").write_text(as_yaml(group))
    cases = yaml.safe_load((CASES / f"{key}.yaml").read_text()) | {"rule_files": [str(RULES / "recording.yaml"), "alerts.yaml"]}
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump(cases))
    done = promtool_on(promtool, tmp_path / "cases.yaml")
    assert done.returncode != 0
    assert "exp:[]" in done.stdout + done.stderr  # it fired where nothing should


def test_the_documentation_knows_every_alert() -> None:
    """The table of grafana/README.md: name, minimum, severity and key of each."""
    found = re.findall(r"^\| (\w+) \| .* \| (\d*) \| (page|ticket) \| `?(\w*)`? \|$", (ROOT / "grafana" / "README.md").read_text(), re.MULTILINE)
    assert found == [(alert.name, str(alert.minimum or ""), alert.severity, alert.key if alert.threshold is not None else "") for alert in ALERTS]
