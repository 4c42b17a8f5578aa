"""What zero-code start-up runs: once, never raising, and building nothing: everything waits for the first item."""

from __future__ import annotations

import os
import sys

OURS = ("otel-agents",)
_ran: list[bool] = []


def run() -> None:
    """Observe this program, if it isn't our own command line."""
    if _ran or _is_ours() or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    _ran.append(True)
    from otel_agents.runtime.process import uncollected

    with uncollected():
        from otel_agents.telemetry.guard import guard

        with guard("start"):
            _begin()


def _begin() -> None:
    """Settings are read with the first item; which libraries to leave alone must be known before."""
    from otel_agents.redaction.messages import logger
    from otel_agents.runtime import lifecycle

    wanted, left = _chosen()
    try:
        lifecycle.begin({}, wanted or None, left)
    except ValueError as problem:
        logger.warning("otel-agents: %s", problem)
        lifecycle.begin({}, _usable(wanted) or None, _known(left))


def _chosen() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The libraries named to be observed, and those to be left alone; the settings are only read this early where a file may say so."""
    from otel_agents.config.files import nearby_file

    if nearby_file() is None and not os.environ.get("OTEL_AGENTS_CONFIG_FILE"):
        return _named("OTEL_AGENTS_INSTRUMENT"), _named("OTEL_AGENTS_DISABLE")
    from otel_agents.config.settings import load_forgiving

    settings, _ = load_forgiving()  # what is wrong is said with the first item
    return settings.instrument or (), settings.disable


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    from otel_agents.instrumentors.registry import LIBRARIES

    return tuple(name for name in names if name in LIBRARIES)


def _usable(names: tuple[str, ...]) -> tuple[str, ...]:
    from otel_agents.instrumentors.registry import installed_version, named

    versions = {name: installed_version(name) for name in _known(names)}
    return tuple(name for name, version in versions.items() if version and named(name).supports(version))


def _named(variable: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in os.environ.get(variable, "").split(",") if word.strip())


def _is_ours() -> bool:
    """Whether this interpreter runs our own commands, which must not observe themselves."""
    words = getattr(sys, "orig_argv", [])[1:4]
    return any(os.path.basename(word) in OURS for word in words) or ("-m" in words and "otel_agents" in words)
