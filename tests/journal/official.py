"""Lines and requests as the official messages, and what a message means, in data that can be compared.

The one mapping that OTLP/JSON needs: ids are hex there and base64 in protobuf's own JSON.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from google.protobuf import json_format, unknown_fields
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from otlp_server import REQUESTS

from otel_agents.journal.protobuf import PARTS

IDS = {"traceId", "spanId", "parentSpanId"}
NO_IDS = {bytes(8), bytes(16)}


def parsed(signal: str, line: bytes) -> Message:
    """A line or a request, read by the strict official parser."""
    return json_format.Parse(json.dumps(with_base64_ids(json.loads(line))), REQUESTS[signal](), ignore_unknown_fields=False)


def with_base64_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [with_base64_ids(part) for part in node]
    if not isinstance(node, dict):
        return node
    return {name: b64encode(bytes.fromhex(part)).decode() if name in IDS else with_base64_ids(part) for name, part in node.items()}


def origins(signal: str, message: Any) -> Iterator[tuple[list[Any], Any]]:
    """Each item, and the resource and scope that it stands in."""
    outer, inner, name = PARTS[signal]
    for element in getattr(message, outer):
        for scope in getattr(element, inner):
            for item in getattr(scope, name):
                yield [element.resource, element.schema_url, scope.scope, scope.schema_url], item


def flat(signal: str, message: Any) -> Iterator[bytes]:
    """Each item with its scope and resource, as deterministic bytes."""
    for around, item in origins(signal, message):
        yield repr([part if isinstance(part, str) else part.SerializeToString(deterministic=True) for part in (*around, item)]).encode()


def meanings(signal: str, message: Any) -> Iterator[str]:
    """Each item with its scope and resource, as all readers of the protocol must understand it."""
    for around, item in origins(signal, message):
        yield repr([part if isinstance(part, str) else meaning(part) for part in (*around, item)])


def meaning(message: Message) -> dict[str, Any]:
    """The fields that say something. Of NaNs there is one; an id of zeros is none; an empty message says nothing where it is not itself the choice."""
    assert not len(unknown_fields.UnknownFieldSet(message)), message
    told = {field.name: told_by(field, value) for field, value in message.ListFields()}
    return {name: value for name, value in told.items() if value != {} or message.DESCRIPTOR.fields_by_name[name].containing_oneof}


def told_by(field: FieldDescriptor, value: Any) -> Any:
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return {} if field.name.endswith("_id") and value in NO_IDS else "nan" if isinstance(value, float) and math.isnan(value) else value
    return meaning(value) if isinstance(value, Message) else [meaning(part) for part in value]
