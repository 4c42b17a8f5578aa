"""What otel-agents itself prints or logs: settings, addresses and texts without any credential, wherever the user may have put one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from otel_agents.redaction.urls import split

HIDDEN = "***"
LONGEST = 80  # characters of a wrong value
SUSPECT = 16  # characters: an invalid value of at least this length with letters and digits may be a credential that belongs elsewhere
DEEPEST = 8  # levels of nested tables; a YAML file's anchors may be recursive
PATHS = ("file", "dir", "certificate", "client_key")


def line(text: str) -> str:
    """A message of ours, redacted: it may quote what the user has written."""
    from otel_agents.redaction.by_shape import credential_free  # imported only when a message is produced

    return credential_free(text)


def word(text: str) -> str:
    """A word that we don't recognise; hidden if it looks like a credential of an unknown format."""
    from otel_agents.redaction.by_name import is_opaque_word

    redacted = line(text)
    return HIDDEN if redacted == text and len(text) >= SUSPECT and is_opaque_word(text) else redacted


def address(url: str) -> str:
    """An endpoint without user-info and query, which may hold keys; hidden altogether if it can't be parsed."""
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
    """A setting's value as it may be shown: only the names of headers, addresses without credentials, texts redacted; recursively in tables and lists."""
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
    """An invalid value for the message that reports it: without anything that may be a credential, then cut."""
    shown = word(value) if isinstance(value, str) and not is_address(name, value) else public(name, value)
    full = shown if shown == HIDDEN else repr(shown) if isinstance(shown, str | int | float | bool | list | tuple | dict) else type(shown).__name__
    return full if len(full) <= LONGEST else f"{full[:LONGEST]}…"


def is_address(name: str, value: str) -> bool:
    """Whether the value has a format of its own (headers, endpoints) or is a path, where letters mixed with digits are normal."""
    return name.endswith("headers") or (name.endswith(("endpoint", *PATHS)) and not value.isalnum())


def is_presentable(record: logging.LogRecord) -> bool:
    """A logging filter that redacts each record's message and the traceback printed with it, and lets every record pass."""
    message = record.getMessage()
    if (redacted := line(message)) != message:
        record.msg, record.args = redacted, ()
    if record.exc_info:
        stack = logging.Formatter().formatException(record.exc_info) if record.exc_info[1] else ""
        if (redacted := line(stack)) != stack:
            record.exc_text, record.exc_info = redacted, None
    return True


logger = logging.getLogger("otel_agents")
logger.addFilter(is_presentable)
