"""The conversation explorer: a trace on the left, what was said in it on the right."""

from __future__ import annotations

from otel_agents import semconv as names
from otel_agents.boards import logql, variables
from otel_agents.boards.panels import LOG, SPANS, TRACE, Board, Query, lines_of, panel, row, spans_of
from otel_agents.boards.panels import TRACES as TEMPO

CONTENT = "Content is recorded when OTEL_AGENTS_CONTENT asks for it (metadata, hashed, redacted, full); without it this stays empty, and says so."
FIRST = "[0].parts[0].content"
READ = f'| json q="[\\"{names.INPUT_MESSAGES}\\"]{FIRST}", a="[\\"{names.OUTPUT_MESSAGES}\\"]{FIRST}" | line_format "◂ {{{{.q}}}}\\n▸ {{{{.a}}}}"'
CHOOSE = row(
    8,
    panel(
        SPANS,
        "Runs",
        "short",
        spans_of(logql.spans(logql.A_RUN, f'{logql.AGENT} =~ "$agent"', shown=(logql.AGENT, logql.CONVERSATION, logql.COST))),
        "The newest runs of the chosen agents. A click on one opens its trace below.",
        empty="no runs",
    ),
    panel(
        SPANS,
        "Runs of the conversation",
        "short",
        spans_of(logql.spans(logql.A_RUN, f'{logql.CONVERSATION} =~ "$conversation"', shown=(logql.CONVERSATION, logql.AGENT, logql.COST))),
        "Runs that belong to a conversation (oa.session), or to the one chosen above.",
        empty="no run names its conversation: with oa.session(…) it does",
    ),
)
READING = row(
    18,
    panel(
        TRACE, "Trace", "short", Query("$trace", store=TEMPO), "The chosen trace: every agent, model and tool call of it.", empty="choose a run above", width=12
    ),
    panel(
        LOG,
        "Said",
        "short",
        lines_of(f"{logql.SAID} {logql.OF_TRACE} {READ}"),
        f"The first message given to each model call and the first of its answer; the open line has all. {CONTENT}",
        empty="no model calls",
        width=12,
    ),
)
BESIDE = row(
    10,
    panel(
        LOG,
        "Tools",
        "short",
        lines_of(f"{logql.TOOLS} {logql.OF_TRACE}"),
        f"Each tool call of the trace, with arguments and result. {CONTENT}",
        empty="no tool calls",
    ),
    panel(
        LOG,
        "Log lines",
        "short",
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
        "short",
        lines_of(f"{logql.SAID} |~ `(?i)$search`"),
        f"Model calls whose content has the words under Search for, newest first; each line leads to its trace. {CONTENT}",
        empty="nothing has these words",
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
