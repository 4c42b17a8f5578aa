"""Run an agent with tools, a memory, streaming and a failure that it recovers from, and show what was recorded.

The agent is an ordinary program (examples/assistant) that calls its model through litellm. By default the model is a scripted server on loopback that needs
no API key and no network. With --base-url and --model it is any OpenAI-compatible endpoint.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from otel_agents.analysis.search import Found, Search, Wanted, logs_of
from otel_agents.cli import journal_options, screen, scripted, trace
from otel_agents.cli import run as launch

PROGRAM = "assistant.py"
HOMES = (Path(__file__).parent / "assistant", Path(__file__).parents[2] / "examples" / "assistant")  # in a wheel, in a checkout
SCRIPTED_MODEL = "gpt-4o-mini"
INTERRUPTED = 130
MISSING = "otel-agents demo: the demo calls its model through litellm, which is not installed. Install it with: pip install 'otel-agents[demo]'"
NEXT = (
    ("otel-agents trace last --logs", "the newest trace again, with its logs"),
    ("otel-agents traces", "everything recorded"),
    ("OTEL_AGENTS_ENABLED=true python your_program.py", "record your own program"),
    ("OTEL_AGENTS_CONTENT=full otel-agents demo", "with prompts and answers"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318", "send it to a Collector as well"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="questions for a model of your own (--base-url); default: two about a trip")
    parser.add_argument("--base-url", metavar="URL", help="an OpenAI-compatible endpoint, such as http://localhost:11434/v1")
    parser.add_argument("--model", metavar="NAME", help=f"its model (default: {SCRIPTED_MODEL})")
    parser.add_argument("--api-key-env", default="OPENAI_API_KEY", metavar="NAME", help="the variable that holds its key (default: OPENAI_API_KEY)")
    journal_options.add_journal(parser)


def run(options: argparse.Namespace) -> int:
    """Run the program, then print what was recorded; 1 if it failed or nothing was recorded."""
    if wrong := misuse(options):
        screen.say(wrong)
        return 2
    if importlib.util.find_spec("litellm") is None:
        screen.say(MISSING)
        return 1
    conversation = f"demo-{secrets.token_hex(4)}"
    with endpoint(options) as base_url:
        status = run_program(options, base_url, conversation)
    if status == INTERRUPTED:
        return status
    return report(options, conversation, status)


def misuse(options: argparse.Namespace) -> str:
    """The error for options that don't go together; empty if they do."""
    if options.questions and not options.base_url:
        return "otel-agents demo: the scripted model only knows its own two questions; use --base-url (and --model) to ask a real one"
    if options.model and not options.base_url:
        return "otel-agents demo: --model needs --base-url, the endpoint that serves it"
    return ""


@contextmanager
def endpoint(options: argparse.Namespace) -> Iterator[str]:
    """The given endpoint, or the scripted model's, which runs as long as the program."""
    if options.base_url:
        yield options.base_url
        return
    with scripted.ScriptedModel() as model:
        yield model.base_url


# ------------------------------------------------------------------------------------------------ the program


def run_program(options: argparse.Namespace, base_url: str, conversation: str) -> int:
    """Run the program as a user would and return its exit status; its output is shown as it arrives."""
    words = command(options, base_url, conversation)
    announce(options, words, base_url)
    try:
        return subprocess.run(words, env=environment(options), stdout=sys.stderr if options.json else None, check=False).returncode
    except KeyboardInterrupt:  # the program received it as well, and has ended
        return INTERRUPTED


def command(options: argparse.Namespace, base_url: str, conversation: str) -> list[str]:
    model = options.model or SCRIPTED_MODEL
    questions = options.questions or scripted.QUESTIONS
    named = ["--base-url", base_url, "--model", model, "--api-key-env", options.api_key_env, "--conversation", conversation]
    return [sys.executable, str(program()), *named, *questions]


def program() -> Path:
    """The assistant's program, which is part of the package."""
    return next(home / PROGRAM for home in HOMES if (home / PROGRAM).exists())


def environment(options: argparse.Namespace) -> dict[str, str]:
    """The environment with otel-agents enabled, and litellm told to use its bundled price list instead of downloading one."""
    given = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONUNBUFFERED": "1", **launch.environment(os.environ)}
    return given | ({"OTEL_AGENTS_JOURNAL_DIR": str(options.journal.resolve())} if options.journal else {})


def announce(options: argparse.Namespace, words: list[str], base_url: str) -> None:
    if options.json:
        return
    model = f"{options.model or SCRIPTED_MODEL} at {base_url}" if options.base_url else f"{SCRIPTED_MODEL}, scripted: no key, no network ({base_url})"
    path = min(words[1], os.path.relpath(words[1]), key=len)
    print("A travel assistant with tools, a memory and streamed answers, through litellm.\n")
    print(f"  model    {model}\n  program  OTEL_AGENTS_ENABLED=true python {shlex.quote(path)} …\n", flush=True)


# ------------------------------------------------------------------------------------------------ what was recorded


def report(options: argparse.Namespace, conversation: str, status: int) -> int:
    search = journal_options.search_of(options)
    found = list(reversed(search.newest(Wanted(session=conversation))))
    if options.json:
        screen.print_json(
            {"conversation_id": conversation, "status": status, "journal": str(search.folder.path), "traces": [screen.as_json(one.summary) for one in found]}
        )
    elif found:
        show(search, found)
    if not found:
        screen.say(f"otel-agents demo: the program ended with status {status} and nothing was recorded in {search.folder.path}; `otel-agents doctor` says why.")
    elif status:
        screen.say(f"otel-agents demo: the program ended with status {status}; what it had recorded until then is shown above.")
    return int(status != 0 or not found)


def show(search: Search, found: list[Found]) -> None:
    """Print the traces as trees, where they are stored, and what to try next."""
    console = screen.console()
    for one in found:
        console.rule(style="dim")
        trace.show(one.trace, logs_of(search.folder, one.summary.trace_id))
    console.rule(style="dim")
    print(f"Recorded in {search.folder.path}\n\nNext")
    width = max(len(words) for words, _ in NEXT)
    for words, meaning in NEXT:
        print(f"  {words.ljust(width)}  {meaning}")
