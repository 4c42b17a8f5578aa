"""What a call to a model cost, in US dollars, offline; unknown is None, never 0.

The table (prices.json) is rendered from the installed `genai-prices` package by `python tests/telemetry/render_prices.py`, never edited by hand: importing the
package takes 276 ms and brings an HTTP client. The rules by which its entries are read here are the package's own, held to it by a test over all its models.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import combinations
from typing import Any, TypeAlias

import orjson

from otel_agents import semconv

Clause: TypeAlias = "list[Any]"  # [operator, text or clauses]
Prices: TypeAlias = "dict[str, float | list[Any]]"  # price key → US dollars a unit, or [base, [more input tokens than, price] ...]
Table: TypeAlias = "dict[str, Any]"
Counts: TypeAlias = "dict[str, float]"  # usage key → count


class UncertainError(ValueError):
    """The usage contradicts itself, or leaves open which price a part of it has."""


def cost(
    provider: str | None,
    model: str | None,
    usage: Mapping[str, float],
    *,
    at: datetime | None = None,
    context: Mapping[str, str] | None = None,
) -> float | None:
    """US dollars for one call; None where provider, model or price is unknown, or the usage leaves the price open.

    `provider` is a `gen_ai.provider.name` or what litellm calls it, `usage` has the conventions' `gen_ai.usage.*` names (input tokens include cached ones),
    `at` is when the call began (now), `context` what the price may depend on besides: `{"service_tier": "flex"}`, `{"processing": "batch"}`.
    """
    counts = {UNITS[name]: count for name, count in usage.items() if name in UNITS}
    found = find(provider or "", model) if model and counts else None
    return None if found is None else price(prices_at(found, at or datetime.now(UTC), context or {}), counts)


@lru_cache(maxsize=1)
def table() -> Table:
    """The rendered table; 1 to 2 ms, at the first call that needs it."""
    return orjson.loads(pkgutil.get_data(__package__, "prices.json") or b"")  # type: ignore[no-any-return]  # it is


@lru_cache(maxsize=1024)
def find(provider: str, model: str) -> list[Any] | None:
    """The table's entry for a model: under its provider, under the provider its name begins with, or under the one whose models are called so."""
    return find_in(table(), provider, model)


def find_in(table: Table, provider: str, model: str) -> list[Any] | None:
    model = model.lower()
    named = provider_of(table, provider)
    prefix, _, rest = model.partition("/")
    prefixed = provider_of(table, prefix) if rest else None
    if provider and provider.lower() != "litellm":
        tries = [(named, model), *([(named, rest), (prefixed, rest)] if named and prefixed else [])]
    else:
        tries = [*([(prefixed, rest)] if prefixed else []), (provider_by_model(table, model), model)]
    return next((entry for owner, name in tries if owner and (entry := model_of(table, owner, name))), None)


def provider_of(table: Table, name: str) -> dict[str, Any] | None:
    """The provider that has this id, or else the first that says it is called so."""
    name = PROVIDERS.get(name.lower().strip(), name.lower().strip())
    providers = table["providers"] if name else []
    return next((each for each in providers if each["id"] == name), None) or next((each for each in providers if matches(each.get("called"), name)), None)


def provider_by_model(table: Table, model: str) -> dict[str, Any] | None:
    return next((each for each in table["providers"] if matches(each.get("owns"), model)), None)


def model_of(table: Table, provider: dict[str, Any], model: str) -> list[Any] | None:
    """The provider's entry for a model, or that of a provider whose models it offers; compact dates also as dashed ones."""
    dashed = COMPACT_DATE.sub(dashed_date, model)
    return entry_of(table, provider, model) or (entry_of(table, provider, dashed) if dashed != model else None)


def entry_of(table: Table, provider: dict[str, Any], model: str) -> list[Any] | None:
    owners = [provider, *(each for name in provider.get("offers", ()) for each in table["providers"] if each["id"] == name)]
    for owner in owners:
        entry: list[Any] | None = next((entry for entry in owner["models"] if matches(entry[0], model)), None)
        if entry:
            return entry if owner is provider else entry[:2]  # variants are the owner's own
    return None


def matches(clause: Clause | None, text: str) -> bool:
    return clause is not None and OPERATORS[clause[0]](clause[1], text)


def dashed_date(found: re.Match[str]) -> str:
    try:
        return f"-{date(*map(int, found.groups())).isoformat()}"
    except ValueError:  # no such day
        return found[0]


def prices_at(entry: list[Any], at: datetime, context: Mapping[str, str]) -> Prices:
    """The last of the entry's prices whose condition is met, with what the context changes of them."""
    dated = entry[1]
    standard: Prices = next((prices for condition, prices in reversed(dated) if is_met(condition, at)), dated[0][1])
    changes: Prices = {}
    for when, condition, prices in entry[2] if context and len(entry) > 2 else ():
        if is_met(condition, at) and all(context.get(name) == value for name, value in when.items()):
            changes = prices | changes
    return standard | changes


