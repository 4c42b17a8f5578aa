"""waiter.py SECONDS: one run that does nothing for so long, after it has said that it began."""

import sys
import time

import otel_agents as oa


@oa.agent(name="waiter")
def wait(seconds: float) -> None:
    print("waiting", flush=True)
    time.sleep(seconds)


wait(float(sys.argv[1]))
