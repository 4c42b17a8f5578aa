"""What a program may set on its running operation: `oa.current().usage(…)`, `.model(…)`, `.response(…)`, `.result(…)`, `.attributes(…)`.

None of them ever raises or returns anything; each may be called several times, and the last value wins.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from otel_agents import semconv as names
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.introspection import LONGEST_NAME, is_any, mro, own_items

MAX_INTEGER, MAX_FINISH_REASONS = 2**63, 128  # exclusive, as in OTLP; choices of one request


class Setters:
    """The typed setters of an operation."""

    __slots__ = ()

    @abstractmethod
    def set(self, fields: Mapping[str, Any]) -> None:
        """Collect attributes for the end of the span."""

    @abstractmethod
    def capture(self, content: Mapping[str, Any]) -> None:
        """Collect content as far as the policy allows."""

    def usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_input_tokens: int | None = None,
        cache_write_input_tokens: int | None = None,
        reasoning_output_tokens: int | None = None,
        cost: float | None = None,
    ) -> None:
        """Tokens used, in tokens (cached ones are part of the input, reasoning of the output), and what they cost, in USD (semconv README §1.1)."""
        given = {
            names.USAGE_INPUT_TOKENS: input_tokens,
            names.USAGE_OUTPUT_TOKENS: output_tokens,
            names.USAGE_CACHE_READ_INPUT_TOKENS: cache_read_input_tokens,
            names.USAGE_CACHE_WRITE_INPUT_TOKENS: cache_write_input_tokens,
            names.USAGE_REASONING_OUTPUT_TOKENS: reasoning_output_tokens,
        }
        with guard("set usage"):
            usage: dict[str, Any] = {name: value for name, value in given.items() if type(value) is int and 0 <= value < MAX_INTEGER}
            is_cost = (type(cost) is float or type(cost) is int) and 0 <= cost < MAX_INTEGER  # NaN would make the total NaN for good
            self.set({**usage, names.OA_COST: float(cost)} if cost is not None and is_cost else usage)

    def model(self, model: str, provider: str | None = None) -> None:
        """The requested model and its provider (`gen_ai.request.model`, `gen_ai.provider.name`)."""
        self._set_values({names.REQUEST_MODEL: _text(model), names.PROVIDER_NAME: _text(provider)})

    def response(self, *, id: str | None = None, model: str | None = None, finish_reasons: Sequence[str] | None = None) -> None:
        """The provider's response: its id, the model that answered, one finish reason per choice (stop, length, tool_call …)."""
        given = finish_reasons[:MAX_FINISH_REASONS] if type(finish_reasons) is list or type(finish_reasons) is tuple else []
        reasons = [reason for reason in given if type(reason) is str and len(reason) <= LONGEST_NAME]
        self._set_values({names.RESPONSE_ID: _text(id), names.RESPONSE_MODEL: _text(model), names.RESPONSE_FINISH_REASONS: reasons or None})

    def result(self, value: object) -> None:
        """The result, as content: kept only if `OTEL_AGENTS_CONTENT` allows it."""
        with guard("set result"):
            self.capture({names.OA_OUTPUT: value})

    def attributes(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """The program's own attributes, as a mapping or as keywords."""
        with guard("set attributes"):
            self._set_values(_with_redacted_names({**_plain_names(values), **_plain_names(more)}))

    def _set_values(self, values: Mapping[str, Any]) -> None:
        with guard("set attributes"):
            policy = engine.policy
            if policy is not None:
                self.set({name: policy.attribute(value, name) for name, value in values.items() if value is not None})


def _with_redacted_names(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values under redacted names: in a reversed mapping the name may be a credential."""
    policy = engine.policy
    return values if policy is None else {policy.redact(name): value for name, value in values.items()}


def _text(value: Any) -> str | None:
    """A name or an id; None for other types and for long texts, which would become metric labels."""
    return value if type(value) is str and len(value) <= LONGEST_NAME else None


def _plain_names(values: Any) -> dict[str, Any]:
    """The entries of a mapping that can be attributes; empty for other types."""
    ancestors = mro(type(values))
    is_foreign = not is_any(dict, ancestors) and (is_any(Mapping, ancestors) or is_any(MappingProxyType, ancestors))  # their own code runs
    return {name: value for name, value in own_items(dict(values) if is_foreign else values) if 0 < len(name) <= LONGEST_NAME}
