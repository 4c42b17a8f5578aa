"""Memory, retrieval, embeddings: the client operations beside model calls."""

from __future__ import annotations

from otel_agents.dashboards import variables
from otel_agents.dashboards.panels import BARS, COUNT, LINES, STAT, Board, panel, row
from otel_agents.dashboards.promql import CLIENT, HIT, MEMORY, OPERATION, SEARCHES, STORE, failing, inc, or0, p95, per_hour, share

OPERATIONS = CLIENT.where(MEMORY)
TOP = row(
    4,
    panel(STAT, "Searches", COUNT, or0(inc(SEARCHES)), "Memory searches whose number of results is known."),
    panel(
        STAT, "Found", "percentunit", share(SEARCHES, of=HIT), "The share of memory searches that found something. Good: more than 70 %.", empty="no searches"
    ),
    panel(STAT, "Operations", COUNT, or0(inc(OPERATIONS.count)), "Memory operations, retrievals and embeddings in the time shown."),
    panel(STAT, "Failed", "percentunit", failing(OPERATIONS), "The share of these operations that ended with an error.", empty="no operations"),
)
SEARCH = row(
    8,
    panel(
        LINES,
        "Found by store",
        "percentunit",
        share(SEARCHES, STORE, of=HIT),
        "The share of searches that found something. If it falls: wrong keys, or a store that was emptied.",
        empty="no searches",
    ),
    panel(BARS, "Operations by kind", "suffix: /h", per_hour(OPERATIONS.count, OPERATION), "Operations per hour.", empty="no operations"),
)
SPEED = row(
    8,
    panel(LINES, "p95 by kind", "s", p95(OPERATIONS, OPERATION), "95 % of operations were faster. Points link to traces.", empty="no operations"),
    panel(LINES, "Failed by kind", "percentunit", failing(OPERATIONS, OPERATION), "The share of operations that ended with an error.", empty="no operations"),
)
MEMORIES = Board(
    "memory",
    "Agents: memory and retrieval",
    "Do searches find something, and fast?",
    "Good: more than 70 % of memory searches find something. Caches will get a row when they have metrics.",
    variables.OF_SERVICE,
    (variables.ENV, variables.SERVICES),
    (TOP, SEARCH, SPEED),
)
