"""A program that knows nothing of otel-agents: an agent on litellm, a helper on openai, tools, streaming, logging. argv: the model server's URL, questions."""

import json
import logging
import sys

import litellm
from openai import OpenAI

url = sys.argv[1]
log = logging.getLogger("assistant")
client = OpenAI(base_url=url, api_key="sk-test")
tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]


def weather(city):
    log.warning("looking up %s", city, extra={"city": city})
    return f"rain in {city}"


def ask(messages):
    reply = litellm.completion(model="openai/gpt-4o-mini", api_base=url, api_key="sk-test", messages=messages, tools=tools)
    return reply.choices[0].message


def run(question):
    messages = [{"role": "user", "content": question}]
    asked = ask(messages)
    for call in asked.tool_calls or ():
        messages += [asked.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}]
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True, stream_options={"include_usage": True})
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


if __name__ == "__main__":
    for question in sys.argv[2:]:
        print(run(question))
    sys.exit(3)
