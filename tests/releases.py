"""Other releases of a library, each in an environment of its own behind which this one stands: it brings only what is not here already.

The environments are kept in the user's cache folder; what is newest is looked up anew each week.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

from packaged import ROOT, locked

from otel_agents.stack.home import cache

FOREIGN = ("OTEL_", "PYTHON", "PYTEST_")
# the warnings of other releases are theirs; ours are errors in the run that runs these
PYTEST = ("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-o", "filterwarnings=default", "--disable-warnings", "--tb=short")


def environment(wanted: tuple[str, ...]) -> Path:
    """The interpreter of the environment with these requirements, which is made if it isn't there yet; one process at a time."""
    name = re.sub(r"[^\w.=]+", "-", f"py{sys.version_info.major}.{sys.version_info.minor}-{'-'.join(wanted)}")[:120]
    folder, made_of = cache().with_name("releases") / name, json.dumps([time.strftime("%G-%V"), sys.prefix, str(ROOT), *wanted])
    with locked(folder.with_suffix(".lock")):
        if not (folder / "complete").exists() or (folder / "complete").read_text() != made_of:
            shutil.rmtree(folder, ignore_errors=True)
            make(folder, wanted)
            (folder / "complete").write_text(made_of)
    return folder / "bin" / "python"


def make(folder: Path, wanted: tuple[str, ...]) -> None:
    venv.create(folder, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    (site / "behind.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    (site / "otel_agents.pth").write_bytes((ROOT / "otel_agents.pth").read_bytes())
    done = ran(sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--disable-pip-version-check", "--upgrade", *wanted)
    assert done.returncode == 0, done.stderr[-2000:]


def version_in(python: Path, library: str) -> str:
    return ran(python, "-c", f"from importlib.metadata import version; print(version({library!r}))").stdout.strip()


def ran(*words: str | Path, timeout: float = 550) -> subprocess.CompletedProcess[str]:
    """Run a command without anybody's settings. timeout: seconds."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return subprocess.run([str(word) for word in words], cwd=ROOT, env=plain, capture_output=True, text=True, timeout=timeout, check=False)
