"""Assembling the chunks of a streamed chat or text completion into the equivalent non-streaming response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agents.instrumentors.objects import field, fields, items, text, whole

HEAD = ("id", "model", "service_tier", "system_fingerprint")
PIECES = ("content", "refusal", "reasoning_content", "text")


class ChatChunks:
    """Collects chunks; `response()` is a plain dict in the non-streaming format. A choice that never got a finish reason has none."""

    def __init__(self, choices: int = 1) -> None:
        self._head: dict[str, Any] = {}
        self._usage: Any = None
        self._choices: dict[int, _Choice] = {}
        self._expected = choices

    def add(self, chunk: Any) -> None:
        held = fields(chunk)
        for name in HEAD:
            if held.get(name):
                self._head[name] = held[name]
        if held.get("usage") is not None:
            self._usage = held["usage"]
        for choice in items(held.get("choices")):
            self._add(fields(choice))

    def _add(self, choice: Mapping[str, Any]) -> None:
        index = whole(choice.get("index")) or 0
        if index not in self._choices:
            self._choices[index] = _Choice()
        self._choices[index].add(choice)

    def response(self) -> dict[str, Any]:
        choices = self._choices or dict.fromkeys(range(self._expected), _Choice())
        return {**self._head, "choices": [choice.assembled() for _, choice in sorted(choices.items())], "usage": self._usage}


class _Choice:
    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.pieces: dict[str, list[str]] = {}
        self.calls: dict[int, _Call] = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        self.finish_reason = text(choice.get("finish_reason")) or self.finish_reason
        delta = fields(choice["delta"]) if choice.get("delta") is not None else choice
        for name in PIECES:
            if text(delta.get(name)):
                self.pieces.setdefault(name, []).append(delta[name])
        for call in items(delta.get("tool_calls")):
            self.calls.setdefault(whole(field(call, "index")) or 0, _Call()).add(call)
        if delta.get("function_call") is not None and not items(delta.get("tool_calls")):  # some servers send both forms
            self.calls.setdefault(0, _Call()).add({"function": delta["function_call"]})

    def assembled(self) -> dict[str, Any]:
        joined = {name: "".join(pieces) for name, pieces in self.pieces.items()}
        if "text" in joined:
            return {"text": joined["text"], "finish_reason": self.finish_reason}
        calls = [call.assembled() for _, call in sorted(self.calls.items())]
        return {"message": {"role": "assistant", **joined, "tool_calls": calls}, "finish_reason": self.finish_reason}


class _Call:
    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self.arguments: list[str] = []

    def add(self, delta: Any) -> None:
        function = field(delta, "function")
        self.id = self.id or text(field(delta, "id"))
        self.name = self.name or text(field(function, "name"))
        piece = text(field(function, "arguments"))
        if piece:
            self.arguments.append(piece)

    def assembled(self) -> dict[str, Any]:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": "".join(self.arguments)}}
