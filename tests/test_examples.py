"""Every example runs offline, prints what it should, and is recorded whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_agents.cli.scripted import ANSWERS, QUESTIONS, ScriptedModel

EXAMPLES = Path(__file__).parent.parent / "examples"
SWITCHES = (None, "true")


def example(journal: Path, switch: str | None, program: str, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
    ours = {"OTEL_AGENTS_JOURNAL_DIR": str(journal), "LITELLM_LOCAL_MODEL_COST_MAP": "True"} | ({"OTEL_AGENTS_ENABLED": switch} if switch else {})
    return subprocess.run([sys.executable, str(EXAMPLES / program), *words], env=kept | ours, capture_output=True, text=True, check=False)


def recorded(journal: Path) -> Any:
    done = subprocess.run([sys.executable, "-m", "otel_agents", "traces", "--json", "--journal", str(journal)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


@pytest.mark.parametrize("switch", SWITCHES)
def test_quickstart(tmp_path: Path, switch: str | None) -> None:
    done = example(tmp_path / "journal", switch, "quickstart.py")
    assert (done.stdout, done.stderr, done.returncode) == ("That is 42.\n", "", 0)
    found = [(one["name"], one["tools"], one["conversation_id"], one["spans"], one["outcome"]) for one in recorded(tmp_path / "journal")]
    assert found == ([("invoke_agent calculator", ["multiply"], "quickstart", 2, "ok")] if switch else [])


@pytest.mark.parametrize("switch", SWITCHES)
def test_assistant(tmp_path: Path, switch: str | None) -> None:
    with ScriptedModel() as model:
        done = example(tmp_path / "journal", switch, "assistant/assistant.py", "--base-url", model.base_url, "--conversation", "c-7", *QUESTIONS)
    expected = "".join(f"> {question}\n{answer} \n\n" for question, answer in zip(QUESTIONS, ANSWERS, strict=True))
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr
    assert done.stderr == "(WARNING: weather failed: the weather service did not answer within 0.15 s)\n"
    found = [(one["agent"], one["conversation_id"], one["spans"], one["errors"]) for one in reversed(recorded(tmp_path / "journal"))]
    assert found == ([("travel_assistant", "c-7", 8, 1), ("travel_assistant", "c-7", 6, 0)] if switch else [])


def test_quickstart_is_as_short_as_it_says() -> None:
    code = [line for line in (EXAMPLES / "quickstart.py").read_text().splitlines()[1:] if line.strip()]
    assert len(code) <= 11
