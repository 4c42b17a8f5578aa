"""What otel-agents.yaml defines beside settings: agents, models, experiment templates, alert thresholds. Their shape, and whether they fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, with_config
from typing_extensions import TypedDict

from otel_agents.config.files import Place
from otel_agents.config.parsers import nearest

Table = Mapping[str, Any]
ENTRY: Final = ConfigDict(extra="allow", strict=True)
SHARE, POSITIVE, FACTOR = (0.0, 1.0), (0.0, float("inf")), (1.0, float("inf"))
ALERTS: Final[Mapping[str, tuple[float, float]]] = {  # name → the range of its threshold: greater than the first, at most the second
    "agent_runs_fail": SHARE,
    "agent_slow": POSITIVE,
    "model_calls_fail": SHARE,
    "first_chunk_slow": POSITIVE,
    "cost_per_hour": POSITIVE,
    "cost_spike": FACTOR,
    "tokens_per_hour": POSITIVE,
    "tool_fails": SHARE,
    "agent_loops": POSITIVE,
    "agent_silent": POSITIVE,
    "evaluations_drop": POSITIVE,
    "cache_hits_drop": SHARE,
    "collector_queue_full": SHARE,
}


@with_config(ENTRY)
class Agent(TypedDict, total=False):
    name: str
    model: str
    description: str


@with_config(ENTRY)
class Model(TypedDict, total=False):
    name: str
    description: str


@with_config(ENTRY)
class Experiment(TypedDict, total=False):
    name: str
    description: str
    agents: list[str]
    parameters: dict[str, Any]
    metrics: list[str]
    validation: dict[str, Any]


@with_config(ENTRY)
class Alert(TypedDict, total=False):
    threshold: float
    events: Annotated[int, Field(ge=1)]


KEYS: Final = {"agents": Agent, "models": Model, "experiments": Experiment, "alerts": Alert}
SHORT: Final = {"agents": "model", "alerts": "threshold"}  # `planner: gpt-5` is `planner: {model: gpt-5}`


def by_name(title: str, value: Any) -> dict[str, Table]:
    """Tables by name, written as `name: {…}`, `name: short`, `- name` or `- {name: …}`."""
    if isinstance(value, list):
        value = dict(listed(title, entry) for entry in value)
    if not isinstance(value, Mapping):
        raise ValueError(f"is not a table: write `{title}:` with `name: …` lines below, in otel-agents.yaml")
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
        raise ValueError(f"{name} is not a table: write `{name}:` with {', '.join(KEYS[title].__annotations__)} below")
    return {} if content is None else {SHORT[title]: content}


def in_range(alerts: dict[str, Table]) -> dict[str, Table]:
    for name, alert in alerts.items():
        threshold = alert.get("threshold")
        if name not in ALERTS:
            raise ValueError(f"{name} is not an alert with a threshold{nearest(name, tuple(ALERTS))}: there are {', '.join(ALERTS)}")
        if threshold is not None and not ALERTS[name][0] < threshold <= ALERTS[name][1]:
            raise ValueError(f"{name} has a threshold of {threshold:g}, which is out of range: write {bounds(*ALERTS[name])}")
    return alerts


def bounds(low: float, high: float) -> str:
    return f"more than {low:g}" + ("" if high == float("inf") else f", at most {high:g}")


SECTION_TYPES: Final[Mapping[str, Any]] = {
    "agents": Annotated[
        dict[str, Agent], BeforeValidator(partial(by_name, "agents"), json_schema_input_type=dict[str, Agent | str | None] | list[str | Agent])
    ],
    "models": Annotated[dict[str, Model], BeforeValidator(partial(by_name, "models"), json_schema_input_type=dict[str, Model | None] | list[str | Model])],
    "experiments": Annotated[
        dict[str, Experiment],
        BeforeValidator(partial(by_name, "experiments"), json_schema_input_type=dict[str, Experiment | None] | list[str | Experiment]),
    ],
    "alerts": Annotated[
        dict[str, Alert],
        BeforeValidator(partial(by_name, "alerts"), json_schema_input_type=dict[str, Alert | float | None]),
        AfterValidator(in_range),
    ],
}


def dangling(agents: Mapping[str, Table], models: Mapping[str, Table], experiments: Mapping[str, Table]) -> Iterator[tuple[Place, str]]:
    """Names that refer to nothing: models that are not listed (when models are), agents that no section defines."""
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
