"""`otel-agents run`: it becomes the program, so every test is a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from otel_agents.cli import run

SHOW = "import os, sys; print(sys.argv[1:], os.environ['OTEL_AGENTS_ENABLED']); sys.exit(7)"


def started(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "OTEL_AGENTS_ENABLED"}
    return subprocess.run([sys.executable, "-m", "otel_agents", "run", *words], capture_output=True, text=True, cwd=cwd, env=environment, check=False)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(SHOW)
    return path


@pytest.mark.parametrize("words", [("app.py",), ("-m", "app"), ("--", sys.executable, "app.py"), ("--", "app.py"), (".",)])
def test_programs_keep_their_arguments_and_status(program: Path, words: tuple[str, ...]) -> None:
    (program.parent / "__main__.py").write_text(SHOW)
    done = started(*words, "--json", "-m", "x", "--help", cwd=program.parent)
    assert (done.stdout, done.returncode) == ("['--json', '-m', 'x', '--help'] true\n", 7)


def test_a_command_of_this_environment() -> None:
    done = started("otel-agents", "--version")
    assert (done.stdout.split()[0], done.returncode) == ("otel-agents", 0)


def test_a_signal_ends_the_program_as_without_us(program: Path) -> None:
    program.write_text("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert started(str(program)).returncode == -signal.SIGTERM


def test_the_program_is_observed(program: Path) -> None:
    program.write_text("from otel_agents.telemetry.engine import engine; print(engine.on)")
    assert started(str(program)).stdout == "True\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "which program?"), (("-m",), 2, "which program?"), (("--",), 2, "which program?"), (("no-such-program",), 127, "'no-such-program'"),
        (("./a-folder",), 127, "./a-folder"),
    ],
)  # fmt: skip
def test_what_can_not_be_started(tmp_path: Path, words: tuple[str, ...], status: int, said: str) -> None:
    (tmp_path / "a-folder").mkdir()
    done = started(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_start_up_module_is_put_in_reach_before_other_paths(tmp_path: Path) -> None:
    given = {"PYTHONPATH": "/mine", "PATH": "/bin", "OTEL_AGENTS_ENABLED": "false"}
    assert run.switched(given) == given | {"OTEL_AGENTS_ENABLED": "true"}
    assert run.switched(given, tmp_path)["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/mine"
    assert run.switched({}, tmp_path, Path("/package"))["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/package"
