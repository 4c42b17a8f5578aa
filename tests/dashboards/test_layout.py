"""Boards are readable: no panels overlap, every panel has a title, a description and a unit, and nothing depends on one Grafana."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from rendered_boards import ROOT, dashboards, panels

from otel_agents.dashboards.datasources import IN_CONTAINERS, data_sources
from otel_agents.dashboards.render import BOARDS

Json = dict[str, Any]
UIDS = ["oa-fleet", "oa-agent", "oa-models", "oa-cost", "oa-tools", "oa-memory", "oa-quality", "oa-conversations", "oa-pipeline"]
PANELS = panels()
OF_PROMETHEUS = tuple(f".annotations.list[{number}].{field}" for number in range(2) for field in ("titleFormat", "textFormat", "step"))
STORES = {"prometheus", "loki", "tempo"}
named = pytest.mark.parametrize(("name", "panel"), PANELS, ids=[name for name, _ in PANELS])
boards = pytest.mark.parametrize("board", list(dashboards()), ids=UIDS)


def test_uids_stay() -> None:
    assert [board["uid"] for board in dashboards()] == UIDS


@named
def test_a_panel_says_what_it_is(name: str, panel: Json) -> None:
    assert panel["title"]
    assert panel["description"].rstrip().endswith((".", "?"))
    if panel["type"] != "text":
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["noValue"]


@named
def test_no_wall_of_gauges(name: str, panel: Json) -> None:
    assert panel["type"] in {"text", "stat", "timeseries", "bargauge", "table", "heatmap", "state-timeline", "logs", "traces"}


@named
def test_colour_is_state_or_a_name(name: str, panel: Json) -> None:
    if panel["type"] != "text":
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["color"]["mode"] in {"thresholds", "palette-classic-by-name"}
        assert {step["color"] for step in defaults["thresholds"]["steps"]} <= {"text", "transparent", "orange", "red"}


@boards
def test_panels_lie_side_by_side_on_the_whole_width(board: Json) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    rows = {place["y"]: sum(other["w"] for other in places if other["y"] == place["y"]) for place in places}
    assert set(rows.values()) == {24}
    assert len({panel["id"] for panel in board["panels"]}) == len(places)


@boards
def test_the_first_line_is_the_question_and_the_second_has_few_figures(board: Json) -> None:
    first = board["panels"][0]
    assert (first["type"], first["title"], first["gridPos"]["y"]) == ("text", board["description"], 0)
    assert board["description"].endswith("?")
    assert sum(panel["type"] == "stat" for panel in board["panels"]) <= 6


@boards
def test_data_sources_are_the_readers_choice(board: Json) -> None:
    """Every reference to a data source is a variable, whose default is the uid of ours."""
    stores = {variable["name"]: variable for variable in board["templating"]["list"] if variable["type"] == "datasource"}
    uids = {source["uid"] for source in data_sources(IN_CONTAINERS.urls)["datasources"]}
    for name, variable in stores.items():
        assert (variable["query"], variable["current"]["value"]) == (name, name)
        assert name in uids
    used = set(re.findall(r"'datasource': \{'type': '([^']*)', 'uid': '([^']*)'\}", str(board)))
    assert used == {(name, f"${{{name}}}") for name in stores}


@boards
def test_every_variable_that_is_named_exists(board: Json) -> None:
    known = {variable["name"] for variable in board["templating"]["list"]}
    asked = {key: value for key, value in board.items() if key in ("panels", "annotations", "templating")}
    named = set(re.findall(r"\$\{?([a-z]\w*)", str([panel.get("targets") for panel in asked["panels"]]) + str(asked["templating"]))) - {"__all"}
    assert named <= known
    assert {"env", "service"} <= known


@boards
def test_names_lead_to_boards_that_take_them(board: Json) -> None:
    """A link points to one of our boards and to variables that it has, and keeps the time range."""
    variables = {f"oa-{one.key}": {variable.name for variable in one.variables} for one in BOARDS}
    links = re.findall(r"'url': '/d/([^?]*)\?([^']*)'", str(board["panels"]))
    for uid, query in links:
        assert set(re.findall(r"var-(\w+)=", query)) | set(re.findall(r"\{(\w+):queryparam\}", query)) <= variables[uid]
        assert query.endswith("${__url_time_range}")
    assert board["links"][0]["includeVars"]
    assert board["links"][0]["keepTime"]


def test_boards_that_name_things_lead_on() -> None:
    leads = {board["uid"]: set(re.findall(r"'url': '/d/oa-(\w+)\?", str(board["panels"]))) for board in dashboards()}
    assert leads == {
        "oa-fleet": {"agent", "conversations"},
        "oa-agent": {"agent", "conversations"},
        "oa-models": {"models", "conversations"},
        "oa-cost": {"agent", "models", "conversations"},
        "oa-tools": {"agent", "tools", "conversations"},
        "oa-memory": set(),
        "oa-quality": set(),
        "oa-conversations": {"agent", "conversations"},
        "oa-pipeline": set(),
    }


@boards
def test_grafanas_own_types_take_it(board: Json) -> None:
    """Read into the types of Grafana's foundation SDK and written again, nothing is lost or changed, except fields of Prometheus annotations that it lacks."""
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert [place for place in lost(board, again) if not place.startswith(OF_PROMETHEUS)] == []


def lost(wanted: Any, found: Any, place: str = "") -> list[str]:
    """The paths at which `found` differs from `wanted` or lacks something."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [gone for key, value in wanted.items() for gone in lost(value, found.get(key, "nothing"), f"{place}.{key}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [gone for number, value in enumerate(wanted) for gone in lost(value, found[number], f"{place}[{number}]")]
    return [] if wanted == found else [f"{place}: {wanted!r} became {found!r}"]


def test_provisioned_sources_know_of_each_other() -> None:
    """Every uid that a data source refers to is one of ours, in the committed file as Grafana reads it ($$ is a literal $)."""
    text = (ROOT / "grafana" / "provisioning" / "datasources" / "otel-agents.yaml").read_text()
    assert re.findall(r"(?<!\$)\$(?!\$)", text) == [], "a single $ would be taken for a variable of Grafana's environment"
    sources = yaml.safe_load(text)["datasources"]
    assert {source["uid"] for source in sources} == {*STORES, "alertmanager"}
    assert set(re.findall(r"datasourceUid: (\w+)", text)) <= {source["uid"] for source in sources}
