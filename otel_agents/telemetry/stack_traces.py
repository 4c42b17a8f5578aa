"""An exception's stack trace as Python prints it, with chained exceptions, group members and notes, without running the exceptions' own code."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

from otel_agents.telemetry.introspection import head, is_any, mro, own_dict, type_name

MAX_FRAMES = 64  # of each exception, the innermost ones
MAX_CHAIN = 8
MAX_MEMBERS = 16
MAX_NOTES = 16
CAUSED_BY = "\nThe above exception was the direct cause of the following exception:\n\n"
DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"

Message = Callable[[BaseException], str]
TRACE, CAUSE, CONTEXT, SUPPRESSES_CONTEXT = (BaseException.__dict__[f"__{name}__"].__get__ for name in ("traceback", "cause", "context", "suppress_context"))
GROUP_MEMBERS: Callable[[BaseException], tuple[BaseException, ...]] = BaseExceptionGroup.__dict__["exceptions"].__get__


def stack_of(error: BaseException, message: Message) -> str:
    """The text, root cause first; empty for an exception that was never raised."""
    return "".join(reversed([*_chain(error, message)])) if TRACE(error) is not None else ""


def _chain(error: BaseException, message: Message) -> Iterator[str]:
    """Each exception of the chain and the sentence between two, the last one first."""
    seen: list[int] = []
    current: Any = error
    while current is not None and id(current) not in seen and len(seen) < MAX_CHAIN:
        seen.append(id(current))
        yield _formatted(current, message)
        cause = CAUSE(current)
        current, sentence = (cause, CAUSED_BY) if cause is not None else (None if SUPPRESSES_CONTEXT(current) else CONTEXT(current), DURING)
        if current is not None and id(current) not in seen and len(seen) < MAX_CHAIN:
            yield sentence


def _formatted(error: BaseException, message: Message) -> str:
    frames = traceback.format_tb(TRACE(error), -MAX_FRAMES)
    title = ["Traceback (most recent call last):\n"] if frames else []
    return "".join([*title, *frames, f"{type_name(error)}: {message(error)}\n", *_notes(error), *_members(error, message)])


def _notes(error: BaseException) -> list[str]:
    """The notes that `add_note` has added."""
    given = own_dict(error).get("__notes__")
    return [f"{note}\n" for note in head(given, MAX_NOTES) if type(note) is str] if type(given) is list else []


def _members(error: BaseException, message: Message) -> list[str]:
    """The members of a group, one line each."""
    members = head(GROUP_MEMBERS(error), MAX_MEMBERS) if is_any(BaseExceptionGroup, mro(type(error))) else []
    return [f"  + {type_name(member)}: {message(member)}\n" for member in members]
