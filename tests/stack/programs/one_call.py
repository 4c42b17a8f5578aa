"""A program that makes one model call and ends: what a cron job or a function in a cloud does."""

import otel_agents as oa


@oa.llm(model="gpt-4o-mini", provider="openai")
def ask(question):
    oa.current().usage(input_tokens=10, output_tokens=5)
    return question


@oa.agent(name="brief")
def run():
    return ask("why?")


run()
