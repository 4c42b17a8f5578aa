"""Keeps an item below the journal's line limit: the longest strings are cut first, with a note of their original length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import orjson

from otel_agents.journal.values import Json, cut_from
from otel_agents.redaction.surrogates import well_formed

LINE_LIMIT = 2**20
TAIL_LIMIT = 2**16
SCHEMA_LIMIT = 2**10  # of one schema URL; a tail has two
ITEM_LIMIT = LINE_LIMIT - TAIL_LIMIT - 256  # what head and tail leave for the item

DROPPED = {"attributes": "droppedAttributesCount", "events": "droppedEventsCount", "links": "droppedLinksCount"}
UNCUT = 256  # characters; shorter strings are dropped only together with their list
SHORTEST = 64  # longer than any id
NOTE = re.compile(r"… \[cut, (\d+) characters\]$")
NOTE_LENGTH = 48
FEWER = [2**power for power in range(12, -1, -1)]


def dumped(record: Json, limit: int = ITEM_LIMIT) -> bytes:
    """The record as JSON of less than `limit` bytes; lone surrogates become U+FFFD."""
    try:
        raw = orjson.dumps(record)
    except TypeError:  # a lone surrogate, the only thing in a record that orjson refuses
        record = scrubbed(record)
        raw = orjson.dumps(record)
    return raw if len(raw) < limit else shrunk(record, limit)


def shrunk(record: Json, limit: int) -> bytes:
    """The record with its longest strings cut until it fits; if that is not enough, its longest lists too."""
    longest = fitting(record, limit)
    while longest > UNCUT:
        raw = orjson.dumps(cut(record, longest, 2**31))
        if len(raw) < limit:
            return raw
        longest //= 2
    for most in FEWER:
        raw = orjson.dumps(cut(record, max(SHORTEST, min(UNCUT, limit // 16)), most))
        if len(raw) < limit:
            break
    return raw


def fitting(record: Json, limit: int) -> int:
    """An estimate of how long a string may stay; all longer ones are cut to that length."""
    weights = [(len(text), len(orjson.dumps(text)) / len(text)) for text in strings(record) if len(text) > UNCUT]
    available = limit - NOTE_LENGTH * len(weights) - (len(orjson.dumps(record)) - sum(length * weight for length, weight in weights))
    longest = max((length for length, _ in weights), default=0)
    while longest > UNCUT and sum(min(length, longest) * weight for length, weight in weights) > available:
        longest = longest * 7 // 8
    return longest


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list | dict):
        for part in node.values() if isinstance(node, dict) else node:
            yield from strings(part)


def cut(node: Any, longest: int, most: int) -> Any:
    if isinstance(node, str):
        return node if len(node) <= longest else cut_text(node, longest)
    if isinstance(node, list):
        return [cut(part, longest, most) for part in node[:most]]
    return cut_record(node, longest, most) if isinstance(node, dict) else node


def cut_text(text: str, longest: int) -> str:
    noted = NOTE.search(text[-NOTE_LENGTH:])
    return text[:longest] + cut_from(int(noted[1]) if noted else len(text), "characters")


def cut_record(record: Json, longest: int, most: int) -> Json:
    if len(record.get("bytesValue", "")) > longest:  # a part of a base64 text is not valid base64
        return {"stringValue": f"<{len(record['bytesValue']) * 3 // 4} bytes>"}
    smaller = {name: cut(part, longest, most) for name, part in record.items()}
    for name, part in record.items():
        if isinstance(part, list) and len(part) > most:
            note_missing(smaller, name, len(part), most)
    return smaller


def note_missing(record: Json, name: str, length: int, kept: int) -> None:
    if name in DROPPED:
        record[DROPPED[name]] = record.get(DROPPED[name], 0) + length - kept
    elif name == "values":
        note: Json = {"stringValue": cut_from(length, "items")}
        record[name].append({"key": "…", "value": note} if "key" in record[name][0] else note)


def scrubbed(node: Any) -> Any:
    """The same tree without lone surrogates; surrogate pairs are joined."""
    if isinstance(node, str):
        return well_formed(node)
    if isinstance(node, list):
        return [scrubbed(part) for part in node]
    return {name: scrubbed(part) for name, part in node.items()} if isinstance(node, dict) else node
