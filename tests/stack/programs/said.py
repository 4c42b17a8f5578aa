"""A program that says what its standard input holds to a model, and gets it back."""

import sys

import otel_agents as oa

text = sys.stdin.read()


@oa.llm(model="gpt-4o-mini", provider="openai")
def ask(question):
    return f"you said: {question}"


@oa.tool
def look_up(word):
    return f"found {word}"


@oa.agent(name="echo")
def run():
    look_up(text)
    return ask(text)


run()
