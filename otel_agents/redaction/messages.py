"""What we say about ourselves (lines, tables, JSON): settings, addresses, texts as they may be shown, without a credential, wherever it was written."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otel_agents.redaction.urls import split

HIDDEN = "***"
LONGEST = 80  # characters of a wrong value
SUSPECT = 16  # characters, letters and digits among them: what is wrong as a setting and looks like this may be a credential meant for another
DEEPEST = 8  # tables in tables that are shown; a file's anchors may contain themselves
PATHS = ("file", "dir", "certificate", "client_key")


def line(text: str) -> str:
    """A text of ours, with what others wrote in it."""
    from otel_agents.redaction.by_shape import credential_free  # only where something is said

    return credential_free(text)


def word(text: str) -> str:
    """A text that is nothing we know; hidden where it looks like a credential of no known shape."""
    from otel_agents.redaction.by_name import is_opaque_word

    fit = line(text)
    return HIDDEN if fit == text and len(text) >= SUSPECT and is_opaque_word(text) else fit


def address(url: str) -> str:
    """An endpoint: a query holds keys as often as user and password do; what can't be read is not shown at all."""
    try:
        parts = split(url)
        readable = parts.port != 0
    except ValueError:
        readable = False
    if not readable:
        return HIDDEN
    where = (f"{parts.scheme}://" if parts.scheme else "") + parts.netloc.rpartition("@")[2]
    return line(where + (f"/{HIDDEN}" if "@" in parts.path else parts.path)) + (f"?{HIDDEN}" if parts.query or parts.fragment else "")


def public(name: str, value: Any, depth: int = 0) -> Any:
    """A value under its name: headers by name alone, addresses without credentials, texts with what is none, and so all that stands in tables and lists."""
    if depth > DEEPEST:
        return "…"
    if name.endswith("headers"):
        return {word(str(header)): HIDDEN for header in value} if isinstance(value, Mapping) else HIDDEN
    if isinstance(value, Mapping):
        return {line(str(key)): public(str(key), held, depth + 1) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return (tuple if isinstance(value, tuple) else list)(public(name, held, depth + 1) for held in value)
    return text(name, str(value)) if isinstance(value, str | Path) else value


def text(name: str, value: str) -> str:
    if name.endswith("endpoint"):
        return address(value)
    from otel_agents.redaction.by_name import kind_of

    kind = "" if name.endswith(PATHS) else kind_of(name, value)
    return f"[redacted:{kind}]" if kind else line(value)


def wrong(name: str, value: Any) -> str:
    """A value that can't be used, in the line that says so: without what may be a credential, and then cut."""
    told = word(value) if isinstance(value, str) and not is_address(name, value) else public(name, value)
    full = told if told == HIDDEN else repr(told) if isinstance(told, str | int | float | bool | list | tuple | dict) else type(told).__name__
    return full if len(full) <= LONGEST else f"{full[:LONGEST]}…"


def is_address(name: str, value: str) -> bool:
    """Whether it is told by a function of its own, or stands for a place: letters and digits together are no suspicion there."""
    return name.endswith("headers") or (name.endswith(("endpoint", *PATHS)) and not value.isalnum())


def is_presentable(record: logging.LogRecord) -> bool:
    """Every line of a logger that has this filter is made so first, and the exception that is printed below it."""
    said = record.getMessage()
    if (fit := line(said)) != said:
        record.msg, record.args = fit, ()
    if record.exc_info:
        stack = logging.Formatter().formatException(record.exc_info) if record.exc_info[1] else ""
        if (fit := line(stack)) != stack:
            record.exc_text, record.exc_info = fit, None
    return True


logger = logging.getLogger("otel_agents")
logger.addFilter(is_presentable)
