"""What a program may say of its running operation: `oa.current().usage(…)`, `.model(…)`, `.response(…)`, `.result(…)`, `.attributes(…)`.

None of them raises, whatever it is given; each returns nothing and may be called any number of times: the last word counts.
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

MAX_INTEGER, MAX_FINISH_REASONS = 2**63, 128  # of anything: what the wire has; how many choices a request can have


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
            told: dict[str, Any] = {name: value for name, value in given.items() if type(value) is int and 0 <= value < MAX_INTEGER}
            priced = (type(cost) is float or type(cost) is int) and 0 <= cost < MAX_INTEGER  # what is no number would spoil the sum for good
            self.set({**told, names.OA_COST: float(cost)} if cost is not None and priced else told)

    def model(self, model: str, provider: str | None = None) -> None:
        """The model that was asked, and who provides it (`gen_ai.request.model`, `gen_ai.provider.name`)."""
        self._tell({names.REQUEST_MODEL: _text(model), names.PROVIDER_NAME: _text(provider)})

    def response(self, *, id: str | None = None, model: str | None = None, finish_reasons: Sequence[str] | None = None) -> None:
        """What the provider answered: its id, the model that answered, one finish reason a choice (stop, length, tool_call …)."""
        given = finish_reasons[:MAX_FINISH_REASONS] if type(finish_reasons) is list or type(finish_reasons) is tuple else []
        reasons = [reason for reason in given if type(reason) is str and len(reason) <= LONGEST_NAME]
        self._tell({names.RESPONSE_ID: _text(id), names.RESPONSE_MODEL: _text(model), names.RESPONSE_FINISH_REASONS: reasons or None})

    def result(self, value: object) -> None:
        """What came out, as content: kept only where `OTEL_AGENTS_CONTENT` lets it through."""
        with guard("set result"):
            self.capture({names.OA_OUTPUT: value})

    def attributes(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Attributes of the program's own, by mapping or by keyword."""
        with guard("set attributes"):
            self._tell(_presentable({**_plain_names(values), **_plain_names(more)}))

    def _tell(self, values: Mapping[str, Any]) -> None:
        with guard("set attributes"):
            policy = engine.policy
            if policy is not None:
                self.set({name: policy.attribute(value, name) for name, value in values.items() if value is not None})


def _presentable(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values under names that can be written: a mapping may be turned round, and a name a credential."""
    policy = engine.policy
    return values if policy is None else {policy.redact(name): value for name, value in values.items()}


def _text(value: Any) -> str | None:
    """A name or an id; what is none, or longer than any, is left out: it would become a label of metrics."""
    return value if type(value) is str and len(value) <= LONGEST_NAME else None


def _plain_names(values: Any) -> dict[str, Any]:
    """The entries of a mapping that can be attributes; nothing of what is no mapping."""
    ancestors = mro(type(values))
    of_others = not is_any(dict, ancestors) and (is_any(Mapping, ancestors) or is_any(MappingProxyType, ancestors))  # read by their own code, as asked
    return {name: value for name, value in own_items(dict(values) if of_others else values) if 0 < len(name) <= LONGEST_NAME}
