"""Links from board to board and from a name to its board. They keep the time range and the selected variables."""

from __future__ import annotations

from typing import Any

from otel_agents import semconv as names
from otel_agents.dashboards import logql, promql

KEPT = ("env", "service")
CONVERSATION = promql.label(names.CONVERSATION_ID)
TARGETS = {  # label → the board that its values link to, and the variable there
    promql.AGENT: ("agent", "agent"),
    promql.MODEL: ("models", "model"),
    promql.TOOL: ("tools", "tool"),
    "trace_id": ("conversations", "trace"),
    CONVERSATION: ("conversations", "conversation"),
}
SPAN_FIELDS = {  # the columns of a table of spans: attribute → label
    logql.AGENT.removeprefix("span."): promql.AGENT,
    logql.CONVERSATION.removeprefix("span."): CONVERSATION,
    logql.MODEL.removeprefix("span."): promql.MODEL,
    logql.TOOL.removeprefix("span."): promql.TOOL,
}
THIS_TRACE = "${__data.fields.traceIdHidden}"


def between_boards(tag: str) -> dict[str, Any]:
    """The links to the other boards, at the top of every board."""
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


def link_to(label: str, value: str) -> list[dict[str, Any]]:
    """The link of a label's value; none if no board shows it."""
    if label not in TARGETS:
        return []
    board, variable = TARGETS[label]
    kept = "&".join(f"${{{name}:queryparam}}" for name in KEPT)
    return [{"title": f"Open {board}", "url": f"/d/oa-{board}?{kept}&var-{variable}={value}&${{__url_time_range}}", "targetBlank": False}]


def of_cell(label: str) -> list[dict[str, Any]]:
    return link_to(label, "${__value.raw}")


def of_series(labels: tuple[str, ...]) -> list[dict[str, Any]]:
    return [link for label in labels for link in link_to(label, f"${{__field.labels.{label}}}")]


def of_span() -> list[dict[str, Any]]:
    return link_to("trace_id", THIS_TRACE)
