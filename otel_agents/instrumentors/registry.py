"""The table of instrumentors: library, the module whose import triggers it, supported versions, and our file for it.

The table holds strings only: neither a library nor our file for it is imported before the program imports the library.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Collection
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from otel_agents.instrumentors.patching import ImportHooks, Patches
from otel_agents.redaction.messages import wrong
from otel_agents.telemetry.guard import guard

logger = logging.getLogger("otel_agents")


class Instrumentor(NamedTuple):
    """A library that can be instrumented, from version `since` up to, but not including, `before`."""

    library: str
    module: str
    since: str
    before: str
    file: str

    @property
    def supported(self) -> str:
        return f">={self.since},<{self.before}"

    def supports(self, version: str | None) -> bool:
        """Whether the version is in range. An unknown version (a frozen program has no package metadata) is tried."""
        return version is None or release(self.since) <= release(version) < release(self.before)


INSTRUMENTORS = (
    Instrumentor("litellm", "litellm", "1.53", "2", "otel_agents.instrumentors.litellm"),
    Instrumentor("openai", "openai", "1.26", "4", "otel_agents.instrumentors.openai"),
)
LIBRARIES = tuple(instrumentor.library for instrumentor in INSTRUMENTORS)


def release(version: str) -> tuple[int, ...]:
    """The release segment of a version: `1.74.0.post2` → (1, 74, 0)."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def install(names_enabled: Collection[str] | None = None, disabled: Collection[str] = ()) -> None:
    """Hook the imports of every library in the table, or only of those asked for by name. Libraries that are already imported are patched at once.

    Raises ValueError for a name that is not in the table, and for a library asked for by name that is not installed or not in a supported version.
    """
    for name in (*(names_enabled or ()), *disabled):
        _check_known(name)
    for name in names_enabled or ():
        _check_supported(named(name))
    uninstall()
    hooks = ImportHooks()
    for instrumentor in INSTRUMENTORS:
        if instrumentor.library not in disabled and (names_enabled is None or instrumentor.library in names_enabled):
            _await(instrumentor, hooks)
    sys.meta_path.insert(0, hooks)


def uninstall() -> None:
    """Undo every patch and stop watching imports."""
    hooks = installed_hooks()
    if hooks is not None:
        sys.meta_path.remove(hooks)
        hooks.stop()


def status() -> list[dict[str, Any]]:
    """What `doctor` shows, one row per library: installed version, supported range, patched or why not, names bound before the patch. Imports no library."""
    return [_status(instrumentor, installed_hooks()) for instrumentor in INSTRUMENTORS]


def installed_hooks() -> ImportHooks | None:
    """Our finder, looked up in `sys.meta_path`: that is the only place where it is kept."""
    return next((finder for finder in sys.meta_path if isinstance(finder, ImportHooks)), None)


def named(library: str) -> Instrumentor:
    """The row of one library."""
    return INSTRUMENTORS[LIBRARIES.index(library)]


def installed_version(library: str) -> str | None:
    """The installed version, read from the package metadata without importing the library; None if it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return None


def _check_known(name: str) -> None:
    if name not in LIBRARIES:
        raise ValueError(f"there is no instrumentor for {wrong('instrument', name)}; known libraries are {', '.join(LIBRARIES)}: correct or remove the name")


def _check_supported(instrumentor: Instrumentor) -> None:
    version = installed_version(instrumentor.library)
    if version is None:
        raise ValueError(f"{instrumentor.library!r} was asked for but is not installed: run `pip install {instrumentor.library}` or remove the name")
    if not instrumentor.supports(version):
        wanted = f"{instrumentor.library}{instrumentor.supported}"
        raise ValueError(f"{instrumentor.library} {version} can't be instrumented: run `pip install '{wanted}'` or remove the name")


def _await(instrumentor: Instrumentor, hooks: ImportHooks) -> None:
    patches = Patches(instrumentor.library, instrumentor.module, hooks)
    hooks.ledgers[instrumentor.library] = patches
    hooks.when(instrumentor.module, partial(_apply, instrumentor, patches))


def _apply(instrumentor: Instrumentor, patches: Patches) -> None:
    version = installed_version(instrumentor.library)
    if not instrumentor.supports(version):
        patches.why = f"version {version} is outside {instrumentor.supported}"
        logger.debug("otel-agents: %s is not instrumented: %s", instrumentor.library, patches.why)
        return
    patches.why = "its hook failed; the debug log has the error"
    with guard(f"hook {instrumentor.library}"):
        import_module(instrumentor.file).hook(patches)
        patches.rebind()
        patches.why = None


def _status(instrumentor: Instrumentor, hooks: ImportHooks | None) -> dict[str, Any]:
    version = installed_version(instrumentor.library)
    patches = hooks.ledgers.get(instrumentor.library) if hooks else None
    why = _why(instrumentor, version, hooks, patches)
    return {
        "library": instrumentor.library,
        "installed": version,
        "supported": instrumentor.supported,
        "patched": why is None,
        "why": why,
        "missed": list(patches.missed) if patches else [],
        "absent": list(patches.absent) if patches else [],
    }


def _why(instrumentor: Instrumentor, version: str | None, hooks: ImportHooks | None, patches: Patches | None) -> str | None:
    if version is None:
        return "not installed"
    if not instrumentor.supports(version):
        return f"version {version} is outside {instrumentor.supported}"
    if hooks is None:
        return "otel-agents has not been started in this process"
    return patches.why if patches else "disabled by the settings"
