"""The names we emit are those of the conventions, under constants that say them."""

from __future__ import annotations

import pytest
from conformance import registry

from otel_agents import semconv

CONSTANTS = {name: value for name, value in vars(semconv).items() if name.isupper() and type(value) is str and name not in ("SCHEMA_URL", "SCOPE")}
OLD = {"METRIC_CLIENT_TOKEN_USAGE", "TOKEN_TYPE"}  # of before 2026-10, by a switch
CORE = {"SERVICE_NAME", "SERVICE_INSTANCE_ID", "USER_ID"}  # other conventions'
KINDS = {"METRIC_": "metrics", "EVENT_": "events"}


def known() -> set[str]:
    """Every attribute of any span, metric or event, refinements included."""
    rows = (*registry.SOURCE["spans"].values(), *registry.SOURCE["metrics"].values(), *registry.SOURCE["events"].values())
    refined = (one.get("adds", {}) for one in registry.SOURCE["span_refinements"].values())
    return {name for one in rows for name in one["attributes"]} | {name for adds in refined for name in adds}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_name_is_the_conventions_or_in_our_own_namespace(name: str) -> None:
    value = CONSTANTS[name]
    kind = next((part for part in KINDS if name.startswith(part)), "")
    if name.startswith((f"{kind}OA_", "OA_")):
        assert value.startswith("otel_agents.")
    elif name not in OLD | CORE:
        assert value in (registry.SOURCE[KINDS[kind]] if kind else known())
    said = value.removeprefix("otel_agents." if "OA_" in name else "gen_ai.").rstrip(".").replace(".", "_").upper()
    assert name.removeprefix(kind).removeprefix("OA_").removesuffix("_PREFIX") == said


def test_the_schema_is_the_one_they_are_from() -> None:
    assert semconv.SCHEMA_URL == registry.SCHEMA_URL
