"""What the assistant can do: two services of a travel agency, and how the model is told about them."""

from __future__ import annotations

import time
from typing import Any

import otel_agents as oa

FORECASTS = {"lisbon": {"sky": "sunny, windy evenings", "high_c": 21, "low_c": 12}, "porto": {"sky": "rain", "high_c": 15, "low_c": 9}}
asleep = {"weather"}  # like many a small service: it sleeps until somebody asks, and that first request times out


@oa.tool
def weather(city: str) -> dict[str, Any]:
    """The forecast for the next three days in a city."""
    if "weather" in asleep:
        asleep.discard("weather")
        time.sleep(0.15)
        raise TimeoutError("the weather service did not answer within 0.15 s")
    time.sleep(0.03)
    return FORECASTS.get(city.lower(), {"sky": "unknown"})


@oa.tool
def trains(origin: str, destination: str) -> list[dict[str, str]]:
    """The next trains between two cities."""
    time.sleep(0.05)
    return [{"from": origin, "to": destination, "leaves": leaves, "takes": "10 h 20 m"} for leaves in ("07:40", "21:43")]


TOOLS = {"weather": weather, "trains": trains}


def described(name: str, **parameters: str) -> dict[str, Any]:
    """A tool as the chat completions API wants it described."""
    properties = {parameter: {"type": "string", "description": text} for parameter, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "description": TOOLS[name].__doc__, "parameters": schema}}


DESCRIPTIONS = [described("weather", city="the city"), described("trains", origin="where from", destination="where to")]
