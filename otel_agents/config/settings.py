"""The settings of this process: `load()` reads call arguments, then the environment, then otel-agents.yaml or [tool.otel-agents], then the defaults.

A file, and whatever is wrong, is judged by the pydantic-settings model (model.py). Arguments and variables that are right do without it: importing
pydantic-settings takes a bare program 90 ms of CPU, a third of its whole start. Both call the same parsers, so that a value means the same.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from otel_agents.config import import_lock
from otel_agents.config.sources import Found, gather
from otel_agents.config.values import SECTIONS, Endpoint, Settings, made

__all__ = ["Endpoint", "Settings", "SettingsError", "build", "load", "load_forgiving"]


class SettingsError(ValueError):
    """Settings that cannot be used; each of `lines` names the place, the value and what to write instead."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def load(**overrides: Any) -> Settings:
    """The settings of this process. Raises SettingsError, whose lines name every wrong value, where it was written and what to write."""
    settings, lines = load_forgiving(**overrides)
    if lines:
        raise SettingsError(lines)
    return settings


def load_forgiving(**overrides: Any) -> tuple[Settings, list[str]]:
    """Settings in any case: a wrong value is left out (the next source, then the default, counts) and reported in one line."""
    return build(gather(overrides, os.environ))


def build(found: Found) -> tuple[Settings, list[str]]:
    given = found.merged()
    if not found.problems and found.file is None and not given.keys() & set(SECTIONS):
        with suppress(ValueError):  # the model says what is wrong
            return made({name: one.value for name, one in given.items()}, found.origins()), []
    with import_lock.imports:
        from otel_agents.config.model import judged
    return judged(found)
