"""Counts of lost items by signal and reason, warnings that are logged once, and the file in which a process records what it has sent."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

Dropped = Callable[[str, str, int], None]
logger = logging.getLogger("otel_agents")


class Tally:
    """Counts lost items and passes each count on to `dropped(signal, reason, count)`."""

    def __init__(self, dropped: Dropped) -> None:
        self._dropped = dropped
        self._lock = threading.RLock()  # a signal handler may end a span while this thread counts
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, signal: str, reason: str, items: int) -> None:
        if items <= 0:
            return
        with self._lock:
            self._counts[signal, reason] += items
        self._dropped(signal, reason, items)

    def of(self, signal: str) -> dict[str, int]:
        return {reason: items for (one, reason), items in list(self._counts.items()) if one == signal}

    def all(self) -> dict[str, dict[str, int]]:
        return {signal: self.of(signal) for signal in sorted({signal for signal, _ in list(self._counts)})}


class Warnings:
    """Logs each kind of warning once per process, and again only after it was over in between."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def once(self, what: str, message: str, *values: object) -> None:
        if what not in self._logged:
            self._logged.add(what)
            logger.warning(message, *values)

    def over(self, what: str, message: str, *values: object) -> None:
        """Log that it is over, if its beginning was logged."""
        if what in self._logged:
            self._logged.discard(what)
            logger.warning(message, *values)


class Offsets:
    """The small file beside a process's segments: bytes acknowledged of each, items dropped and why, when the process was found dead."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written = b""
        self._lock = threading.RLock()  # written by the shipper, and by any thread that drops a segment
        self.sent: dict[str, int] = {}
        self.dropped: dict[str, dict[str, int]] = {}
        self.found_at: int | None = None  # nanoseconds since the epoch; set only if it had open runs

    @classmethod
    def read(cls, path: Path) -> Offsets:
        """The offsets that a process left; empty when the file is missing or not ours."""
        offsets = cls(path)
        with suppress(OSError, ValueError):
            found = orjson.loads(path.read_bytes())
            offsets.sent = whole_numbers(found.get("sent") if isinstance(found, dict) else None)
            offsets.dropped = {signal: whole_numbers(reasons) for signal, reasons in found.get("dropped", {}).items()}
            offsets.found_at = whole_numbers(found).get("found_at")
        return offsets

    def save(self) -> None:
        """Replace the file atomically. If the folder is not writable, some items may be sent twice, but the program goes on."""
        with self._lock:
            state = {"sent": self.sent, "dropped": self.dropped, **({"found_at": self.found_at} if self.found_at else {})}
            if self._written or any(state.values()):
                self._save(orjson.dumps(state))

    def _save(self, content: bytes) -> None:
        if content == self._written:
            return
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        with suppress(OSError):
            fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, content)
            finally:
                os.close(fd)
            os.replace(unfinished, self.path)
            self._written = content


def whole_numbers(found: Any) -> dict[str, int]:
    return {str(name): number for name, number in found.items() if type(number) is int and number >= 0} if isinstance(found, dict) else {}
