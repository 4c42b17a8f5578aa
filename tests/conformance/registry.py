"""The conventions as the machine-readable form says them: what belongs on which span, metric and event, of which type and level."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from otel_agents import semconv as names

HERE = Path(__file__).parent.parent / "semconv"
SOURCE: Mapping[str, Any] = json.loads((HERE / "genai-2026-10-09.json").read_text())
SCHEMA_URL = SOURCE["schema_url"].partition(" ")[0]
VARIABLE = "gen_ai.prompt.variable"
SCHEMAS = {
    "gen_ai.input.messages": "input-messages",
    "gen_ai.output.messages": "output-messages",
    "gen_ai.system_instructions": "system-instructions",
    "gen_ai.tool.definitions": "tool-definitions",
    "gen_ai.tool.call.arguments": "tool-call-arguments",
    "gen_ai.tool.call.result": "tool-call-result",
    "gen_ai.retrieval.documents": "retrieval-documents",
    "gen_ai.memory.records": "memory-records",
}
OPENAI = ("openai", "azure.ai.openai")  # who speaks OpenAI's own API
CLOSED = ("gen_ai.operation.name", "gen_ai.output.type", "gen_ai.token.modality", "gen_ai.response.status", "openai.api.type")
FINISH_REASONS = frozenset({"stop", "length", "content_filter", "tool_call", "compaction", "error"})

# ours: type of each attribute, and each metric's (instrument, unit, attributes)
OURS: Mapping[str, str] = {
    **{value: "string" for name, value in vars(names).items() if name.startswith("OA_") and not name.endswith("_PREFIX")},
    "otel_agents.cost": "double",
    "otel_agents.input": "content",
    "otel_agents.output": "content",
}
OUR_OPERATIONS = {"step": "otel_agents.step.name", "evaluate": "otel_agents.evaluator.name", "guardrail": "otel_agents.guardrail.name"}
OUR_EVENTS = {"otel_agents.run.started": 9, "otel_agents.run.ended": 9, "otel_agents.tool.details": 5}
CALL = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "server.address", "server.port", "gen_ai.agent.name")
OUR_METRICS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "otel_agents.cost": ("counter", "USD", CALL),
    "otel_agents.runs": ("counter", "{run}", ("gen_ai.agent.name", "otel_agents.outcome")),
    "otel_agents.loops": ("counter", "{loop}", ("gen_ai.agent.name",)),
    "otel_agents.evaluation.score": ("histogram", "{score}", ("gen_ai.evaluation.name", "gen_ai.evaluation.score.label")),
    "otel_agents.memory.searches": ("counter", "{search}", ("otel_agents.memory.store", "otel_agents.result")),
    "otel_agents.agents.active": ("updowncounter", "{agent}", ("gen_ai.agent.name",)),
    "otel_agents.telemetry.dropped": ("counter", "{item}", ("otel_agents.signal", "otel_agents.reason")),
    "otel_agents.shipper.lag": ("gauge", "s", ()),
    "otel_agents.step.duration": ("histogram", "s", ("otel_agents.step.name", "gen_ai.agent.name", "error.type")),
}
OLD_METRICS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "gen_ai.client.token.usage": ("histogram", "{token}", (*CALL, "gen_ai.token.type")),
}


@dataclass(frozen=True)
class SpanType:
    """One span type, with what its provider's refinement adds."""

    name: str
    kinds: tuple[str, ...]
    template: str
    levels: Mapping[str, str]

    @property
    def required(self) -> list[str]:
        return [name for name, level in self.levels.items() if level == "R"]


def span_type(attributes: Mapping[str, Any], kind: str) -> SpanType | None:
    """The type of a span by its operation, and by its kind where two types share one."""
    operation = attributes.get("gen_ai.operation.name")
    found = [(name, one) for name, one in SOURCE["spans"].items() if operation in one["operations"]]
    fitting = [(name, one) for name, one in found if kind in kinds_of(one)] or found
    return _refined(*fitting[0], attributes.get("gen_ai.provider.name")) if fitting else None


def kinds_of(one: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(one.get("kinds_allowed", [one["kind"]]))


def _refined(name: str, one: Mapping[str, Any], provider: object) -> SpanType:
    speaks = "openai" if provider in OPENAI else provider
    added = [more["adds"] for more in SOURCE["span_refinements"].values() if more["refines"] == name and more.get("provider") == speaks]
    levels = {**one["attributes"], **{key: level for adds in added for key, level in adds.items()}}
    return SpanType(name, kinds_of(one), one["name"], levels)


@cache
def type_of(attribute: str) -> str:
    """string, string[], int, double, boolean, content; as the conventions, the core ones or we have it."""
    if attribute in OURS:
        return OURS[attribute]
    if attribute in SCHEMAS:
        return "content"
    listed = SOURCE["attribute_types"]
    return next((kind for kind in ("string[]", "int", "double", "boolean") if any(fnmatchcase(attribute, one) for one in listed[kind])), "string")


@cache
def schema(attribute: str) -> Draft7Validator | None:
    """The JSON schema of a content attribute."""
    if attribute not in SCHEMAS:
        return None
    return Draft7Validator(json.loads((HERE / "schemas" / f"gen-ai-{SCHEMAS[attribute]}.json").read_text()))
