"""What the line in otel_agents.pth calls (and otel_agents.start on 3.15): reads one variable, imports nothing else while that is off."""

import os

OFF = ("", "0", "false", "no", "off")


def run() -> None:
    """Start observing if OTEL_AGENTS_ENABLED says so; whatever happens, the interpreter starts as it would have."""
    if os.environ.get("OTEL_AGENTS_ENABLED", "").strip().lower() in OFF:
        return
    try:
        from otel_agents.bootstrap import run as start
    except ImportError:  # a half-installed package is no reason for the program not to start
        return
    start()
