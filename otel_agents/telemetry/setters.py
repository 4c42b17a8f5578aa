"""What a program may say of its running operation: `oa.current().usage(…)`, `.model(…)`, `.response(…)`, `.result(…)`, `.attributes(…)`.

None of them raises, whatever it is given; each returns nothing and may be called any number of times: the last word counts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from otel_agents import semconv as names
from otel_agents.telemetry.context import engine
from otel_agents.telemetry.guard import guard

USAGE = {
    "input_tokens": names.USAGE_INPUT_TOKENS,
    "output_tokens": names.USAGE_OUTPUT_TOKENS,
    "cache_read_input_tokens": names.USAGE_CACHE_READ_INPUT_TOKENS,
    "cache_write_input_tokens": names.USAGE_CACHE_WRITE_INPUT_TOKENS,
    "reasoning_output_tokens": names.USAGE_REASONING_OUTPUT_TOKENS,
}


class Setters:
    """The typed setters of an operation."""

    __slots__ = ()

    @abstractmethod
    def set(self, fields: Mapping[str, Any]) -> None:
        """Keep attributes for the end."""

    @abstractmethod
    def capture(self, content: Mapping[str, Any]) -> None:
        """Keep content, as far as the policy lets it through."""

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
            told: dict[str, Any] = {name: value for name, value in given.items() if type(value) is int and value >= 0}
            self.set(told if cost is None else {**told, names.OA_COST: float(cost) if isinstance(cost, int | float) else None})

    def model(self, model: str, provider: str | None = None) -> None:
        """The model that was asked, and who provides it (`gen_ai.request.model`, `gen_ai.provider.name`)."""
        self._tell({names.REQUEST_MODEL: model, names.PROVIDER_NAME: provider})

    def response(self, *, id: str | None = None, model: str | None = None, finish_reasons: Sequence[str] | None = None) -> None:
        """What the provider answered: its id, the model that answered, one finish reason a choice (stop, length, tool_call …)."""
        reasons = list(finish_reasons) if type(finish_reasons) in (list, tuple) and finish_reasons else None
        self._tell({names.RESPONSE_ID: id, names.RESPONSE_MODEL: model, names.RESPONSE_FINISH_REASONS: reasons})

    def result(self, value: object) -> None:
        """What came out, as content: kept only where `OTEL_AGENTS_CONTENT` lets it through."""
        with guard("set result"):
            self.capture({names.OA_OUTPUT: value})

    def attributes(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Attributes of the program's own, by mapping or by keyword."""
        self._tell({**(values if type(values) is dict else dict(values or {})), **more})

    def _tell(self, values: Mapping[str, Any]) -> None:
        with guard("set attributes"):
            policy = engine.policy
            if policy is not None:
                self.set({name: policy.attribute(value, name) for name, value in values.items() if value is not None and type(name) is str and name})
