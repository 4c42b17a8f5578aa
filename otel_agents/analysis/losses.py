"""What programs said they lost: the telemetry.dropped counters of every process, added up."""

from __future__ import annotations

from collections import Counter

from otel_agents import semconv as names
from otel_agents.analysis.folder import Folder

Losses = dict[tuple[str, str], int]


def losses(folder: Folder, since: int = 0) -> Losses:
    """Items lost by signal and reason; a counter only grows, so each process's largest figure is its last."""
    largest: Counter[tuple[str, str, str]] = Counter()
    for point in folder.points(names.METRIC_OA_TELEMETRY_DROPPED, since=since):
        instance = str(point.origin.resource.get(names.SERVICE_INSTANCE_ID) or point.segment)
        key = (instance, str(point.attributes.get(names.OA_SIGNAL, "")), str(point.attributes.get(names.OA_REASON, "")))
        largest[key] = max(largest[key], round(point.value))
    return summed(largest)


def summed(largest: Counter[tuple[str, str, str]]) -> Losses:
    total: Counter[tuple[str, str]] = Counter()
    for (_, signal, reason), count in largest.items():
        total[signal, reason] += count
    return dict(total)
