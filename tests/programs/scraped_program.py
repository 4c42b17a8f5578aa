"""Records through us and through the API, sets a meter provider of its own when argv says so, and prints what its scrape endpoint answers."""

import os
import sys
import time
import urllib.request

from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider

import otel_agents as oa


def items():
    with oa.agent("a"):
        oa.current()
    meter = metrics.get_meter("app")
    meter.create_counter("app.tokens", unit="{token}").add(3)
    meter.create_counter("app.cost", unit="USD").add(2)
    meter.create_histogram("app.latency", unit="s").record(0.5)
    meter.create_gauge("app.load").set(7)


def scrape():
    address = f"http://localhost:{os.environ['OTEL_EXPORTER_PROMETHEUS_PORT']}/metrics"
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            time.sleep(0.05)
    return "nothing is served"


def main(when):
    if when == "before":
        metrics.set_meter_provider(MeterProvider())
    items()
    if when == "after":
        metrics.set_meter_provider(MeterProvider())
        items()
    print(scrape())


main(sys.argv[1])
