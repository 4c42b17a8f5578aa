"""Links: from board to board, from a name to its board; all keep the time and the choices."""

from __future__ import annotations

from typing import Any

from otel_agents import semconv as names
from otel_agents.dashboards import logql, promql

KEPT = ("env", "service")
CONVERSATION = promql.label(names.CONVERSATION_ID)
LEADS = {  # what a name leads to: label → board, variable
    promql.AGENT: ("agent", "agent"),
    promql.MODEL: ("models", "model"),
    promql.TOOL: ("tools", "tool"),
    "trace_id": ("conversations", "trace"),
    CONVERSATION: ("conversations", "conversation"),
}
SPAN_FIELDS = {  # the columns of a list of spans: attribute → label
    logql.AGENT.removeprefix("span."): promql.AGENT,
    logql.CONVERSATION.removeprefix("span."): CONVERSATION,
    logql.MODEL.removeprefix("span."): promql.MODEL,
    logql.TOOL.removeprefix("span."): promql.TOOL,
}
THIS_TRACE = "${__data.fields.traceIdHidden}"


def between_boards(tag: str) -> dict[str, Any]:
    """The row of links at the top of every board."""
    return {
        "type": "dashboards",
        "title": "",
        "tags": [tag],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def leading(label: str, value: str) -> list[dict[str, Any]]:
    """The link of a name, if it leads anywhere."""
    if label not in LEADS:
        return []
    board, variable = LEADS[label]
    kept = "&".join(f"${{{name}:queryparam}}" for name in KEPT)
    return [{"title": f"Open {board}", "url": f"/d/oa-{board}?{kept}&var-{variable}={value}&${{__url_time_range}}", "targetBlank": False}]


def of_cell(label: str) -> list[dict[str, Any]]:
    return leading(label, "${__value.raw}")


def of_series(labels: tuple[str, ...]) -> list[dict[str, Any]]:
    return [link for label in labels for link in leading(label, f"${{__field.labels.{label}}}")]


def of_span() -> list[dict[str, Any]]:
    return leading("trace_id", THIS_TRACE)
