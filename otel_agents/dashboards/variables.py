"""The variables of the boards, each restricted by those before it, and the selectors made of them."""

from __future__ import annotations

from otel_agents.dashboards.panels import Variable
from otel_agents.dashboards.promql import AGENT, CALL, ENVIRONMENT, MODEL, PROVIDER, RUNS, SERVICE, TOOL, TOOL_CALL, Metric, placed


def matches(label: str, variable: str) -> str:
    return f'{label}=~"${variable}"'


OF_ENVIRONMENT = matches(ENVIRONMENT, "env")
OF_SERVICE = f"{matches(SERVICE, 'service')},{OF_ENVIRONMENT}"
OF_AGENT = f"{OF_SERVICE},{matches(AGENT, 'agent')}"
OF_TOOL = f"{OF_AGENT},{matches(TOOL, 'tool')}"
OF_PROVIDER = f"{OF_SERVICE},{matches(PROVIDER, 'provider')}"
OF_MODEL = f"{OF_PROVIDER},{matches(MODEL, 'model')}"


def series(metric: Metric, selector: str) -> str:
    return placed(str(metric), selector)


REPORTING = '__name__=~"otel_agents_runs_total|gen_ai_.+_count"'  # every observed program has at least one of these
ENV = Variable("env", "Environment", ENVIRONMENT, f"{{{REPORTING}}}")
SERVICES = Variable("service", "Service", SERVICE, f"{{{REPORTING},{OF_ENVIRONMENT}}}")
AGENTS = Variable("agent", "Agent", AGENT, series(RUNS, OF_SERVICE))
TOOLS = Variable("tool", "Tool", TOOL, series(TOOL_CALL.count, OF_AGENT))
PROVIDERS = Variable("provider", "Provider", PROVIDER, series(CALL.count, OF_SERVICE))
MODELS = Variable("model", "Model", MODEL, series(CALL.count, OF_PROVIDER))
CONVERSATION = Variable("conversation", "Conversation", text=".*")
TRACE = Variable("trace", "Trace")
SEARCH = Variable("search", "Search for")
