"""Starts otel-agents where no .pth file is read (`pip install --target` with PYTHONPATH), then runs the sitecustomize that this one hides, if any.

This folder goes on PYTHONPATH, before the one that the package is installed in: `otel-agents layer` prints it.
"""

import os
import sys

TYPE_CHECKING = False  # this runs in every interpreter: nothing is imported for a hint
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def _hidden() -> "ModuleSpec | None":
    """The spec of the next `sitecustomize` behind this one on the path."""
    from importlib.machinery import PathFinder

    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.path.abspath(entry or ".") for entry in sys.path]
    return PathFinder.find_spec("sitecustomize", sys.path[places.index(here) + 1 :]) if here in places else None


def _chain() -> None:
    spec = _hidden()
    if spec is None or spec.loader is None:
        return
    from importlib.util import module_from_spec

    module = module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _start() -> None:
    try:
        from otel_agents.activate import run
    except ImportError:
        print("otel-agents: not found: put the folder that it is installed in on PYTHONPATH, too, behind this layer", file=sys.stderr)
    else:
        run()


if os.environ.get("OTEL_AGENTS_ENABLED"):
    _start()
_chain()
