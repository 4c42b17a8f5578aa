"""What otel-agents.yaml defines beside knobs: agents, models, experiment templates, alert thresholds. Their shape, and whether they fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from otel_agents.config.parsers import nearest

Place = tuple[str, ...]  # the keys that lead to a value: ("agents", "planner", "model")
Table = Mapping[str, Any]

TEXT, NAMES, TABLE, NUMBER, COUNT = "text", "a list of names", "a table of names", "a number", "a whole number from 1 up"
KEYS: Mapping[str, Mapping[str, str]] = {
    "agents": {"name": TEXT, "model": TEXT, "description": TEXT},
    "models": {"name": TEXT, "description": TEXT},
    "experiments": {"name": TEXT, "description": TEXT, "agents": NAMES, "parameters": TABLE, "metrics": NAMES, "validation": TABLE},
    "alerts": {"threshold": NUMBER, "events": COUNT},
}
SHORT = {"agents": "model", "alerts": "threshold"}  # `planner: gpt-5` is `planner: {model: gpt-5}`
SHARE, ABOVE_NONE, FACTOR = (0.0, 1.0), (0.0, float("inf")), (1.0, float("inf"))
ALERTS: Mapping[str, tuple[float, float]] = {  # name → what its threshold lies between: above the first, up to the second
    "agent_runs_fail": SHARE,
    "agent_slow": ABOVE_NONE,
    "model_calls_fail": SHARE,
    "first_chunk_slow": ABOVE_NONE,
    "cost_per_hour": ABOVE_NONE,
    "cost_spike": FACTOR,
    "tokens_per_hour": ABOVE_NONE,
    "tool_fails": SHARE,
    "agent_loops": ABOVE_NONE,
    "agent_silent": ABOVE_NONE,
    "evaluations_drop": ABOVE_NONE,
    "cache_hits_drop": SHARE,
    "collector_queue_full": SHARE,
}


def section(title: str) -> Callable[[Any], Mapping[str, Table]]:
    """The parser of one section: a table by name, whose ValueError says the first thing that is wrong."""

    def parsed(value: Any) -> Mapping[str, Table]:
        content = by_name(title, value)
        for place, message in misshapen(title, content):
            raise ValueError(f"{'.'.join(place[1:])} {message}")
        return content

    return parsed


def by_name(title: str, value: Any) -> dict[str, Table]:
    """Tables by name, whether they were written as `name: {…}`, `name: short`, `- name` or `- {name: …}`."""
    if isinstance(value, list):
        value = dict(listed(title, entry) for entry in value)
    if not isinstance(value, Mapping):
        raise ValueError(f"is no table: write `{title}:` with `name: …` lines below, in otel-agents.yaml")
    return {str(name): opened(title, str(name), content) for name, content in value.items()}


def listed(title: str, entry: Any) -> tuple[str, Any]:
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
        return entry["name"], entry
    raise ValueError(f"has an entry without a name: write `name: …` lines below `{title}:`")


def opened(title: str, name: str, content: Any) -> Table:
    if isinstance(content, Mapping):
        return dict(content)
    if content is not None and title not in SHORT:
        raise ValueError(f"{name} is no table: write `{name}:` with {', '.join(KEYS[title])} below")
    return {} if content is None else {SHORT[title]: content}


def misshapen(title: str, content: Mapping[str, Table]) -> Iterator[tuple[Place, str]]:
    """Values of the wrong kind, and thresholds that can't be right."""
    for name, table in content.items():
        for key, kind in KEYS[title].items():
            if key in table and not KINDS[kind](table[key]):
                yield (title, name, key), f"is not {kind}"
    if title == "alerts":
        yield from misplaced(content)


def misplaced(alerts: Mapping[str, Table]) -> Iterator[tuple[Place, str]]:
    for name, table in alerts.items():
        threshold = table.get("threshold")
        if name not in ALERTS:
            yield ("alerts", name), f"is no alert that has a threshold{nearest(name, tuple(ALERTS))}: there are {', '.join(ALERTS)}"
        elif is_number(threshold) and not ALERTS[name][0] < threshold <= ALERTS[name][1]:
            yield ("alerts", name), f"has a threshold of {threshold} that can't be right: write {bounds(*ALERTS[name])}"


def bounds(low: float, high: float) -> str:
    return f"more than {low:g}" + ("" if high == float("inf") else f", at most {high:g}")


def dangling(agents: Mapping[str, Table], models: Mapping[str, Table], experiments: Mapping[str, Table]) -> Iterator[tuple[Place, str]]:
    """Names that point at nothing: models that aren't listed (when models are), agents that no section defines."""
    for name, agent in agents.items():
        yield from unlisted(("agents", name, "model"), agent.get("model"), models)
    for name, experiment in experiments.items():
        yield from unlisted(("experiments", name, "parameters", "model"), experiment.get("parameters", {}).get("model"), models)
        for agent in experiment.get("agents", ()):
            if agent not in agents:
                yield (
                    ("experiments", name, "agents"),
                    f"names {agent!r}, which `agents:` does not define{nearest(agent, tuple(agents))}: define it, or correct the name",
                )


def unlisted(place: Place, model: Any, models: Mapping[str, Table]) -> Iterator[tuple[Place, str]]:
    for name in model if isinstance(model, list) else [model]:
        if models and isinstance(name, str) and name not in models:
            yield place, f"is {name!r}, which `models:` does not list{nearest(name, tuple(models))}: list it, or correct the name"


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


KINDS: Mapping[str, Callable[[Any], bool]] = {
    TEXT: lambda value: isinstance(value, str),
    NAMES: lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
    TABLE: lambda value: isinstance(value, Mapping),
    NUMBER: is_number,
    COUNT: lambda value: is_number(value) and value >= 1 and value == int(value),
}
