"""`otel-agents COMMAND …`: imports the module of that command only, runs it, and returns its exit status.

A command is a module of this package with `add_arguments(parser)` and `run(options) -> int`; its docstring is its `--help`. Exit status: 0 success,
1 done, but the answer is negative or empty, 2 wrong usage or settings, 130 interrupted, 141 the reader of our output has closed the pipe.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, Protocol, cast

COMMANDS = {
    "demo": "run an agent that needs no API key and no network, and show what was recorded",
    "run": "run a Python program with otel-agents switched on",
    "traces": "list what ran: agents, durations, tokens, cost, errors",
    "trace": "show one trace as a tree",
    "tail": "follow what running programs record",
    "doctor": "check what is installed, instrumented and recorded, where it goes, and what was lost",
    "config": "show every setting and where it came from, or check a configuration file",
    "prune": "delete what the journal no longer needs",
    "replay": "send what the journal kept to a Collector, once",
    "layer": "print the folder that starts otel-agents from PYTHONPATH, where no .pth file is read",
    "stack": "run a Collector, Prometheus, Alertmanager and stores of traces and logs for your agents",
}
SUCCESS, NEGATIVE, USAGE_ERROR, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


class Command(Protocol):
    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: `sys.argv`) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return checked_dispatch(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return broken_pipe()
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # rich has handled the rest
            return BROKEN_PIPE
        raise


def checked_dispatch(words: list[str]) -> int:
    try:
        status = dispatch(words)
        sys.stdout.flush()
    except ValueError as problem:
        return complain(problem)
    return status


def dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        return show_help(words[1:])
    if words[0] in ("-V", "--version"):
        return show_version()
    if words[0] not in COMMANDS:
        return say_unknown(words[0])
    return run_command(words[0], words[1:])


def run_command(name: str, words: list[str]) -> int:
    command = cast(Command, importlib.import_module(f"otel_agents.cli.{name}"))
    parser = Parser(prog=f"otel-agents {name}", description=command.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


class Parser(argparse.ArgumentParser):
    """argparse's parser with one-line errors that point to --help."""

    def error(self, message: str) -> NoReturn:
        from otel_agents.redaction.messages import line

        self.exit(USAGE_ERROR, f"{self.prog}: {line(message)} (try: {self.prog} --help)\n")


def show_help(words: list[str]) -> int:
    if words and words[0] in COMMANDS:
        return run_command(words[0], ["--help"])
    print("usage: otel-agents COMMAND [OPTIONS]\n\nSee what your agents did: traces, metrics and logs, recorded without a line of code changed.\n\ncommands:")
    print("\n".join(f"  {name:<8} {summary}" for name, summary in COMMANDS.items()))
    print("\noptions:\n  -h, --help     show this help; `otel-agents COMMAND --help` for one command\n  -V, --version  show the installed version")
    return SUCCESS


def show_version() -> int:
    from importlib.metadata import version

    print(f"otel-agents {version('otel-agents')}")
    return SUCCESS


def say_unknown(word: str) -> int:
    from difflib import get_close_matches

    from otel_agents.redaction.messages import line

    near = get_close_matches(word, COMMANDS, n=1)
    hint = f"did you mean `otel-agents {near[0]}`?" if near else f"commands: {', '.join(COMMANDS)}"
    print(line(f"otel-agents: no command {word!r}; {hint}"), file=sys.stderr)
    return USAGE_ERROR


def complain(problem: ValueError) -> int:
    """Print wrong settings, one line each; any other ValueError is a bug of ours and keeps its traceback."""
    from otel_agents.config.settings import SettingsError

    if not isinstance(problem, SettingsError):
        raise problem
    print("\n".join(f"otel-agents: {line}" for line in problem.lines), file=sys.stderr)
    return USAGE_ERROR


def broken_pipe() -> int:
    """The reader (`| head`) has closed the pipe: redirect stdout, or the interpreter would print an error when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
