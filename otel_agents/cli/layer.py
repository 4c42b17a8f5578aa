"""Print the folder that starts otel-agents from PYTHONPATH, for places where Python reads no .pth file.

  pip install --target /opt/python otel-agents
  export OTEL_AGENTS_ENABLED=true PYTHONPATH=/opt/python/otel_agents/layer:/opt/python

Python runs the folder's sitecustomize.py when it starts, which starts otel-agents and then runs the sitecustomize.py that it hides, if there is one.
Meant for AWS Lambda layers, images of the OpenTelemetry Operator, and whoever mounts packages; `pip install` into an environment needs nothing of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import otel_agents
from otel_agents.cli import screen

LAYER = Path(otel_agents.__file__).resolve().parent / "layer"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def run(options: argparse.Namespace) -> int:
    """Print the folder."""
    if options.json:
        screen.print_json({"layer": LAYER})
    else:
        print(LAYER)
    return 0
