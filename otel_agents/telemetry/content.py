"""The content policy: which prompts, answers and values are captured and in which form, applied before anything is written (semconv/README.md §3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from otel_agents import semconv as names
from otel_agents.redaction.by_shape import Redact
from otel_agents.redaction.surrogates import well_formed
from otel_agents.telemetry.outcomes import error_type
from otel_agents.telemetry.stack_traces import stack_of
from otel_agents.telemetry.values import as_json, message_of, plain

FEW, SHORT = 8, 128  # a list of so few texts with so few characters is not checked against the limit
Form = Callable[[Any], Any]


def _unredacted(text: str, name: str = "", /) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Policy:
    """How content is treated in this process.

    mode: none | metadata | hashed | redacted | full; spans, events: whether it is written there; limit: characters of one value;
    redact: applied to every text, in every mode, before truncation.
    """

    mode: str = "none"
    spans: bool = False
    events: bool = True
    limit: int = 65536
    redact: Redact = _unredacted

    @property
    def captures(self) -> bool:
        """Whether content is read at all."""
        return self.mode != "none"

    def attribute(self, value: Any, name: str = "") -> Any:
        """A value that the program set under this name as an attribute's value: of a built-in type, redacted, limited in size."""
        kind = type(value)
        if kind is str and len(value) <= self.limit:
            return self.redact(value, name)
        if kind is bool or kind is int or kind is float:
            return value
        if kind is list and len(value) <= FEW and self.limit > 2 * FEW * SHORT and all(type(text) is str and len(text) <= SHORT for text in value):
            return [well_formed(self.redact(text, name)) for text in value]
        return _flat(self.read(value, name), self.limit)

    def read(self, value: Any, name: str = "") -> Any:
        """The value as plain data with its structure kept, redacted and then truncated."""
        return plain(value, self.limit, self.redact, name)

    def message(self, error: BaseException) -> str:
        """An exception's message, redacted, without calling a `__str__` of the program."""
        return message_of(error, self.limit, self.redact)

    def exception(self, error: BaseException) -> dict[str, Any]:
        """Type, message and, if it was raised, stack trace of an exception as attributes."""
        trace = stack_of(error, self.message)
        stack = {names.EXCEPTION_STACKTRACE: self.attribute(trace)} if trace else {}
        return {names.EXCEPTION_TYPE: error_type(error), names.EXCEPTION_MESSAGE: self.message(error), **stack}

    def content(self, captured: Mapping[str, Any]) -> dict[str, Any]:
        """Content in the form that the mode allows, with its structure; empty values are left out."""
        form = FORMS[self.mode]
        read = {name: plain(value, self.limit, self.redact) for name, value in captured.items() if value is not None}
        return {name: form(value) for name, value in read.items() if value not in (None, "", [], {})}


def _flat(value: Any, limit: int) -> Any:
    """A value that every SDK accepts as an attribute: a scalar, a list of scalars of one type, else JSON text."""
    if type(value) is list and value and len({type(item) for item in value}) == 1 and type(value[0]) in (str, bool, int, float):
        return value
    return as_json(value, limit) if type(value) in (list, dict) else value


def for_span(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content as span attributes: JSON text, which every SDK and backend accepts."""
    return {name: value if type(value) is str else as_json(value, 1 << 30) for name, value in content.items()}


# ------------------------------------------------------------------------------------------------ the modes

METADATA_KEYS = frozenset({"role", "type", "name", "id", "modality", "mime_type", "finish_reason", "score"})  # metadata of messages, not what they say
METADATA_TYPES = frozenset({str, int, float})


def _hashed(value: Any) -> Any:
    """The same structure with a hash for each text: equal texts have equal hashes."""
    return _mapped(value, lambda text: "sha256:" + sha256(text.encode("utf-8", "replace")).hexdigest()[:16])


def _lengths(value: Any) -> Any:
    """The same structure with the length of each text."""
    return _mapped(value, lambda text: f"[{len(text)} characters]")


def _mapped(value: Any, text: Callable[[str], str]) -> Any:
    if type(value) is str:
        return text(value)
    if type(value) is list:
        return [_mapped(item, text) for item in value]
    if type(value) is dict:
        return {key: item if key in METADATA_KEYS and type(item) in METADATA_TYPES else _mapped(item, text) for key, item in value.items()}
    return value if value is None or type(value) is bool else text(str(value))


def _unchanged(value: Any) -> Any:
    return value


FORMS: Mapping[str, Form] = {"none": _unchanged, "metadata": _lengths, "hashed": _hashed, "redacted": _unchanged, "full": _unchanged}
