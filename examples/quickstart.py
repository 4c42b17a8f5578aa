"""Decorators only, no network:  OTEL_AGENTS_ENABLED=true python examples/quickstart.py && otel-agents trace last"""

import otel_agents as oa


@oa.tool
def multiply(a: int, b: int) -> int:
    return a * b


@oa.agent
def calculator(question: str) -> str:
    a, b = (int(word) for word in question.split() if word.isdigit())
    return f"That is {multiply(a, b)}."


with oa.session("quickstart"):
    print(calculator("What is 6 times 7 ?"))
