"""Every query of the dashboards and rules in a folder (panels, variables, annotations, alerts), with its variables filled in as Grafana fills them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]
PROMETHEUS, LOKI, TEMPO = "prometheus", "loki", "tempo"  # the types of Grafana's data sources
LANGUAGES = {PROMETHEUS: "PromQL", LOKI: "LogQL", TEMPO: "TraceQL"}
INSTANT, RANGE, LINES, SPANS, TRACE, VALUES = "instant", "range", "lines", "spans", "trace", "values"  # what a query returns
ALERTS, RULES = "alerts", "recording rules"  # in place of a board's uid
ALL = ".*"
RATE_INTERVAL = "4m"  # $__rate_interval where a series has a sample every 60 s
VARIABLE = re.compile(r"\$(?:\{(?P<braced>[\w.]+)\}|(?P<bare>\w+))")
LABEL_VALUES = re.compile(r"label_values\((?P<series>.*), (?P<label>\w+)\)")


@dataclass(frozen=True, slots=True)
class BoardQuery:
    """One query. place: the panel, variable, annotation or alert it belongs to; text: as it is in the file; defaults: the board's variables as it opens."""

    board: str
    place: str
    ref: str
    store: str
    returns: str
    text: str
    limit: int = 0
    defaults: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_alert(self) -> bool:
        return self.board == ALERTS

    def filled(self, chosen: Mapping[str, str], seconds: float) -> str:
        """The text with every variable replaced: by what is chosen, else by the board's default. seconds: the length of the time range."""
        times = {"__range": f"{math.ceil(seconds)}s", "__rate_interval": RATE_INTERVAL}
        values = {**self.defaults, **chosen, **times}
        return VARIABLE.sub(lambda found: values.get(found["braced"] or found["bare"], found[0]), self.text)


def all_queries(folder: Path) -> list[BoardQuery]:
    """The queries of `dashboards/*.json` and `rules/*.yaml` in this folder."""
    boards = [query for path in sorted(folder.glob("dashboards/*.json")) for query in of_board(json.loads(path.read_bytes()))]
    return boards + [query for path in sorted(folder.glob("rules/*.yaml")) for query in of_rules(yaml.safe_load(path.read_bytes()))]


def of_board(board: Json) -> Iterator[BoardQuery]:
    variables, uid = board["templating"]["list"], board["uid"]
    defaults = {variable["name"]: default_of(variable) for variable in variables if variable["type"] != "datasource"}
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            store, text = target["datasource"]["type"], target.get("expr") or target["query"]
            yield BoardQuery(uid, panel["title"], target["refId"], store, returned(target, store), text, limit_of(target), defaults)
    for variable in variables:
        if variable["type"] == "query":
            yield BoardQuery(uid, f"variable {variable['name']}", "", PROMETHEUS, VALUES, variable["query"]["query"], defaults=defaults)
    for annotation in board["annotations"]["list"]:
        yield BoardQuery(uid, f"annotation {annotation['name']}", "", annotation["datasource"]["type"], RANGE, annotation["expr"], defaults=defaults)


def of_rules(rules: Json) -> Iterator[BoardQuery]:
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        yield BoardQuery(ALERTS if "alert" in rule else RULES, rule.get("alert") or rule["record"], "", PROMETHEUS, INSTANT, rule["expr"])


def default_of(variable: Json) -> str:
    """A variable as the board opens: All, or the text that is typed in."""
    return str(variable.get("allValue") or ALL) if variable.get("includeAll") else str(variable["current"].get("value", ""))


def limit_of(target: Json) -> int:
    return int(target.get("maxLines") or target.get("limit") or 0)


def returned(target: Json, store: str) -> str:
    """What comes back for this target: only LogQL says it by whether there is a legend."""
    if store == TEMPO:
        return SPANS if target["query"].lstrip().startswith("{") else TRACE
    if target.get("instant") or target.get("queryType") == "instant":
        return INSTANT
    return LINES if store == LOKI and not target.get("legendFormat") else RANGE
