"""The state of the process's one engine: whether it is on, and the pipeline that it writes to, known by the Protocols of seams.py alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_agents.telemetry.seams import ContentPolicy, Metrics, Records, Spans


class Engine:
    """Off until `start()` or the environment variable switches it on; its pipeline is built when the first operation begins."""

    __slots__ = ("failures", "follows_parent", "forked_at", "instruments", "log_level", "on", "on_root_end", "policy", "prepare", "records", "spans", "strict")

    def __init__(self) -> None:
        self.forked_at = 0  # perf_counter_ns() of the fork that created this process, 0 without one; monotonic, since the wall clock may be set back
        self.failures: dict[str, int] = {}
        self.strict = False
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first start: off."""
        self.on = False
        self.prepare: Callable[[], None] = _nothing_to_prepare
        self.on_root_end: Callable[[], None] | None = None  # called when an operation without a parent has ended
        self.spans: Spans | None = None
        self.records: Records | None = None
        self.instruments: Metrics | None = None
        self.policy: ContentPolicy | None = None
        self.follows_parent = True
        self.log_level = 20

    def switch_on(self, prepare: Callable[[], None]) -> None:
        """Observe calls from now on; `prepare` sets spans, records, instruments and policy when the first operation begins."""
        self.prepare = prepare
        self.on = True


def _nothing_to_prepare() -> None:
    return None


engine = Engine()
