"""Keep one item below the journal's size of a line: what is longest is cut first, and what it had been is noted."""

from __future__ import annotations

from typing import Any

import orjson

from otel_agents.journal.values import Json, cut_from

LINE_LIMIT = 2**20
TAIL_LIMIT = 2**16
ITEM_LIMIT = LINE_LIMIT - TAIL_LIMIT - 256  # what is left for the item beside the tail and the head

DROPPED = {"attributes": "droppedAttributesCount", "events": "droppedEventsCount", "links": "droppedLinksCount"}
STEPS = [(2**power, 2**16) for power in range(18, 8, -1)] + [(256, 2**power) for power in range(12, 2, -1)] + [(64, 1)]


def dumped(record: Json, limit: int = ITEM_LIMIT) -> bytes:
    """The record as JSON below the limit (bytes); lone surrogates become U+FFFD."""
    try:
        raw = orjson.dumps(record)
    except TypeError:  # what orjson raises for a lone surrogate, the only thing a record can hold that it refuses
        record = scrubbed(record)
        raw = orjson.dumps(record)
    return raw if len(raw) < limit else shrunk(record, limit)


def shrunk(record: Json, limit: int) -> bytes:
    """The record with its longest strings, then its longest lists, cut until it fits."""
    for longest, most in STEPS:
        raw = orjson.dumps(cut(record, longest, most))
        if len(raw) < limit:
            break
    return raw


def cut(node: Any, longest: int, most: int) -> Any:
    if isinstance(node, str):
        return node if len(node) <= longest else node[:longest] + cut_from(len(node), "characters")
    if isinstance(node, list):
        return [cut(part, longest, most) for part in node[:most]]
    return cut_record(node, longest, most) if isinstance(node, dict) else node


def cut_record(record: Json, longest: int, most: int) -> Json:
    if len(record.get("bytesValue", "")) > longest:  # half of a base64 text is no base64
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
    """The same tree without lone surrogates; a pair that was split joins again."""
    if isinstance(node, str):
        return node.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(node, list):
        return [scrubbed(part) for part in node]
    return {name: scrubbed(part) for name, part in node.items()} if isinstance(node, dict) else node
