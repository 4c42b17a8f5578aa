"""crowd.py AGENTS: so many agents, each with one run."""

import sys

import otel_agents as oa

for number in range(int(sys.argv[1])):
    with oa.agent(f"agent-{number}"):
        pass
