"""LogQL and TraceQL in a few words: which lines, which spans."""

from __future__ import annotations

from otel_agents import semconv as names
from otel_agents.dashboards.promql import ENVIRONMENT, OUTCOME, RANGE, SERVICE, VERDICT, grouped, label

# `.*` alone would be refused: one matcher of a stream must not match the empty value
LINES = f'{{{SERVICE}=~".+",{SERVICE}=~"$service",{ENVIRONMENT}=~"$env"}}'
OF_TRACE = '| trace_id!="" | trace_id=~"0*$trace.*"'  # Tempo's search strips leading zeros; nothing chosen shows everything


def event(name: str) -> str:
    return f'{LINES} | event_name="{name}"'


SAID, TOOLS = event(names.EVENT_CLIENT_INFERENCE_OPERATION_DETAILS), event(names.EVENT_OA_TOOL_DETAILS)
STARTED, ENDED = event(names.EVENT_OA_RUN_STARTED), event(names.EVENT_OA_RUN_ENDED)

DIED = f'{ENDED} | {OUTCOME}="died"'
JUDGED = event(names.EVENT_EVALUATION_RESULT)
LABELLED = f'{JUDGED} | {VERDICT}=~"pass|fail"'
PASSES, FAILS = (f'{JUDGED} | {VERDICT}="{verdict}"' for verdict in ("pass", "fail"))


def extracted(**paths: str) -> str:
    """Labels taken out of lines that are JSON; what is no JSON stays without them, and is no error."""
    quoted = ", ".join(f'{name}="{path.replace(chr(34), chr(92) + chr(34))}"' for name, path in paths.items())
    return f"| json {quoted} | drop __error__, __error_details__"


def shown_as(template: str) -> str:
    return f"| line_format `{template}`"


def counted(lines: str, *by: str, over: str = RANGE) -> str:
    """How many lines there were in the time shown."""
    return f"{grouped(by)} (count_over_time({lines} [{over}]))"


def added(lines: str, attribute: str, *by: str, over: str = RANGE) -> str:
    """The sum of an attribute of the lines in the time shown."""
    return f"{grouped(by)} (sum_over_time({lines} | unwrap {label(attribute)} [{over}]))"


def passing(*by: str, over: str = RANGE) -> str:
    """The part of verdicts that are `pass`, of those that are one or the other."""
    every = counted(LABELLED, *by, over=over)
    return f"({counted(PASSES, *by, over=over)} or 0 * {every}) / {every}"


def top(query: str, rows: int = 10) -> str:
    return f"topk({rows}, {query})"


# ------------------------------------------------------------------------------------------------ spans

ITS_SERVICE = 'resource.service.name =~ "$service"'  # no environment: `.*` misses a span without one
AGENT, COST, CONVERSATION, ERROR, MODEL, TOOL = (
    f"span.{name}" for name in (names.AGENT_NAME, names.OA_COST, names.CONVERSATION_ID, names.ERROR_TYPE, names.REQUEST_MODEL, names.TOOL_NAME)
)
A_RUN = f'span.{names.OPERATION_NAME} = "invoke_agent"'
FAILED = "status = error"


def spans(*conditions: str, shown: tuple[str, ...] = ()) -> str:
    """The spans of the chosen services that fulfil all conditions, with these attributes."""
    found = f"{{ {' && '.join((ITS_SERVICE, *conditions))} }}"
    return f"{found} | select({', '.join(shown)})" if shown else found
