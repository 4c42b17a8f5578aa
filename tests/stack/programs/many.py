"""many.py N [SECONDS]: one run of N tool calls, each with a log line of its own; spread over so many seconds."""

import logging
import sys
import time

import otel_agents as oa

number, seconds = int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
logger = logging.getLogger("many")
logging.basicConfig(level="INFO", stream=sys.stdout)


@oa.tool
def count(place):
    logger.info("number %d", place)
    time.sleep(seconds / number)
    return place


@oa.agent(name="many")
def run():
    for place in range(number):
        count(place)


run()
