"""Small builders of LogQL and TraceQL queries."""

from __future__ import annotations

from otel_agents import semconv as names
from otel_agents.dashboards.promql import ENVIRONMENT, OUTCOME, RANGE, SERVICE, VERDICT, grouped, label

# Loki requires at least one matcher that does not match the empty string
LINES = f'{{{SERVICE}=~".+",{SERVICE}=~"$service",{ENVIRONMENT}=~"$env"}}'
OF_TRACE = '| trace_id!="" | trace_id=~"0*$trace.*"'  # Tempo's search strips leading zeros; without a trace, all lines are shown


def event(name: str) -> str:
    return f'{LINES} | event_name="{name}"'


SAID, TOOLS = event(names.EVENT_CLIENT_INFERENCE_OPERATION_DETAILS), event(names.EVENT_OA_TOOL_DETAILS)
STARTED, ENDED = event(names.EVENT_OA_RUN_STARTED), event(names.EVENT_OA_RUN_ENDED)

DIED = f'{ENDED} | {OUTCOME}="died"'
JUDGED = event(names.EVENT_EVALUATION_RESULT)
LABELLED = f'{JUDGED} | {VERDICT}=~"pass|fail"'
PASSES, FAILS = (f'{JUDGED} | {VERDICT}="{verdict}"' for verdict in ("pass", "fail"))


def extracted(**paths: str) -> str:
    """Labels extracted from JSON lines; lines that are not JSON get no labels and no error."""
    quoted = ", ".join(f'{name}="{path.replace(chr(34), chr(92) + chr(34))}"' for name, path in paths.items())
    return f"| json {quoted} | drop __error__, __error_details__"


def shown_as(template: str) -> str:
    return f"| line_format `{template}`"


def counted(lines: str, *by: str, over: str = RANGE) -> str:
    """The number of lines in the time range."""
    return f"{grouped(by)} (count_over_time({lines} [{over}]))"


def added(lines: str, attribute: str, *by: str, over: str = RANGE) -> str:
    """The sum of an attribute of the lines in the time range."""
    return f"{grouped(by)} (sum_over_time({lines} | unwrap {label(attribute)} [{over}]))"


def passing(*by: str, over: str = RANGE) -> str:
    """The share of `pass` among the verdicts `pass` and `fail`."""
    every = counted(LABELLED, *by, over=over)
    return f"({counted(PASSES, *by, over=over)} or 0 * {every}) / {every}"


def top(query: str, rows: int = 10) -> str:
    return f"topk({rows}, {query})"


# ------------------------------------------------------------------------------------------------ spans

ITS_SERVICE = 'resource.service.name =~ "$service"'  # not by environment: `.*` does not match a span without one
AGENT, COST, CONVERSATION, ERROR, MODEL, TOOL = (
    f"span.{name}" for name in (names.AGENT_NAME, names.OA_COST, names.CONVERSATION_ID, names.ERROR_TYPE, names.REQUEST_MODEL, names.TOOL_NAME)
)
A_RUN = f'span.{names.OPERATION_NAME} = "invoke_agent"'
FAILED = "status = error"


def spans(*conditions: str, shown: tuple[str, ...] = ()) -> str:
    """The spans of the selected services that meet all conditions, with these attributes."""
    found = f"{{ {' && '.join((ITS_SERVICE, *conditions))} }}"
    return f"{found} | select({', '.join(shown)})" if shown else found
