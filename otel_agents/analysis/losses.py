"""Lost items, according to the programs' telemetry.dropped counters."""

from __future__ import annotations

from collections import Counter

from otel_agents import semconv as names
from otel_agents.analysis.folder import Folder

Losses = dict[tuple[str, str], int]  # by signal and reason
Causes = Counter[tuple[str, str, str]]  # by process (the owner of its segments), signal and reason


def counted(folder: Folder) -> Causes:
    """Lost items by cause. A cumulative counter's largest value is its last; deltas have start times of their own, and add up."""
    largest: Counter[tuple[str, int, str, str]] = Counter()
    for segment in folder.segments("metrics"):
        for point in folder.points(segment, names.METRIC_OA_TELEMETRY_DROPPED):
            signal, reason = (str(point.attributes.get(name, "")) for name in (names.OA_SIGNAL, names.OA_REASON))
            key = (segment.owner, point.start, signal, reason)
            largest[key] = max(largest[key], round(point.value))
    found: Causes = Counter()
    for (owner, _, signal, reason), count in largest.items():
        found[owner, signal, reason] += count
    return found


def summed(causes: Causes) -> Losses:
    total: Counter[tuple[str, str]] = Counter()
    for (_, signal, reason), count in causes.items():
        total[signal, reason] += count
    return dict(total)
