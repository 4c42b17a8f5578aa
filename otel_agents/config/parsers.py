"""How what a person writes becomes a setting's value: one pure function a kind, whose ValueError says what is wrong and what to write instead."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from otel_agents.redaction.urls import split

ON = frozenset({"true", "1", "yes", "on"})
OFF = frozenset({"false", "0", "no", "off", ""})
LEVELS = {"notset": 0, "trace": 5, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "critical": 50, "fatal": 50}
BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
QUANTITY = r"\s*(\d*\.?\d+(?:e[+-]?\d+)?)\s*([a-z]*)\s*"  # compiled when first used: most programs set nothing of the kind
HEADER = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VISIBLE = r"[\t\x20-\x7e\x80-\xff]*"


def switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower() if isinstance(value, str | int) else None
    if word not in ON | OFF:
        raise ValueError("is neither on nor off: write true or false")
    return word in ON


def size(value: Any) -> int:
    """Bytes; at least one."""
    return max(1, int(quantity(value, BYTES, "is not a size: write bytes as a number, or 512MB, 1GiB")))


def seconds(value: Any) -> float:
    """Seconds; more than none."""
    return quantity(value, SECONDS, "is not a time: write seconds as a number, or 500ms, 30s, 15m, 12h, 7d")


def count(value: Any) -> int:
    wrong = "is not a count: write a whole number from 1 up"
    amount = quantity(value, {"": 1}, wrong)
    if not amount.is_integer():
        raise ValueError(wrong)
    return int(amount)


def quantity(value: Any, units: Mapping[str, float], wrong: str) -> float:
    found = re.fullmatch(QUANTITY, str(value), re.IGNORECASE) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if found is None or found[2].lower() not in units:
        raise ValueError(wrong)
    amount = float(found[1]) * units[found[2].lower()]
    if not 0 < amount < float("inf"):
        raise ValueError(f"{wrong} (more than 0{', and finite' if amount else ''})")
    return amount


def words(value: Any) -> tuple[str, ...]:
    """Names, from a list or from text with commas."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple | set | frozenset) or not all(isinstance(part, str) for part in parts):
        raise ValueError("is not a list of names: write them with commas between")
    return tuple(part.strip() for part in parts if part.strip())


def one_of(*allowed: str) -> Callable[[Any], str]:
    def chosen(value: Any) -> str:
        word = str(value).strip().lower()
        if word not in allowed:
            raise ValueError(f"is not known here: use {', '.join(allowed)}{nearest(word, allowed)}")
        return word

    return chosen


def nearest(word: str, allowed: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, allowed, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def text(value: Any) -> str | None:
    if not isinstance(value, str):
        raise ValueError("is not text: put it in quotes")
    return value.strip() or None


def level(value: Any) -> int:
    """A level of the standard library's logging, by name or number."""
    word = str(value).strip().lower()
    if word.isdigit():
        return int(word)
    if word not in LEVELS:
        raise ValueError("is not a log level: use debug, info, warning, error, critical, or a number")
    return LEVELS[word]


def file(value: Any) -> str:
    return str(path(value))


def path(value: Any) -> Path:
    """An absolute path: a program that changes its folder later keeps its files."""
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError("is not a path: write a folder's or file's name")
    return Path(os.path.abspath(os.path.expanduser(os.fspath(value))))


def headers(value: Any) -> Mapping[str, str]:
    """Header names (lower case) and values; text is `name=value,name=value`, values percent-encoded."""
    pairs = value.items() if isinstance(value, Mapping) else [pair(part) for part in str(value).split(",") if part.strip()]
    found = {str(name).strip().lower(): str(content).strip() for name, content in pairs}
    for name, content in found.items():
        if not re.fullmatch(HEADER, name) or not re.fullmatch(VISIBLE, content):
            raise ValueError("has a header that can't be sent: write name=value,name=value, with other characters percent-encoded")
    return found


def pair(part: str) -> tuple[str, str]:
    name, equals, content = part.partition("=")
    if not equals:
        raise ValueError("has a header without a value: write name=value,name=value")
    return unquote(name), content if " " in content.strip() else unquote(content)  # as the SDK reads it: what has a space was never encoded


def url(value: Any) -> str:
    """An endpoint's address; without a scheme it must be host:port (gRPC)."""
    address = value.strip() if isinstance(value, str) else ""
    try:
        parts = split(address)
        usable = parts.scheme in ("", "http", "https") and is_host(parts.hostname or "") and parts.port != 0 and (parts.scheme or parts.port)
    except ValueError:  # a bad port or a bad IPv6 address
        usable = None
    if not usable or any(letter.isspace() for letter in address):
        raise ValueError("is not an endpoint: write http://host:4318, https://host, or host:4317 for grpc")
    return address


def is_host(name: str) -> bool:
    """Whether it can be a host's name, or a number of either kind."""
    return bool(name) and all(letter.isalnum() or letter in "._-:%" for letter in name)
