"""Switches threads as often as the tests ask for, in the programs that they start; then comes the sitecustomize that this one hides, if any."""

import os
import sys
from importlib.machinery import PathFinder

sys.setswitchinterval(float(os.environ["TEST_SWITCH_INTERVAL"]))

_here = os.path.dirname(os.path.abspath(__file__))
_hidden = PathFinder.find_spec("sitecustomize", [place for place in sys.path if os.path.abspath(place) != _here])
if _hidden is not None and _hidden.loader is not None:
    exec(_hidden.loader.get_code("sitecustomize"), {"__name__": "sitecustomize", "__file__": _hidden.origin})  # type: ignore[attr-defined]
