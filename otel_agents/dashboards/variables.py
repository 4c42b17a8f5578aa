"""The choices at the top of the boards, each narrowed by those before it, and the selectors that they make."""

from __future__ import annotations

from otel_agents.dashboards.panels import Variable
from otel_agents.dashboards.promql import AGENT, CALL, ENVIRONMENT, MODEL, PROVIDER, RUNS, SERVICE, TOOL, TOOL_CALL, Metric, placed


def chosen(label: str, variable: str) -> str:
    return f'{label}=~"${variable}"'


OF_ENVIRONMENT = chosen(ENVIRONMENT, "env")
OF_SERVICE = f"{chosen(SERVICE, 'service')},{OF_ENVIRONMENT}"
OF_AGENT = f"{OF_SERVICE},{chosen(AGENT, 'agent')}"
OF_TOOL = f"{OF_AGENT},{chosen(TOOL, 'tool')}"
OF_PROVIDER = f"{OF_SERVICE},{chosen(PROVIDER, 'provider')}"
OF_MODEL = f"{OF_PROVIDER},{chosen(MODEL, 'model')}"


def series(metric: Metric, selector: str) -> str:
    return placed(str(metric), selector)


REPORTING = '__name__=~"otel_agents_runs_total|gen_ai_.+_count"'  # what every program that is observed has some of
ENV = Variable("env", "Environment", ENVIRONMENT, f"{{{REPORTING}}}")
SERVICES = Variable("service", "Service", SERVICE, f"{{{REPORTING},{OF_ENVIRONMENT}}}")
AGENTS = Variable("agent", "Agent", AGENT, series(RUNS, OF_SERVICE))
TOOLS = Variable("tool", "Tool", TOOL, series(TOOL_CALL.count, OF_AGENT))
PROVIDERS = Variable("provider", "Provider", PROVIDER, series(CALL.count, OF_SERVICE))
MODELS = Variable("model", "Model", MODEL, series(CALL.count, OF_PROVIDER))
CONVERSATION = Variable("conversation", "Conversation", text=".*")
TRACE = Variable("trace", "Trace")
SEARCH = Variable("search", "Search for")
