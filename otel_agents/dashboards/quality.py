"""Evaluations of answers: a verdict is an event in the trace of the answer."""

from __future__ import annotations

from otel_agents.dashboards import logql, variables
from otel_agents.dashboards.logql import FAILS, JUDGED
from otel_agents.dashboards.panels import COUNT, LINES, LOG, MANY, RANKING, STAT, Board, lines_of, panel, row
from otel_agents.dashboards.promql import EVALUATION, EXPLANATION, SCORE, SCORES, VERDICT, mean, or0

HOUR = "1h"
NOTHING = "nothing was evaluated: use @oa.evaluator"
WHY = f"{{{{.{EVALUATION}}}}}{{{{if .{SCORE}}}}} {{{{.{SCORE}}}}}{{{{end}}}}{{{{if .{EXPLANATION}}}}}: {{{{.{EXPLANATION}}}}}{{{{end}}}}"
TOP = row(
    4,
    panel(STAT, "Judged", COUNT, lines_of(or0(logql.counted(JUDGED))), "Verdicts of evaluators in the time shown."),
    panel(STAT, "Passed", "percentunit", lines_of(logql.passing()), "The share of `pass` among the verdicts `pass` and `fail`.", empty=NOTHING),
)
NOW = row(
    8,
    panel(
        RANKING,
        "Verdicts",
        COUNT,
        lines_of(logql.counted(f'{JUDGED} | {VERDICT}!=""', EVALUATION, VERDICT)),
        "How often each evaluator gave each verdict. True and false count as `pass` and `fail`.",
        empty=NOTHING,
    ),
    panel(
        RANKING,
        "Mean score",
        MANY,
        mean(SCORES, EVALUATION),
        "The mean of each evaluator's scores in the time shown; every evaluator has its own scale. Scores below 0 are not included.",
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
        "The share that passed in the hour before each point. If it falls after a change, open a verdict below.",
        empty=NOTHING,
    ),
    panel(
        LINES,
        "Mean score, by the hour",
        MANY,
        mean(SCORES, EVALUATION, over=HOUR),
        "The mean over the hour before each point. If it falls after a change, open a verdict below.",
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
        "The newest `fail` verdicts, with score and explanation (if OTEL_AGENTS_CONTENT enables it); the expanded line links to the evaluated trace.",
        empty="nothing failed",
    ),
)
QUALITY = Board(
    "quality",
    "Agents: quality",
    "Are the answers good?",
    "Good: most verdicts are `pass`, and mean scores do not fall. Experiments, feedback and learning will get rows when they have signals.",
    variables.OF_SERVICE,
    (variables.ENV, variables.SERVICES),
    (TOP, NOW, TREND, FAILED),
)
