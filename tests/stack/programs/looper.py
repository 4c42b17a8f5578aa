"""looper.py ROUNDS: an agent that asks the same tool the same thing, and its model what to do now, so many times in one run."""

import sys

import otel_agents as oa


@oa.tool
def poll(job: str) -> str:
    return "not yet"


@oa.llm(model="gpt-4o-mini", provider="openai")
def think(state: str) -> str:
    oa.current().usage(input_tokens=20, output_tokens=2)
    return "poll again"


@oa.agent(name="looper")
def run() -> None:
    for _ in range(int(sys.argv[1])):
        think(poll("job-7"))


run()
