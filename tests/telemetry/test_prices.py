"""Our arithmetic against genai-prices' own, for every model it knows."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from genai_prices import Usage, calc_price
from genai_prices import types as genai
from genai_prices.data import providers

from otel_agents import semconv
from otel_agents.telemetry import prices
from otel_agents.telemetry.prices import UNITS, cost

IN, OUT, READ, WRITE = semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS, semconv.USAGE_CACHE_READ_INPUT_TOKENS, semconv.USAGE_CACHE_WRITE_INPUT_TOKENS
AUDIO_IN, AUDIO_OUT, AUDIO_READ = semconv.USAGE_AUDIO_INPUT_TOKENS, semconv.USAGE_AUDIO_OUTPUT_TOKENS, semconv.USAGE_AUDIO_CACHE_READ_INPUT_TOKENS
IMAGE_IN, REASONING = semconv.USAGE_IMAGE_INPUT_TOKENS, semconv.USAGE_REASONING_OUTPUT_TOKENS
USAGES: tuple[dict[str, int], ...] = (
    {IN: 1000, OUT: 500},
    {IN: 12_345, OUT: 678, READ: 10_000, WRITE: 1_000},
    {IN: 400_001, OUT: 70_000, READ: 300_000, REASONING: 60_000},
    {IN: 1000, OUT: 500, AUDIO_IN: 300, AUDIO_OUT: 200, READ: 100, AUDIO_READ: 40, IMAGE_IN: 10},
    {IN: 1000, OUT: 500, AUDIO_IN: 300, READ: 100},
    {IN: 1000},
    {IN: 10, OUT: 5, READ: 100},
    {IN: 0, OUT: 0},
)
TIMES = (datetime(2024, 6, 1, 12, tzinfo=UTC), datetime(2026, 11, 1, 17, 30, tzinfo=UTC))
CONTEXTS: tuple[dict[str, str], ...] = ({}, {"service_tier": "flex"}, {"service_tier": "priority"}, {"processing": "batch"})


def names() -> Iterator[tuple[genai.Provider, genai.ModelInfo, str]]:
    """A name for every model that its provider finds it by."""
    for provider in providers:
        for model in provider.models:
            for name in (model.id, *texts(model.match)):
                if provider.find_model(name, all_providers=providers) is model:
                    yield provider, model, name
                    break


def texts(clause: Any) -> Iterator[str]:
    for value in vars(clause).values():
        if isinstance(value, str):
            yield value
        else:
            for each in value:
                yield from texts(each)


def oracle(provider: str, name: str, usage: dict[str, int], at: datetime, context: dict[str, str]) -> float | None:
    counted = {UNITS[key]: count for key, count in usage.items()}
    try:
        found = calc_price(Usage(**counted), name, provider_id=provider, genai_request_timestamp=at, price_context=context)
    except (ValueError, LookupError):
        return None
    priced = {unit.name for key, unit in prices.units().items() if vars(found.model_price).get(key) is not None}
    return float(found.total_price) if priced & counted.keys() else None  # nothing of what was used has a price: unknown, not free


def test_every_model_costs_what_the_package_says(capsys: pytest.CaptureFixture[str]) -> None:
    found, compared, unknown = list(names()), 0, 0
    for (provider, model, name), usage, at in product(found, USAGES, TIMES):
        for context in CONTEXTS if model.price_variants else CONTEXTS[:1]:
            expected = oracle(provider.id, name, usage, at, context)
            got = cost(provider.id, name, usage, at=at, context=context)
            assert got == (expected if expected is None else pytest.approx(expected, rel=1e-9, abs=0)), (provider.id, name, usage, at, context)
            compared, unknown = compared + 1, unknown + (expected is None)
    with capsys.disabled():
        print(f"\nprices: {compared:,} costs of {len(found):,} models equal to genai-prices' ({unknown:,} unknown to both)")
    assert len(found) > 0.95 * sum(len(each.models) for each in providers)
    assert compared - unknown > 10_000


USED = {IN: 1000, OUT: 500}
SAME = (
    (("openai", "gpt-4o"), ("openai", "gpt-4o-2024-08-06")),
    (("openai", "gpt-4o"), ("azure.ai.openai", "gpt-4o")),
    (("openai", "gpt-4o"), ("litellm", "openai/gpt-4o")),
    (("openai", "gpt-4o"), (None, "openai/gpt-4o")),
    (("openai", "gpt-4o"), (None, "gpt-4o")),
    (("openai", "gpt-4o"), ("openai", "GPT-4o")),
    (("groq", "llama-3.3-70b-versatile"), ("groq", "groq/llama-3.3-70b-versatile")),
    (("aws", "anthropic.claude-3-haiku-20240307-v1:0"), ("aws.bedrock", "bedrock/anthropic.claude-3-haiku-20240307-v1:0")),
    (("aws", "anthropic.claude-3-haiku-20240307-v1:0"), (None, "bedrock/anthropic.claude-3-haiku-20240307-v1:0")),
    (("google", "gemini-2.5-pro"), ("gcp.vertex_ai", "gemini-2.5-pro")),
    (("google", "gemini-2.5-pro"), ("gcp.gemini", "gemini/gemini-2.5-pro")),
    (("x-ai", "grok-4"), ("x_ai", "grok-4")),
    (("mistral", "mistral-large-latest"), ("mistral_ai", "mistral-large-latest")),
    (("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-sonnet-4-5-20250929")),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_names_of_the_conventions_and_of_litellm(one: tuple[str, str], other: tuple[str | None, str]) -> None:
    assert cost(*one, USED) == cost(*other, USED)
    assert (cost(*one, USED) or 0) > 0


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("openai", "demo", USED),
        ("ollama", "llama3", USED),
        ("nobody", "gpt-4o", USED),
        (None, "my-own-model", USED),
        (None, None, USED),
        ("openai", None, USED),
        ("openai", "gpt-4o", {}),
        ("openai", "gpt-4o", {"gen_ai.request.max_tokens": 5}),
        ("openai", "gpt-4o", {IN: 10, READ: 100}),
        ("groq", "whisper-large-v3", USED),
    ],
)
def test_unknown_is_none_and_never_nothing(provider: str | None, model: str | None, usage: dict[str, int]) -> None:
    assert cost(provider, model, usage) is None


def test_free_is_free_only_where_the_table_says_so() -> None:
    assert prices.price({"input_mtok": 0, "output_mtok": 0}, {"input_tokens": 10}) == 0.0
    unpriced = [model for provider in providers for model in provider.models if not vars(model.get_prices(TIMES[1]))]
    assert unpriced
    assert {prices.price(prices.plain(model.get_prices(TIMES[1])), {"input_tokens": 10, "output_tokens": 5}) for model in unpriced} == {None}


FIRST = """
import openai, sys, time
from otel_agents.telemetry.prices import cost
assert "genai_prices" not in sys.modules
begun = time.process_time()
assert cost("openai", "gpt-4o", {"gen_ai.usage.input_tokens": 1})
print(time.process_time() - begun)
"""


def test_it_is_imported_late_and_quick_beside_a_client() -> None:
    taken = min(float(subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True).stdout) for _ in range(3))
    assert taken < 0.06
    cost("openai", "gpt-4o", USED)
    assert min(seconds(lambda: [cost("openai", "gpt-4o", USED) for _ in range(100)]) for _ in range(5)) / 100 < 0.0002


def seconds(work: Any) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun
