"""Captured content (messages, arguments, results) → short lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from otel_agents import semconv as names

Content = Mapping[str, Any]


class Passage(NamedTuple):
    """One piece of input or output, and the role or name it came from."""

    is_input: bool
    by: str
    text: str


INPUTS = (names.TOOL_CALL_ARGUMENTS, names.MEMORY_QUERY_TEXT, names.RETRIEVAL_QUERY_TEXT, names.OA_INPUT)
OUTPUTS = (names.TOOL_CALL_RESULT, names.MEMORY_RECORDS, names.RETRIEVAL_DOCUMENTS, names.OA_OUTPUT)


def passages(content: Content) -> list[Passage]:
    """An operation's input and output; of a long conversation only the messages since the model's last answer."""
    return [
        *(Passage(True, *line) for line in newest(structure(content.get(names.INPUT_MESSAGES)))),
        *(Passage(True, "", text_of(structure(content[name]))) for name in INPUTS if name in content),
        *(Passage(False, *line) for line in messages_of(structure(content.get(names.OUTPUT_MESSAGES)))),
        *(Passage(False, "", text_of(structure(content[name]))) for name in OUTPUTS if name in content),
    ]


def structure(value: Any) -> Any:
    """The value; parsed, if it is JSON text, as which a span has to hold structures."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return value


def newest(messages: Any) -> list[tuple[str, str]]:
    lines = list(messages_of(messages))
    last = max((position for position, (role, _) in enumerate(lines) if role == "assistant"), default=-1)
    return lines[last + 1 :] or lines[-1:]


def messages_of(messages: Any) -> Iterator[tuple[str, str]]:
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
    """A string as it is, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
