"""Starts otel-agents where .pth files are not read (`pip install --target` with PYTHONPATH), then runs the sitecustomize that this one hides, if any."""

import os
import sys


def _hidden():  # type: ignore[no-untyped-def]  # runs in every interpreter: nothing is imported for a hint
    """The spec of the next `sitecustomize` behind this one on the path."""
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.abspath(__file__))
    return PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if os.path.abspath(entry or ".") != here])


def _chain():  # type: ignore[no-untyped-def]  # as above
    spec = _hidden()
    if spec is None or spec.loader is None or spec.origin == __file__:
        return
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


if os.environ.get("OTEL_AGENTS_ENABLED"):
    from otel_agents.activate import run

    run()
_chain()
