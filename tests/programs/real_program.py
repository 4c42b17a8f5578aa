"""A program on a real model: completions, forced tool calls, streams, through openai and litellm. Prints what came, with the usage the server told.

argv: the model server's URL.
"""

import json
import sys

import litellm
from openai import OpenAI

url = sys.argv[1]
client = OpenAI(base_url=url, api_key="none", max_retries=0)
THERE = {"model": "openai/gemma", "api_base": url, "api_key": "none"}
EXACT = {"temperature": 0.0, "seed": 7, "max_tokens": 24}
PROMPT = "The capital of France? Paris\nThe capital of Japan? Tokyo\nThe capital of Italy?"
ASKED = [{"role": "user", "content": "What is the weather in Rome?"}]
COUNTING = [
    {"role": "user", "content": "Count: one two three four five six"},
    {"role": "assistant", "content": "seven eight nine"},
    {"role": "user", "content": "go on: ten eleven"},
]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORCED = {
    "messages": ASKED,
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": CITY}}],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
}


def told(usage):
    return [usage.prompt_tokens, usage.completion_tokens] if usage else None


def say(what, text, usage):
    print(json.dumps([what, text, told(usage)]))


def complete():
    answer = client.completions.create(model="gemma", prompt=PROMPT, stop=["\n"], **EXACT)
    say("completion", answer.choices[0].text, answer.usage)
    answer = litellm.text_completion(prompt=PROMPT, stop=["\n"], **EXACT, **{**THERE, "model": "text-completion-openai/gemma"})
    say("completion", answer.choices[0].text, answer.usage)


def chat():
    for create, given in ((client.chat.completions.create, {"model": "gemma"}), (litellm.completion, THERE)):
        answer = create(messages=COUNTING, **EXACT, **given)
        say("chat", answer.choices[0].message.content, answer.usage)


def call_a_tool():
    for answer in (client.chat.completions.create(model="gemma", **FORCED, **EXACT), litellm.completion(**FORCED, **EXACT, **THERE)):
        [call] = answer.choices[0].message.tool_calls
        say("tool call", [call.function.name, sorted(json.loads(call.function.arguments))], answer.usage)


def stream():
    chunks = client.completions.create(model="gemma", prompt=PROMPT, stop=["\n"], stream=True, **EXACT)
    say("stream", "".join(chunk.choices[0].text for chunk in chunks), None)
    for create, given in ((client.chat.completions.create, {"model": "gemma"}), (litellm.completion, THERE)):
        chunks = create(messages=COUNTING, stream=True, **EXACT, **given)
        say("stream", "".join(chunk.choices[0].delta.content or "" for chunk in chunks), None)


def stream_a_tool_call():
    for create, given in ((client.chat.completions.create, {"model": "gemma"}), (litellm.completion, THERE)):
        chunks = create(stream=True, **FORCED, **EXACT, **given)
        pieces = [call.function.arguments for chunk in chunks for call in chunk.choices[0].delta.tool_calls or ()]
        say("streamed tool call", sorted(json.loads("".join(pieces))), None)


if __name__ == "__main__":
    complete()
    chat()
    call_a_tool()
    stream()
    stream_a_tool_call()
