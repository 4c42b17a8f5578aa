"""What a call to a model cost, in US dollars, offline; unknown is None, never 0.

Models and prices are those of the `genai-prices` package, imported with the first usage that needs a price: 30 ms of CPU with its table where the client has
imported pydantic and httpx already, 170 ms where it has not. The sum is made here: the package's own takes 67 µs a call, ours 19 (a turn of three calls would
take a tenth longer). A test over all its models holds ours to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from otel_agents import semconv
from otel_agents.config import import_lock

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider

Prices: TypeAlias = "dict[str, float | list[Any]]"  # price key → US dollars for a unit, or [base, [more input tokens than, price] ...]
Counts: TypeAlias = "dict[str, float]"  # usage key → count


class Unit(NamedTuple):
    """What is counted: its name in a usage, how many one price is for, and what distinguishes it."""

    name: str
    per: int
    dimensions: Mapping[str, str]


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
    return None if found is None else price(found.prices(at or datetime.now(UTC), context or {}), counts)


@lru_cache(maxsize=1024)
def find(provider: str, model: str) -> Entry | None:
    """genai-prices' entry for a model: under its provider, under the provider its name begins with, or under the one whose models are called so."""
    prefix, _, rest = model.partition("/")
    named, inner = provider_name(provider), provider_name(prefix)
    prefixed = [(inner, rest)] if rest and is_provider(inner) else []
    within = [(named, rest), *prefixed] if prefixed and is_provider(named) else []
    tries = [*prefixed, (ANY, model)] if named == ANY else [(named, model), *within]
    return next((entry for owner, name in tries if (entry := entry_of(owner, name))), None)


def provider_name(name: str) -> str:
    """The name under which genai-prices knows a provider; without one it is looked for by the model's name, as for litellm."""
    name = name.lower().strip()
    return PROVIDERS.get(name, name) or ANY


def is_provider(name: str) -> bool:
    with import_lock.imports:
        from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    return find_provider_by_id(get_snapshot().providers, name) is not None


def entry_of(provider: str, model: str) -> Entry | None:
    with import_lock.imports:
        from genai_prices.data_snapshot import get_snapshot

    try:
        return Entry(*get_snapshot().find_provider_model(model, None, provider, None))
    except LookupError:
        return None


class Entry:
    """A model of genai-prices, and its prices as they were last read."""

    def __init__(self, provider: Provider, model: ModelInfo) -> None:
        self.model = model
        self.has_variants = any(each is model for each in provider.models)  # variants are the provider's own
        self._standard: tuple[ModelPrice | None, Prices] = (None, {})

    def prices(self, at: datetime, context: Mapping[str, str]) -> Prices:
        """US dollars for each unit at that time, with what the context changes of them."""
        if context and self.has_variants:
            return plain(self.model.get_prices(at, dict(context)))
        prices = self.model.get_prices(at)
        if self._standard[0] is not prices:
            self._standard = (prices, plain(prices))
        return self._standard[1]


def plain(prices: ModelPrice) -> Prices:
    return {key: rate(value) for key, value in vars(prices).items() if value is not None}


def rate(value: Any) -> float | list[Any]:
    return [float(value.base), *([tier.start, float(tier.price)] for tier in value.tiers)] if hasattr(value, "tiers") else float(value)


@lru_cache(maxsize=1)
def units() -> Mapping[str, Unit]:
    """genai-prices' units by the key that their price has."""
    with import_lock.imports:
        from genai_prices.data_units import unit_data

    return {raw["price_key"]: Unit(name, raw["per"], raw["dimensions"]) for name, raw in unit_data.items()}


def price(prices: Prices, counts: Counts) -> float | None:
    """Each priced unit's own count, without the more specific units that have prices of their own, times its price."""
    ordered = in_order(tuple(prices))
    if not any(unit.name in counts for _, unit, _ in ordered):
        return None
    said = [unit for unit in units_of_calls() if counts.get(unit.name, 0) > 0]
    try:
        own = own_counts(ordered, counts, said)
        tokens = stated(units()["input_mtok"], counts, said) if any(isinstance(rate, list) for rate in prices.values()) else 0
    except UncertainError:
        return None
    return float(sum(own[unit.name] * rate_for(prices[key], tokens) / unit.per for key, unit, _ in ordered))


@lru_cache(maxsize=256)
def in_order(keys: tuple[str, ...]) -> list[tuple[str, Unit, list[str]]]:
    """Price key, unit and the names of its priced parts, the most specific first."""
    priced = sorted(((key, units()[key]) for key in keys), key=lambda each: (-len(each[1].dimensions), each[1].name))
    return [(key, unit, [part.name for _, part in priced if is_part(part, unit)]) for key, unit in priced]


@lru_cache(maxsize=1)
def units_of_calls() -> list[Unit]:
    return [unit for unit in units().values() if unit.name in UNITS.values()]


def own_counts(ordered: list[tuple[str, Unit, list[str]]], counts: Counts, said: list[Unit]) -> Counts:
    own: Counts = {}
    for _, unit, parts in ordered:
        name = unit.name
        own[name] = 1 if name == REQUESTS else stated(unit, counts, said) - sum(own[part] for part in parts)
        if own[name] < 0:
            raise UncertainError(name)
    return own


def stated(unit: Unit, counts: Counts, said: list[Unit]) -> float:
    """How many there were; if that is not said, none, unless parts of it are."""
    if unit.name in counts:
        return counts[unit.name]
    if any(is_part(each, unit) for each in said) or any(is_overlap(one, other, unit) for one, other in combinations(said, 2)):
        raise UncertainError(unit.name)
    return 0


def is_part(part: Unit, whole: Unit) -> bool:
    return part is not whole and whole.dimensions.items() <= part.dimensions.items()


def is_overlap(one: Unit, other: Unit, unit: Unit) -> bool:
    """Whether the unit is what two others, neither a part of the other, have in common."""
    if is_part(one, other) or is_part(other, one):
        return False
    return {**one.dimensions, **other.dimensions} == {**other.dimensions, **one.dimensions} == unit.dimensions


def rate_for(rate: float | list[Any], tokens: float) -> float:
    if not isinstance(rate, list):
        return rate
    return float(next((price for start, price in reversed(rate[1:]) if tokens > start), rate[0]))


REQUESTS = "requests"
ANY = "litellm"  # for which the package looks for the provider itself
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
