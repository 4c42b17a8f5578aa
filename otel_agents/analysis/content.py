"""What was said, where it was captured: messages, arguments, results → short lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from otel_agents import semconv as names

Content = Mapping[str, Any]


class Said(NamedTuple):
    """One thing that went in or came out, and who or what said it."""

    goes_in: bool
    by: str
    text: str


GIVEN = (names.TOOL_CALL_ARGUMENTS, names.MEMORY_QUERY_TEXT, names.RETRIEVAL_QUERY_TEXT, names.OA_INPUT)
CAME = (names.TOOL_CALL_RESULT, names.MEMORY_RECORDS, names.RETRIEVAL_DOCUMENTS, names.OA_OUTPUT)


def said(content: Content) -> list[Said]:
    """What an operation was given and what it gave back; of a long conversation only what is new since the model spoke last."""
    return [
        *(Said(True, *line) for line in newest(structure(content.get(names.INPUT_MESSAGES)))),
        *(Said(True, "", text_of(structure(content[name]))) for name in GIVEN if name in content),
        *(Said(False, *line) for line in spoken(structure(content.get(names.OUTPUT_MESSAGES)))),
        *(Said(False, "", text_of(structure(content[name]))) for name in CAME if name in content),
    ]


def structure(value: Any) -> Any:
    """The value; what a span had to hold as JSON text as what it was."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def newest(messages: Any) -> list[tuple[str, str]]:
    lines = list(spoken(messages))
    last = max((position for position, (role, _) in enumerate(lines) if role == "assistant"), default=-1)
    return lines[last + 1 :] or lines[-1:]


def spoken(messages: Any) -> Iterator[tuple[str, str]]:
    """Role and text of each message."""
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            parts = message.get("parts")
            yield str(message.get("role", "")), " ".join(part_text(part) for part in parts) if isinstance(parts, list) else text_of(message)


def part_text(part: Any) -> str:
    if not isinstance(part, dict):
        return text_of(part)
    kind = str(part.get("type", ""))
    if kind == "tool_call":
        return f"{part.get('name', '')}({text_of(part.get('arguments'))})"
    shown = next((part[name] for name in ("content", "response", "result") if part.get(name) is not None), None)
    return f"[{kind}]" if shown is None else text_of(shown)


def text_of(value: Any) -> str:
    """Text as it is, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
