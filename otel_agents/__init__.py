"""otel-agents: one environment variable makes any Python agent program observable.

import otel_agents as oa

@oa.agent
def researcher(question: str) -> str: ...
"""

TYPE_CHECKING = False  # type checkers take it as true; `typing` itself takes longer to import than all of this

if TYPE_CHECKING:
    from otel_agents.runtime.lifecycle import flush, shutdown, start
    from otel_agents.telemetry.operations import Operation, current
    from otel_agents.verbs.session import session
    from otel_agents.verbs.signatures import agent, embedding, evaluator, guardrail, llm, memory, plan, retriever, step, tool, workflow

HOMES = {
    "otel_agents.verbs.decorators": ("agent", "workflow", "step", "tool", "llm", "embedding", "retriever", "memory", "plan", "evaluator", "guardrail"),
    "otel_agents.verbs.session": ("session",),
    "otel_agents.runtime.lifecycle": ("start", "flush", "shutdown"),
    "otel_agents.telemetry.operations": ("current", "Operation"),
}
_HOME = {name: module for module, names in HOMES.items() for name in names}

__all__ = [
    "Operation",
    "agent",
    "current",
    "embedding",
    "evaluator",
    "flush",
    "guardrail",
    "llm",
    "memory",
    "plan",
    "retriever",
    "session",
    "shutdown",
    "start",
    "step",
    "tool",
    "workflow",
]


if not TYPE_CHECKING:  # with it in sight, a type checker would accept every name

    def __getattr__(name: str) -> object:
        """Load a verb when it is first used (PEP 562)."""
        if name not in _HOME:
            raise AttributeError(f"module 'otel_agents' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
        from importlib import import_module

        from otel_agents.config import import_lock

        with import_lock.imports:
            value = globals()[name] = getattr(import_module(_HOME[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
