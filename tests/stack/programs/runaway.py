"""An agent that never comes to an end: it asks its model again and again, each time something else."""

import itertools
import time

import otel_agents as oa


@oa.llm(model="house-7b", provider="house")
def think(step: int) -> str:
    return f"and then step {step + 1}"


@oa.agent(name="runaway")
def run() -> None:
    for step in itertools.count():
        think(step)
        time.sleep(0.1)


run()
