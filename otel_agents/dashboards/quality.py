"""What evaluators said of answers: a verdict is an event in the trace of what was judged."""

from __future__ import annotations

from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.logql import FAILS, JUDGED
from otel_agents.dashboards.panels import COUNT, LINES, LOG, MANY, RANKING, STAT, Board, lines_of, panel, row
from otel_agents.dashboards.promql import EVALUATION, EXPLANATION, SCORE, SCORES, VERDICT, mean, or0

HOUR = "1h"
NOTHING = "nothing was judged: with @oa.evaluator it is"
WHY = f"{{{{.{EVALUATION}}}}}{{{{if .{SCORE}}}}} {{{{.{SCORE}}}}}{{{{end}}}}{{{{if .{EXPLANATION}}}}}: {{{{.{EXPLANATION}}}}}{{{{end}}}}"
TOP = row(
    4,
    panel(STAT, "Judged", COUNT, lines_of(or0(logql.counted(JUDGED))), "Verdicts of evaluators in the time shown."),
    panel(STAT, "Passed", "percentunit", lines_of(logql.passing()), "The part of verdicts that are `pass`, of those that are `pass` or `fail`.", empty=NOTHING),
)
NOW = row(
    8,
    panel(
        RANKING,
        "Verdicts",
        COUNT,
        lines_of(logql.counted(f'{JUDGED} | {VERDICT}!=""', EVALUATION, VERDICT)),
        "What each evaluator said, how often. True and false are `pass` and `fail`.",
        empty=NOTHING,
    ),
    panel(
        RANKING,
        "Mean score",
        MANY,
        mean(SCORES, EVALUATION),
        "The mean of each evaluator's scores in the time shown; each has a scale of its own. Scores below 0 are in their verdicts only.",
        empty="no evaluator gives scores",
    ),
)
TREND = row(
    8,
    panel(
        LINES,
        "Passed, by the hour",
        "percentunit",
        lines_of(logql.passing(EVALUATION, over=HOUR)),
        "The part that passed in the hour before each point. What falls after a change: open a verdict below.",
        empty=NOTHING,
    ),
    panel(
        LINES,
        "Mean score, by the hour",
        MANY,
        mean(SCORES, EVALUATION, over=HOUR),
        "The mean of the hour before each point. What falls after a change: open a verdict below.",
        empty="no evaluator gives scores",
    ),
)
FAILED = row(
    12,
    panel(
        LOG,
        "Failed answers",
        COUNT,
        lines_of(f"{FAILS} {logql.shown_as(WHY)}"),
        "The newest verdicts `fail`, with score and explanation (as far as OTEL_AGENTS_CONTENT lets it be); the open line leads to the trace that was judged.",
        empty="nothing failed",
    ),
)
QUALITY = Board(
    "quality",
    "Agents: quality",
    "Are the answers good?",
    "Good: most verdicts are `pass`, and means do not fall. Experiments, feedback and learning get their rows when they get their signals.",
    variables.OF_SERVICE,
    (variables.ENV, variables.SERVICES),
    (TOP, NOW, TREND, FAILED),
)
