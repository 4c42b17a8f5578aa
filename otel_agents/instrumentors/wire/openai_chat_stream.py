"""Folding a stream of chat or text completion chunks into the one answer it amounts to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_agents.instrumentors.objects import field, fields, items, text, whole

HEAD = ("id", "model", "service_tier", "system_fingerprint")
PIECES = ("content", "refusal", "reasoning_content", "text")


class ChatChunks:
    """Chunks go in, the answer comes out as a plain dict of the non-streaming shape; a choice whose finish reason never came has none."""

    def __init__(self, choices: int = 1) -> None:
        self._head: dict[str, Any] = {}
        self._usage: Any = None
        self._choices: dict[int, _Choice] = {}
        self._expected = choices

    def add(self, chunk: Any) -> None:
        told = fields(chunk)
        for name in HEAD:
            if told.get(name):
                self._head[name] = told[name]
        if told.get("usage") is not None:
            self._usage = told["usage"]
        for choice in items(told.get("choices")):
            self._add(fields(choice))

    def _add(self, choice: Mapping[str, Any]) -> None:
        index = whole(choice.get("index")) or 0
        if index not in self._choices:
            self._choices[index] = _Choice()
        self._choices[index].add(choice)

    def response(self) -> dict[str, Any]:
        choices = self._choices or dict.fromkeys(range(self._expected), _Choice())
        return {**self._head, "choices": [choice.folded() for _, choice in sorted(choices.items())], "usage": self._usage}


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
        if delta.get("function_call") is not None and not items(delta.get("tool_calls")):  # some servers say it both ways
            self.calls.setdefault(0, _Call()).add({"function": delta["function_call"]})

    def folded(self) -> dict[str, Any]:
        said = {name: "".join(pieces) for name, pieces in self.pieces.items()}
        if "text" in said:
            return {"text": said["text"], "finish_reason": self.finish_reason}
        calls = [call.folded() for _, call in sorted(self.calls.items())]
        return {"message": {"role": "assistant", **said, "tool_calls": calls}, "finish_reason": self.finish_reason}


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

    def folded(self) -> dict[str, Any]:
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": "".join(self.arguments)}}
