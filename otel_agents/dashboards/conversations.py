"""The conversation explorer: a trace on the left, what was said in it on the right."""

from __future__ import annotations

from otel_agents import semconv as names
from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.panels import COUNT, LOG, SPANS, TRACE, Board, Query, lines_of, panel, row, spans_of
from otel_agents.dashboards.panels import TRACES as TEMPO

CONTENT = "Content is recorded only if OTEL_AGENTS_CONTENT enables it (metadata, hashed, redacted, full)."
NEWLINE = '{{"\\n"}}'
# the newest input message is the last one of a list, which LogQL's json stage cannot address
NEWEST = r'^.*\{"parts":\[\{.*?"(?:content|response)":"(?P<q>(?:[^"\\]|\\.)*)".*\],"gen_ai\.output\.messages"'
FIRST = f'["{names.OUTPUT_MESSAGES}"][0].parts[0]'
PARTS = logql.extracted(a=f"{FIRST}.content", t=f"{FIRST}.name", x=f"{FIRST}.arguments")
USED = "{{.gen_ai_agent_name}} · {{.gen_ai_request_model}} · {{.gen_ai_usage_input_tokens}} → {{.gen_ai_usage_output_tokens}} tokens"
UNESCAPED = r'{{.q | replace "\\n" "\n" | replace "\\\"" "\""}}'
GIVEN = f"{{{{if .q}}}}{NEWLINE}◂ {UNESCAPED}{{{{end}}}}"
ANSWERED = f"{{{{if .a}}}}{NEWLINE}▸ {{{{.a}}}}{{{{end}}}}{{{{if .t}}}}{NEWLINE}▸ {{{{.t}}}} {{{{.x}}}}{{{{end}}}}"
READ = f"{PARTS} | regexp `{NEWEST}` {logql.shown_as(USED + GIVEN + ANSWERED)}"
USE = logql.extracted(a=f'["{names.TOOL_CALL_ARGUMENTS}"]', r=f'["{names.TOOL_CALL_RESULT}"]')
READ_TOOL = f"{USE} {logql.shown_as('{{.gen_ai_tool_name}} {{.a}}{{if .r}} → {{.r}}{{end}}{{if .error_type}} ✗ {{.error_type}}{{end}}')}"
CHOOSE = row(
    8,
    panel(
        SPANS,
        "Runs",
        COUNT,
        spans_of(logql.spans(logql.A_RUN, f'{logql.AGENT} =~ "$agent"', shown=(logql.AGENT, logql.CONVERSATION, logql.COST))),
        "The newest runs of the chosen agents. A click on one opens its trace below.",
        empty="no runs",
    ),
    panel(
        SPANS,
        "Runs of the conversation",
        COUNT,
        spans_of(logql.spans(logql.A_RUN, f'{logql.CONVERSATION} =~ "$conversation"', shown=(logql.CONVERSATION, logql.AGENT, logql.COST))),
        "Runs that belong to a conversation (oa.session), or to the one chosen above.",
        empty="no run belongs to a conversation: set one with oa.session(…)",
    ),
)
READING = row(
    18,
    panel(
        TRACE, "Trace", COUNT, Query("$trace", store=TEMPO), "The chosen trace: every agent, model and tool call of it.", empty="choose a run above", width=12
    ),
    panel(
        LOG,
        "Said",
        COUNT,
        lines_of(f"{logql.SAID} {logql.OF_TRACE} {READ}"),
        f"Each model call: the newest input message (◂), then the answer or the tool calls that it requests (▸). The expanded line has everything. {CONTENT}",
        empty="no model calls",
        width=12,
    ),
)
BESIDE = row(
    10,
    panel(
        LOG,
        "Tools",
        COUNT,
        lines_of(f"{logql.TOOLS} {logql.OF_TRACE} {READ_TOOL}"),
        f"Each tool call of the trace, with arguments and result. {CONTENT}",
        empty="no tool calls",
    ),
    panel(
        LOG,
        "Log lines",
        COUNT,
        lines_of(f'{logql.LINES} {logql.OF_TRACE} | event_name=""'),
        "What the program itself logged within the trace.",
        empty="the program logged nothing",
    ),
)
FIND = row(
    10,
    panel(
        LOG,
        "Found",
        COUNT,
        lines_of(f"{logql.SAID} |~ `(?i)$search` {READ}"),
        f"Model calls whose content contains the text in Search for, newest first; each line links to its trace. {CONTENT}",
        empty="nothing contains this text",
    ),
)
CONVERSATIONS = Board(
    "conversations",
    "Agents: conversations",
    "What was said, and what did the agent do then?",
    "Choose a run: its trace opens on the left, its content on the right.",
    variables.OF_SERVICE,
    (variables.ENV, variables.SERVICES, variables.AGENTS, variables.CONVERSATION, variables.TRACE, variables.SEARCH),
    (CHOOSE, READING, BESIDE, FIND),
)
