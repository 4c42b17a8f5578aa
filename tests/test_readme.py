"""README is held to what it says: its Python runs, its commands exist, its settings are those there are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_the_python_of_readme_runs(code, tmp_path):
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment(tmp_path), timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


def environment(folder):
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return {**kept, "OTEL_AGENTS_JOURNAL_DIR": str(folder)}


def test_what_the_decorators_of_readme_record_is_read_back(tmp_path):
    subprocess.run([sys.executable, "-c", PYTHON[0]], env=environment(tmp_path), check=True, capture_output=True, timeout=60)
    shown = subprocess.run(
        [sys.executable, "-m", "otel_agents", "trace", "last"], env=environment(tmp_path), check=True, capture_output=True, text=True, timeout=60
    )
    for part in ("invoke_agent researcher", "execute_tool search", "step write", "conversation-1"):
        assert part in shown.stdout


def test_every_command_of_readme_exists_and_every_command_is_in_readme():
    from otel_agents.cli.app import COMMANDS

    assert set(re.findall(r"^\| `otel-agents (\w+)", TEXT, re.MULTILINE)) == set(COMMANDS)


def test_every_setting_of_readme_exists():
    from otel_agents.config.values import KNOWN

    named = {name.lower() for name in re.findall(r"`OTEL_AGENTS_(\w+?)(?:=[^`]*)?`", TEXT)}
    assert named - KNOWN == set()
    assert len(named) > 20


def test_every_verb_of_readme_exists():
    import otel_agents as oa

    verbs = re.search(r"^`(@agent[^`]+)`", TEXT, re.MULTILINE)
    assert verbs is not None
    assert all(callable(getattr(oa, verb)) for verb in verbs[1].replace("@", "").split())
