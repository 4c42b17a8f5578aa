"""A quarter of an hour of agents in a minute: programs that do everything the boards ask for, run as their users run them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from observed import finish, start
from processes import environment

from otel_agents.cli.scripted import QUESTIONS, ScriptedModel
from otel_agents.stack.native import Native
from otel_agents.stack.stores import Stores

ENVIRONMENT = "boards"
SERVICES = ("shop", "looper", "waiter", "crowd", "chatter", "assistant")
ASSISTANT = Path(__file__).parents[2] / "examples" / "assistant" / "assistant.py"
SHOPS = 3  # processes of the shop
SCRAPE_S = 20  # the servers' counters have no start: what comes before their first scrape is in no rate
LONG_S, FOR_EVER_S = 11, 3600
TOO_LONG = "x" * (3 * 2**20)  # a line that no store of logs takes
TOO_OLD_S = 40 * 86400  # nor one from then


def service(name: str) -> str:
    return f"{ENVIRONMENT}-{name}"


def settings(name: str, **more: str) -> dict[str, str]:
    resource = f"deployment.environment.name={ENVIRONMENT}"
    return {
        "OTEL_SERVICE_NAME": service(name),
        "OTEL_RESOURCE_ATTRIBUTES": resource,
        "OTEL_AGENTS_CONTENT": "full",
        "OTEL_AGENTS_METRIC_INTERVAL": "2s",
        **more,
    }


def program(name: str, *words: object, journals: Path, stores: Stores, **more: str) -> subprocess.Popen[str]:
    return start(name, *words, journal=journals / name, stores=stores, **settings(name, **more))


@contextmanager
def bustle(stack: Native, journals: Path) -> Iterator[float]:
    """All of it, over when everything has ended but one run, which goes on until the block is left; gives when it began."""
    began, stores = time.time(), stack.stores()
    going_on = program("waiter", FOR_EVER_S, journals=journals, stores=stores, OTEL_AGENTS_METRIC_INTERVAL="2s")
    long = program("waiter", LONG_S, journals=journals, stores=stores)
    killed = program("waiter", FOR_EVER_S, journals=journals, stores=stores, OTEL_AGENTS_METRIC_INTERVAL="2s")
    try:
        run_all(journals, stores)
        await_word(killed)
        time.sleep(3)  # its journal has been shipped
        killed.kill()
        killed.communicate()
        finish(long)
        time.sleep(max(0.0, began + SCRAPE_S - time.time()))
        assert [stores.send("logs", request).status for request in (refused(TOO_LONG), refused("long ago", TOO_OLD_S))] == [200, 200]
        shop(SHOPS - 1, journals, stores)
        yield began
    finally:
        for process in (going_on, long, killed):
            process.kill()
            process.communicate()


def run_all(journals: Path, stores: Stores) -> None:
    for number in range(SHOPS - 1):
        shop(number, journals, stores)
    finish(program("looper", 12, journals=journals, stores=stores))
    finish(program("crowd", 3, journals=journals, stores=stores, OTEL_AGENTS_METRIC_CARDINALITY="1"))
    finish(program("chatter", 4000, journals=journals, stores=stores, OTEL_AGENTS_JOURNAL_MAX_BYTES="1MiB", OTEL_AGENTS_SHIP_INTERVAL="30s"))
    with ScriptedModel() as model:
        assist(["--base-url", model.base_url, "--conversation", "journey-1", *QUESTIONS], journals, stores)


def shop(number: int, journals: Path, stores: Stores) -> None:
    finish(program("shop", journals=journals / f"shop-{number}", stores=stores))


def assist(words: Sequence[str], journals: Path, stores: Stores) -> None:
    """The demo's assistant, which asks its model through litellm and streams."""
    given = settings("assistant", OTEL_EXPORTER_OTLP_ENDPOINT=stores.otlp, LITELLM_LOCAL_MODEL_COST_MAP="True")
    done = subprocess.run(
        [sys.executable, str(ASSISTANT), *words], env=environment(journals / "assistant", **given), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def await_word(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), 7) == b"waiting"


def refused(text: str, seconds_ago: int = 0) -> dict[str, object]:
    """A log record that the Collector takes, and the store refuses for good."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service("chatter")}}]}
    record = {"timeUnixNano": str(time.time_ns() - seconds_ago * 10**9), "body": {"stringValue": text}}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
