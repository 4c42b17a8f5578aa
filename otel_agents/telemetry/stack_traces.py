"""An exception's stack as Python prints it, with its chain, its members and its notes, and without running any code of the exceptions' own."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

from otel_agents.telemetry.introspection import head, is_any, mro, own_dict, type_name

FRAMES = 64  # of each exception, the innermost: a recursion has thousands
CHAINED = 8
MEMBERS = 16
NOTES = 16
CAUSED = "\nThe above exception was the direct cause of the following exception:\n\n"
MEANWHILE = "\nDuring handling of the above exception, another exception occurred:\n\n"

Message = Callable[[BaseException], str]
TRACE, CAUSE, MET, HIDES = (BaseException.__dict__[f"__{name}__"].__get__ for name in ("traceback", "cause", "context", "suppress_context"))
HELD: Callable[[BaseException], tuple[BaseException, ...]] = BaseExceptionGroup.__dict__["exceptions"].__get__


def stack_of(error: BaseException, message: Message) -> str:
    """The text, the first cause first; empty for an exception that was never raised."""
    return "".join(reversed([*_links(error, message)])) if TRACE(error) is not None else ""


def _links(error: BaseException, message: Message) -> Iterator[str]:
    """Each exception of the chain and the words before it, the last one first."""
    seen: list[int] = []
    at: Any = error
    while at is not None and id(at) not in seen and len(seen) < CHAINED:
        seen.append(id(at))
        yield _one(at, message)
        cause = CAUSE(at)
        at, words = (cause, CAUSED) if cause is not None else (None if HIDES(at) else MET(at), MEANWHILE)
        if at is not None and id(at) not in seen and len(seen) < CHAINED:
            yield words


def _one(error: BaseException, message: Message) -> str:
    frames = traceback.format_tb(TRACE(error), -FRAMES)
    title = ["Traceback (most recent call last):\n"] if frames else []
    return "".join([*title, *frames, f"{type_name(error)}: {message(error)}\n", *_notes(error), *_members(error, message)])


def _notes(error: BaseException) -> list[str]:
    """What `add_note` has added."""
    given = own_dict(error).get("__notes__")
    return [f"{note}\n" for note in head(given, NOTES) if type(note) is str] if type(given) is list else []


def _members(error: BaseException, message: Message) -> list[str]:
    """What a group holds, a line each."""
    members = head(HELD(error), MEMBERS) if is_any(BaseExceptionGroup, mro(type(error))) else []
    return [f"  + {type_name(member)}: {message(member)}\n" for member in members]