def is_met(condition: str | list[str] | None, at: datetime) -> bool:
    """From a day on, or between two times of the day (ISO 8601, UTC); the second may be past midnight."""
    if condition is None:
        return True
    at = at.astimezone(UTC) if at.tzinfo else at
    if isinstance(condition, str):
        return at.date().isoformat() >= condition
    start, end = condition
    now = at.time().isoformat()
    return now >= start or now < end if end < start else start <= now < end


def price(prices: Prices, counts: Counts) -> float | None:
    """Each priced unit's own count, without the more specific units that have prices of their own, times its price."""
    ordered = in_order(tuple(prices))
    if not any(unit[0] in counts for _, unit, _ in ordered):
        return None
    said = [unit for unit in units_of_calls() if counts.get(unit[0], 0) > 0]
    try:
        own = own_counts(ordered, counts, said)
        tokens = stated(table()["units"]["input_mtok"], counts, said) if any(isinstance(rate, list) for rate in prices.values()) else 0
    except UncertainError:
        return None
    return float(sum(own[unit[0]] * rate_for(prices[key], tokens) / unit[1] for key, unit, _ in ordered))


@lru_cache(maxsize=256)
def in_order(keys: tuple[str, ...]) -> list[tuple[str, Any, list[str]]]:
    """Price key, unit and the names of its priced parts, the most specific first."""
    priced = sorted(((key, table()["units"][key]) for key in keys), key=lambda each: (-len(each[1][2]), each[1][0]))
    return [(key, unit, [part[0] for _, part in priced if is_part(part, unit)]) for key, unit in priced]


@lru_cache(maxsize=1)
def units_of_calls() -> list[Any]:
    return [unit for unit in table()["units"].values() if unit[0] in UNITS.values()]


def own_counts(ordered: list[tuple[str, Any, list[str]]], counts: Counts, said: list[Any]) -> Counts:
    own: Counts = {}
    for _, unit, parts in ordered:
        name = unit[0]
        own[name] = 1 if name == REQUESTS else stated(unit, counts, said) - sum(own[part] for part in parts)
        if own[name] < 0:
            raise UncertainError(name)
    return own


def stated(unit: Any, counts: Counts, said: list[Any]) -> float:
    """How many there were; if that is not said, none, unless parts of it are."""
    if unit[0] in counts:
        return counts[unit[0]]
    if any(is_part(each, unit) for each in said) or any(is_overlap(one, other, unit) for one, other in combinations(said, 2)):
        raise UncertainError(unit[0])
    return 0


def is_part(part: Any, whole: Any) -> bool:
    return part is not whole and bool(whole[2].items() <= part[2].items())


def is_overlap(one: Any, other: Any, unit: Any) -> bool:
    """Whether the unit is what two others, neither a part of the other, have in common."""
    return not is_part(one, other) and not is_part(other, one) and one[2] | other[2] == other[2] | one[2] == unit[2]


def rate_for(rate: float | list[Any], tokens: float) -> float:
    if not isinstance(rate, list):
        return rate
    return float(next((price for start, price in reversed(rate[1:]) if tokens > start), rate[0]))


REQUESTS = "requests"
COMPACT_DATE = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
OPERATORS: dict[str, Callable[[Any, str], bool]] = {
    "=": lambda wanted, text: text == wanted,
    "starts": lambda wanted, text: text.startswith(wanted),
    "ends": lambda wanted, text: text.endswith(wanted),
    "has": lambda wanted, text: wanted in text,
    "regex": lambda wanted, text: re.search(wanted, text) is not None,
    "or": lambda clauses, text: any(matches(each, text) for each in clauses),
    "and": lambda clauses, text: all(matches(each, text) for each in clauses),
}
# The conventions' and litellm's names of providers → the table's, where its own rules would not find them.
PROVIDERS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "azure_ai": "azure",
    "azure_text": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "fireworks_ai": "fireworks",
    "together.ai": "together",
    "text-completion-openai": "openai",
}
UNITS = {
    semconv.USAGE_INPUT_TOKENS: "input_tokens",
    semconv.USAGE_OUTPUT_TOKENS: "output_tokens",
    semconv.USAGE_CACHE_READ_INPUT_TOKENS: "cache_read_tokens",
    semconv.USAGE_CACHE_WRITE_INPUT_TOKENS: "cache_write_tokens",
    semconv.USAGE_REASONING_OUTPUT_TOKENS: "output_reasoning_tokens",
    semconv.USAGE_TEXT_INPUT_TOKENS: "input_text_tokens",
    semconv.USAGE_IMAGE_INPUT_TOKENS: "input_image_tokens",
    semconv.USAGE_AUDIO_INPUT_TOKENS: "input_audio_tokens",
    semconv.USAGE_TEXT_OUTPUT_TOKENS: "output_text_tokens",
    semconv.USAGE_IMAGE_OUTPUT_TOKENS: "output_image_tokens",
    semconv.USAGE_AUDIO_OUTPUT_TOKENS: "output_audio_tokens",
    semconv.USAGE_TEXT_CACHE_READ_INPUT_TOKENS: "cache_text_read_tokens",
    semconv.USAGE_IMAGE_CACHE_READ_INPUT_TOKENS: "cache_image_read_tokens",
    semconv.USAGE_AUDIO_CACHE_READ_INPUT_TOKENS: "cache_audio_read_tokens",
}
