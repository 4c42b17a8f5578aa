"""Zero-code start-up: runs once, never raises, and builds nothing. The pipeline is built for the first item."""

from __future__ import annotations

import os
import sys

OWN_COMMANDS = ("otel-agents",)
_ran: list[bool] = []


def run() -> None:
    """Start observing this program, unless it is our own command line."""
    if _ran or _is_own_command() or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    _ran.append(True)
    from otel_agents.runtime.process import gc_paused

    with gc_paused():
        from otel_agents.telemetry.guard import guard

        with guard("start"):
            _begin()


def _begin() -> None:
    """Install the hooks. The settings are read with the first item, except for which libraries to instrument, which is needed now."""
    from otel_agents.redaction.messages import logger
    from otel_agents.runtime import lifecycle

    enabled, disabled = _libraries()
    try:
        lifecycle.begin({}, enabled or None, disabled)
    except ValueError as problem:
        logger.warning("otel-agents: %s", problem)
        lifecycle.begin({}, _usable(enabled) or None, _known(disabled))


def _libraries() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The libraries to instrument and those not to. A configuration file is only read this early if there is one."""
    from otel_agents.config.files import nearby_file

    if nearby_file() is None and not os.environ.get("OTEL_AGENTS_CONFIG_FILE"):
        return _named("OTEL_AGENTS_INSTRUMENT"), _named("OTEL_AGENTS_DISABLE")
    from otel_agents.config.settings import load_forgiving

    settings, _ = load_forgiving()  # problems are logged with the first item
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


def _is_own_command() -> bool:
    """Whether this process is our own command line, which must not observe itself."""
    words = getattr(sys, "orig_argv", [])[1:4]
    return any(os.path.basename(word) in OWN_COMMANDS for word in words) or ("-m" in words and "otel_agents" in words)
