"""A travel assistant: an agent with tools, a memory and streamed answers, over any OpenAI-compatible endpoint.

    export OPENAI_API_KEY=…
    OTEL_AGENTS_ENABLED=true python examples/assistant/assistant.py "What should I pack for a weekend in Lisbon?"
    otel-agents trace last

The five decorators name what is this program's own: the agent, its tools, its memory. Model calls are recorded without any.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from typing import Any

import litellm
from notes import Notes
from openai import OpenAIError
from tools import DESCRIPTIONS, TOOLS

import otel_agents as oa

MOST_STEPS = 6
INSTRUCTIONS = "You are a travel assistant. Look things up with the tools you have; when one fails, try once more. Answer in at most four sentences."
logger = logging.getLogger("assistant")


class Assistant:
    """Answers questions; what it learns of the traveller goes into its notes."""

    def __init__(self, **connection: Any) -> None:
        self.connection = connection
        self.notes = Notes("The traveller prefers trains to planes, also for a weekend.", "The traveller feels the cold: pack something warm.")
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": INSTRUCTIONS}]

    @oa.agent(name="travel_assistant")
    def answer(self, question: str) -> str:
        """Think, use tools, think again, until there is an answer."""
        known = self.notes.search(question)
        self.messages.append({"role": "user", "content": "\n".join([question, *(f"(note: {note})" for note in known)])})
        for _ in range(MOST_STEPS):
            message = self.ask()
            self.messages.append(message)
            if not message.get("tool_calls"):
                break
            self.messages += [self.use(call) for call in message["tool_calls"]]
        self.notes.keep(f"The traveller asked: {question}")
        return str(message.get("content") or "")

    def ask(self) -> dict[str, Any]:
        """The model's next message, printed as it comes."""
        chunks = []
        for chunk in litellm.completion(messages=self.messages, tools=DESCRIPTIONS, stream=True, stream_options={"include_usage": True}, **self.connection):
            chunks.append(chunk)
            print((chunk.choices and chunk.choices[0].delta.content) or "", end="", flush=True)
        message = litellm.stream_chunk_builder(chunks).choices[0].message
        return {name: value for name, value in message.model_dump().items() if name in ("role", "content", "tool_calls") and value is not None}

    def use(self, call: dict[str, Any]) -> dict[str, Any]:
        """What the tool gives, or that it failed: the model decides what to do then."""
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        try:
            content = json.dumps(TOOLS[name](**json.loads(arguments or "{}")))
        except (KeyError, TypeError, ValueError, TimeoutError) as problem:
            logger.warning("%s failed: %s", name, problem)
            content = f"failed: {problem}"
        return {"role": "tool", "tool_call_id": call["id"], "content": content}


def main() -> int:
    parser = argparse.ArgumentParser(description="A travel assistant.")
    parser.add_argument("questions", nargs="+", metavar="QUESTION")
    parser.add_argument("--model", default="gpt-4o-mini")
    parser.add_argument("--base-url", help="an OpenAI-compatible endpoint (default: OpenAI's)")
    parser.add_argument("--api-key-env", default="OPENAI_API_KEY", help="the variable that holds the key")
    parser.add_argument("--conversation", default="travel-1")
    options = parser.parse_args()
    logging.basicConfig(format="(%(levelname)s: %(message)s)")
    key = os.environ.get(options.api_key_env) or ("not-needed" if options.base_url else None)
    assistant = Assistant(model=f"openai/{options.model}", base_url=options.base_url, api_key=key, max_retries=3)
    with oa.session(options.conversation):
        for question in options.questions:
            print(f"> {question}", flush=True)
            try:
                assistant.answer(question)
            except OpenAIError as problem:  # what litellm raises, whichever provider it was
                print(f"the model did not answer: {problem}", file=sys.stderr)
                return 1
            print("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
