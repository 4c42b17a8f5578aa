"""The one background thread: ships, collects metrics at their interval, keeps the folder within its caps. It starts with the first item."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Keeper:
    """Calls `ship` every `ship_every` seconds and `collect` every `collect_every` seconds on a daemon thread that the first `ensure()` starts."""

    def __init__(self, ship: Callable[[], None], collect: Callable[[], None], *, ship_every: float, collect_every: float) -> None:
        self._ship, self._collect = ship, collect
        self._ship_every, self._collect_every = ship_every, collect_every
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self.thread: threading.Thread | None = None
        self._stopping = False

    def ensure(self) -> None:
        """Start the thread, unless it runs already or was stopped for good."""
        if self.thread is None and not self._stopping:
            with self._lock:
                if self.thread is None:
                    thread = threading.Thread(target=self._run, args=(self._wake,), name="otel-agents", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # the interpreter is shutting down: `stop` does the rest
                        return
                    self.thread = thread

    def _run(self, wake: threading.Event) -> None:
        next_collection = time.monotonic() + self._collect_every
        while not wake.wait(self._ship_every):
            if time.monotonic() >= next_collection:
                next_collection = time.monotonic() + self._collect_every
                self._collect()
            self._ship()

    def pause(self, timeout: float) -> None:
        """Stop the thread until the next `ensure()`; waits at most `timeout` seconds."""
        with self._lock:
            thread, self.thread = self.thread, None
            self._wake.set()
            self._wake = threading.Event()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def stop(self, timeout: float) -> None:
        """Stop for good."""
        self._stopping = True
        self.pause(timeout)

    def after_fork_in_child(self) -> None:
        """Start afresh: the thread does not exist in the child, and inherited locks may be held for ever."""
        self._begin()
