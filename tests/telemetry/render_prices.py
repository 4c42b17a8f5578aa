"""Writes otel_agents/telemetry/prices.json from the installed `genai-prices`: `python tests/telemetry/render_prices.py`."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from genai_prices import types
from genai_prices.data import providers
from genai_prices.data_units import unit_data

from otel_agents.telemetry.prices import UNITS, Table

PATH = Path(__file__).parents[2] / "otel_agents/telemetry/prices.json"
OPERATORS: dict[type, tuple[str, str]] = {
    types.ClauseEquals: ("=", "equals"),
    types.ClauseStartsWith: ("starts", "starts_with"),
    types.ClauseEndsWith: ("ends", "ends_with"),
    types.ClauseContains: ("has", "contains"),
    types.ClauseRegex: ("regex", "regex"),
    types.ClauseOr: ("or", "or_"),
    types.ClauseAnd: ("and", "and_"),
}


def rendered() -> Table:
    made = [provider(each) for each in providers]
    keys = {key for each in made for entry in each["models"] for key in keys_of(entry)}
    units = {raw["price_key"]: [name, raw["per"], raw["dimensions"]] for name, raw in unit_data.items() if raw["price_key"] in keys or name in UNITS.values()}
    return {"source": f"genai-prices {version('genai-prices')}", "units": units, "providers": made}


def provider(each: types.Provider) -> dict[str, Any]:
    said = {"id": each.id, "called": clause(each.provider_match), "owns": clause(each.model_match), "offers": each.fallback_model_providers}
    return {name: value for name, value in said.items() if value} | {"models": list(map(model, each.models))}


def model(each: types.ModelInfo) -> list[Any]:
    dated = each.prices if isinstance(each.prices, list) else [types.ConditionalPrice(prices=each.prices)]
    variants = [[variant.when, condition(variant.constraint), prices(variant.prices)] for variant in each.price_variants or ()]
    return [clause(each.match), [[condition(one.constraint), prices(one.prices)] for one in dated], *([variants] if variants else [])]


def clause(each: Any) -> list[Any] | None:
    if each is None:
        return None
    operator, field = OPERATORS[type(each)]
    value = getattr(each, field)
    return [operator, list(map(clause, value)) if isinstance(value, list) else value if operator == "regex" else value.lower()]


def condition(each: Any) -> str | list[str] | None:
    if each is None:
        return None
    return each.start_date.isoformat() if isinstance(each, types.StartDateConstraint) else [in_utc(each.start_time), in_utc(each.end_time)]


def in_utc(moment: time) -> str:
    return datetime.combine(date(1970, 1, 1), moment).astimezone(UTC).time().isoformat() if moment.tzinfo else moment.isoformat()


def prices(each: types.ModelPrice) -> dict[str, Any]:
    return {key: rate(value) for key, value in vars(each).items() if value is not None}


def rate(value: Decimal | types.TieredPrices) -> Any:
    return number(value) if isinstance(value, Decimal) else [number(value.base), *([tier.start, number(tier.price)] for tier in value.tiers)]


def number(value: Decimal) -> float | int:
    return int(value) if value == value.to_integral_value() else float(value)


def keys_of(entry: list[Any]) -> set[str]:
    return {key for priced in entry[1:] for one in priced for key in one[-1]}


def as_text(table: Table) -> bytes:
    """One provider's heading or model a line, so that a new release shows as a diff that can be read."""
    lines = [b'{"source":' + orjson.dumps(table["source"]) + b',\n"units":' + orjson.dumps(table["units"]) + b',\n"providers":[']
    for number, each in enumerate(table["providers"]):
        heading = orjson.dumps({name: value for name, value in each.items() if name != "models"})[:-1]
        entries = b",\n".join(map(orjson.dumps, each["models"]))
        lines.append((b"," if number else b"") + heading + b',"models":[\n' + entries + b"]}")
    return b"\n".join([*lines, b"]}", b""])


if __name__ == "__main__":
    PATH.write_bytes(as_text(rendered()))
    print(f"{PATH.name}: {PATH.stat().st_size:,} bytes from {rendered()['source']}")
