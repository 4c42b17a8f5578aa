"""Every query of every panel, variable and annotation is executed on real stores while example programs run: no error, not empty, and equal to what was sent.

PromQL always; LogQL and TraceQL where Loki and Tempo are installed, and the tests of their results only there.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import verified
import yaml
from bustle import ENVIRONMENT, SERVICES, SHOPS, bustle, service
from patience import until_it_holds
from sent import samples

from otel_agents.cli.scripted import ANSWERS, QUESTIONS
from otel_agents.dashboards.alerts import ALERTS
from otel_agents.dashboards.datasources import data_sources
from otel_agents.dashboards.promql import REFUSED, UNSENT, placed
from otel_agents.stack import board_check
from otel_agents.stack.board_check import Answered, Reader
from otel_agents.stack.board_queries import VALUES, BoardQuery, all_queries
from otel_agents.stack.choice import choose
from otel_agents.stack.log_lines import SECOND
from otel_agents.stack.native import Native
from otel_agents.stack.servers import LOKI_TEMPO, STORES
from otel_agents.stack.status import standings

pytestmark = pytest.mark.timeout(600)
GRAFANA = Path(__file__).parents[2] / "grafana"
QUERIES = all_queries(GRAFANA)
OF_PANELS = [query for query in QUERIES if query.ref]
ZEROES = "zeroes"
KIND = choose().stores
ARTIFACTS = "OTEL_AGENTS_TEST_ARTIFACTS"  # a folder for the table and the data of the previews
RESTING = {  # panels that show 0 when all is well, which cannot be changed at will
    ("oa-pipeline", "Queue fill"),  # the queue is empty at every scrape
    ("oa-pipeline", "Shipper lag by service"),  # everything has been sent by then
    ("oa-pipeline", "Longest shipper lag"),
}
CHOSEN = dict.fromkeys(("agent", "provider", "model", "tool", "conversation"), ".*")
SEARCHED = "lisbon"
SEEN = (  # what needs a scrape or an evaluation before it can be queried
    f'ALERTS{{alertname="AgentLoops",alertstate="firing",service_name="{service("looper")}"}}',
    f"sum({UNSENT}) > 0",
    f"sum(increase({REFUSED}[10m])) > 0",
    f'ALERTS{{alertname="AgentDied",alertstate="firing",service_name="{service("waiter")}"}}',
)
ALERTS_S = 240  # a Prometheus that has just started writes ALERTS from its third evaluation on: it first restores which alerts fired before
STEP_S = 15.0  # between the points of a line: a run of these tests takes minutes
LEAD_S = 10  # the time range begins before the programs do: without a sample inside it, a series has no increase
SHARE = 0.05  # by how much `increase()` may exceed the count of a program that reported more than once, as the assistant does


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bustle")


@pytest.fixture(scope="module")
def reader(stack: Native, journals: Path) -> Iterator[Reader]:
    """A reader of the boards, after the programs' last metrics have arrived and an alert has fired."""
    with bustle(stack, journals) as began:
        stores = stack.stores()
        services = "|".join(map(service, SERVICES))
        of_shop = f'sum(increase(otel_agents_runs_total{{service_name="{service("shop")}"}}[10m]))'
        until_it_holds(lambda: stores.value(of_shop) == 9 * SHOPS)
        for seen in SEEN:
            until_it_holds(lambda seen=seen: bool(stores.query(seen)), seconds=ALERTS_S)
        until_it_holds(lambda: bool(stores.lines(service("waiter"), attributes={"otel_agents.outcome": "died"}, start=began)))
        [failed_once] = {span["traceId"] for span in stores.spans(service("assistant"), failed=True, start=began, end=time.time() + 1)}
        yield Reader(stores, {**CHOSEN, "env": ENVIRONMENT, "service": services, "trace": failed_once, "search": SEARCHED}, began - LEAD_S, STEP_S)


@pytest.fixture(scope="module")
def asked(reader: Reader) -> list[Answered]:
    return [reader.execute(query) for query in OF_PANELS if reader.can_execute(query)]


def test_every_target_answers(asked: list[Answered], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = "\n".join(f"| {one.query.board} | {one.query.place} | {one.query.ref} | {one.query.store} | {result(one)} |" for one in asked)
    folder = Path(os.environ.get(ARTIFACTS) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "panels.md").write_text(f"| board | panel | target | store | result |\n|---|---|---|---|---|\n{table}\n")
    (folder / "panels.json").write_text(json.dumps(list(map(for_previews, asked))))
    with capsys.disabled():
        print(f"\n{table}\n")
    assert list(filter(is_wrong, asked)) == []
    assert len(asked) == len(spoken_by(KIND)) > 50


def is_wrong(one: Answered) -> bool:
    return result(one) in (board_check.ERROR, board_check.EMPTY) or (result(one) == ZEROES and (one.query.board, one.query.place) not in RESTING)


def for_previews(one: Answered) -> dict[str, Any]:
    return {"board": one.query.board, "panel": one.query.place, "ref": one.query.ref, "rows": one.rows}


def result(one: Answered) -> str:
    if one.state != board_check.RESULTS:
        return one.state
    return f"{len(one.rows)} rows, {len(one.values)} values" if any(one.values) else ZEROES


def test_every_variable_offers_what_ran(reader: Reader) -> None:
    offered: dict[str, set[str]] = {}
    for query in QUERIES:
        if query.returns == VALUES:
            offered.setdefault(query.place.removeprefix("variable "), set()).update(value for labels, _ in answer(reader, query) for value in labels.values())
    assert offered["service"] == set(map(service, SERVICES)) - {service("chatter")}  # it has no agent and asks no model
    assert ENVIRONMENT in offered["env"]
    assert offered["agent"] == {"seller", "auditor", "looper", "waiter", "agent-0", "_other", "travel_assistant"}
    assert offered["provider"] == {"openai", "house"}
    assert offered["model"] == {"gpt-4o-mini", "house-7b"}
    assert offered["tool"] == {"price", "stock", "poll", "weather", "trains"}


def test_every_annotation_marks_what_happened(reader: Reader) -> None:
    firing, deaths = ([query for query in QUERIES if query.place == f"annotation {name}"] for name in ("Alerts", "Died"))
    assert len(firing) == len(deaths) == len({query.board for query in OF_PANELS})
    for query in firing:
        until_it_holds(lambda query=query: {"AgentLoops", "AgentDied"} <= {labels["alertname"] for labels, _ in answer(reader, query)})
        assert {labels["severity"] for labels, _ in answer(reader, query)} <= {"page", "ticket"}
    for query in deaths:
        assert {labels["gen_ai_agent_name"] for labels, _ in answer(reader, query)} == {"waiter"}


def answer(reader: Reader, query: BoardQuery) -> list[tuple[Mapping[str, str], list[tuple[float, float]]]]:
    answered = reader.execute(query)
    assert not answered.error, query
    return answered.rows


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.key)
def test_every_alert_measures_something(reader: Reader, alert: Any) -> None:
    """Its expression is accepted, and there is data for the value that it compares; silence and a week's cost need hours of history."""
    reader.stores.query(alert.expression({}))
    if alert.key == "agent_silent":
        assert reader.stores.query(placed(alert.value).replace(" offset 1h", ""))
    else:
        until_it_holds(lambda: bool(reader.stores.query(placed(alert.value))), seconds=90)


# ------------------------------------------------------------------------------------------------ what was sent

AGENT, TOOL, MODEL, PROVIDER, ERROR = "gen_ai_agent_name", "gen_ai_tool_name", "gen_ai_request_model", "gen_ai_provider_name", "error_type"
EVALUATION, VERDICT = "gen_ai_evaluation_name", "gen_ai_evaluation_score_label"
OUTCOME, STORE, CONVERSATION = "otel_agents_outcome", "otel_agents_memory_store", "gen_ai_conversation_id"
SALE_USD = (600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1e6  # by the price of gpt-4o-mini for fresh, cached and output tokens
NONE = dict.fromkeys(("looper", "agent-0", "_other", "travel_assistant"), 0.0)
SENT: Mapping[tuple[str, str, str], tuple[tuple[str, ...], Mapping[str, float]]] = {
    ("fleet", "Agents", "A"): (
        (AGENT,),
        {"seller": 6 * SHOPS, "auditor": 3 * SHOPS, "looper": 1, "waiter": 2, "agent-0": 1, "_other": 2, "travel_assistant": 2},
    ),
    ("fleet", "Agents", "B"): ((AGENT,), {"seller": 1 / 3, "auditor": 1 / 3, "waiter": 1 / 2, **NONE}),
    ("fleet", "Agents", "C"): ((AGENT,), {"waiter": 1}),
    ("fleet", "Why runs fail", "A"): ((AGENT, ERROR), {"seller LookupError": 2 * SHOPS, "auditor TimeoutError": SHOPS}),
    ("fleet", "Running now", "A"): ((), {"": 2}),  # the one whose process was killed stays for Prometheus' five minutes
    ("agent", "Outcomes", "A"): ((OUTCOME,), {"ok": 6 * SHOPS + 7, "error": 3 * SHOPS, "died": 1}),
    ("agent", "Died", "A"): ((), {"": 1}),
    ("agent", "Loops", "A"): ((), {"": 1}),
    ("models", "Models", "A"): ((PROVIDER, MODEL), {"openai gpt-4o-mini": 4 * SHOPS + 12 + 5, "house house-7b": 3 * SHOPS}),
    ("models", "Models", "B"): ((PROVIDER, MODEL), {"openai gpt-4o-mini": 0, "house house-7b": 1 / 3}),
    ("models", "Asked for, answered by", "A"): (
        (MODEL, "gen_ai_response_model"),
        {"gpt-4o-mini gpt-4o-mini-2024-07-18": 4 * SHOPS, "gpt-4o-mini ": 12, "gpt-4o-mini gpt-4o-mini": 5, "house-7b ": 2 * SHOPS},
    ),
    ("models", "Finish reasons", "A"): (
        ("reason",),
        {"stop": 4 * SHOPS + 2, "length": 2 * SHOPS, "error": SHOPS, "tool_call": 3},
    ),
    ("cost", "Without a price", "A"): ((MODEL,), {"house-7b": 2 * SHOPS}),
    ("tools", "Tools", "A"): ((TOOL,), {"price": 4 * SHOPS, "stock": 6 * SHOPS, "poll": 12, "weather": 2, "trains": 1}),
    ("tools", "Tools", "B"): ((TOOL,), {"price": 0, "stock": 1 / 3, "poll": 0, "weather": 1 / 2, "trains": 0}),
    ("tools", "Why calls fail", "A"): ((TOOL, ERROR), {"stock LookupError": 2 * SHOPS, "weather TimeoutError": 1}),
    ("tools", "Over 10 calls in a trace", "A"): ((TOOL,), {"poll": 12}),
    ("memory", "Searches", "A"): ((), {"": 6 * SHOPS + 2}),
    ("memory", "Found", "A"): ((), {"": (4 * SHOPS + 2) / (6 * SHOPS + 2)}),
    ("quality", "Judged", "A"): ((), {"": 8 * SHOPS}),
    ("quality", "Passed", "A"): ((), {"": 3 / 4}),
    ("quality", "Verdicts", "A"): (
        (EVALUATION, VERDICT),
        {"polite pass": 2 * SHOPS, "polite fail": 2 * SHOPS, "short pass": 4 * SHOPS},
    ),
    ("quality", "Mean score", "A"): ((EVALUATION,), {"polite": 0.6, "short": 1}),
    ("quality", "Passed, by the hour", "A"): ((EVALUATION,), {"polite": 1 / 2, "short": 1}),
    ("quality", "Mean score, by the hour", "A"): ((EVALUATION,), {"polite": 0.6, "short": 1}),
    ("pipeline", "Behind _other", "A"): ((), {"": 2 / (9 * SHOPS + 8)}),
}
ADDED_UP = {  # panel → the series whose sum, over all journals, it shows
    ("fleet", "Runs", "A"): "otel_agents_runs_total",
    ("fleet", "Cost", "A"): "otel_agents_cost_USD_total",
    ("cost", "Input tokens", "A"): "gen_ai_client_inference_usage_input_tokens_total",
    ("cost", "Output tokens", "A"): "gen_ai_client_inference_usage_output_tokens_total",
    ("models", "Calls", "A"): "gen_ai_client_inference_duration_seconds_count",
    ("tools", "Calls", "A"): "gen_ai_execute_tool_duration_seconds_count",
    ("fleet", "Telemetry lost", "A"): "otel_agents_telemetry_dropped_total",
}


def places(kind: str) -> set[tuple[str, str, str]]:
    """Every panel query that a stack with these stores can execute."""
    return {(query.board.removeprefix("oa-"), query.place, query.ref) for query in spoken_by(kind)}


def spoken_by(kind: str) -> list[BoardQuery]:
    """The panels' queries in the languages of these stores."""
    spoken = {"prometheus", *(server.name for server in STORES[kind])}
    return [query for query in OF_PANELS if query.store in spoken]


ASKED = places(KIND)


def test_every_figure_that_is_compared_is_a_target_of_a_board() -> None:
    assert SENT.keys() | ADDED_UP.keys() <= places(LOKI_TEMPO)


@pytest.mark.parametrize("place", [place for place in SENT if place in ASKED], ids=" · ".join)
def test_figures_are_what_was_sent(asked: list[Answered], place: tuple[str, str, str]) -> None:
    labels, expected = SENT[place]
    found = figures(asked, *place, *labels)
    whole = {name: figure for name, figure in expected.items() if float(figure).is_integer()}
    assert {name: round(found.pop(name)) for name in whole} == whole
    assert found == pytest.approx({name: figure for name, figure in expected.items() if name not in whole}, rel=SHARE)


@pytest.mark.parametrize("place", [place for place in ADDED_UP if place in ASKED], ids=" · ".join)
def test_sums_are_those_of_the_journals(asked: list[Answered], journals: Path, place: tuple[str, str, str]) -> None:
    series = ADDED_UP[place]
    written = sum(value for folder in journals.rglob("*") if folder.name in SERVICES or folder.name.startswith("shop-") for value in values(folder, series))
    assert written > 0
    assert figures(asked, *place) == pytest.approx({"": written}, rel=SHARE)


@pytest.mark.parametrize("panel", ["Refused by the log store", "Not sent by the Collector"])
def test_what_a_store_refuses_is_counted(asked: list[Answered], panel: str) -> None:
    """One line was too long and one too old; other tests on this stack send more of them."""
    assert figures(asked, "pipeline", panel, "A")[""] >= 1


if KIND == LOKI_TEMPO:  # the contents of log lines and spans

    def test_conversations_cost_what_their_calls_cost(asked: list[Answered]) -> None:
        found = figures(asked, "cost", "Dearest conversations", "A", CONVERSATION)
        assert found.pop("journey-1") > 0
        assert found == pytest.approx({"order-1": 2 * SHOPS * SALE_USD, "order-2": 2 * SHOPS * SALE_USD}, rel=1e-6)

    def test_what_was_said_stands_beside_its_trace(asked: list[Answered]) -> None:
        """The run in which a tool failed, was asked again, and the model answered."""
        asks, again, answers = (row["line"].split("\n", 1) for row in rows(asked, "conversations", "Said"))
        assert [head.rpartition(" · ")[0] for head, _ in (asks, again, answers)] == ["travel_assistant · gpt-4o-mini"] * 3
        assert asks[1].startswith(f"◂ {QUESTIONS[0]}\n")
        assert asks[1].endswith('▸ weather {"city":"Lisbon"}')
        assert again[1] == '◂ failed: the weather service did not answer within 0.15 s\n▸ weather {"city":"Lisbon"}'
        assert answers[1].startswith('◂ {"sky": "sunny, windy evenings"')
        assert answers[1].strip().endswith(f"▸ {ANSWERS[0]}")

    def test_tools_and_log_lines_of_the_trace(asked: list[Answered]) -> None:
        assert {row["line"] for row in rows(asked, "conversations", "Tools")} == {
            'weather {"city":"Lisbon"} ✗ TimeoutError',
            'weather {"city":"Lisbon"} → {"high_c":21,"low_c":12,"sky":"sunny, windy evenings"}',
        }
        assert [row["line"] for row in rows(asked, "conversations", "Log lines")] == ["weather failed: the weather service did not answer within 0.15 s"]
        names = [row["name"] for row in rows(asked, "conversations", "Trace")]
        assert sorted(names) == ["chat gpt-4o-mini"] * 3 + ["execute_tool weather"] * 2 + ["invoke_agent travel_assistant", "search_memory", "upsert_memory"]

    def test_what_is_searched_for_is_found(asked: list[Answered]) -> None:
        found = rows(asked, "conversations", "Found")
        assert {row["service_name"] for row in found} == {service("assistant")}
        assert len(found) == 5

    def test_answers_that_failed_say_why(asked: list[Answered]) -> None:
        assert [row["line"] for row in rows(asked, "quality", "Failed answers")] == ["polite 0.3: it says an offer for order-2"] * 2 * SHOPS

    def test_the_run_that_goes_on_and_the_one_that_died(asked: list[Answered]) -> None:
        assert [row["gen_ai_agent_name"] for row in rows(asked, "fleet", "Began and did not end")] == ["waiter"]
        assert [row["line"] for row in rows(asked, "fleet", "Died")] == ["waiter died"]

    def test_lists_of_spans_show_what_went_wrong(asked: list[Answered]) -> None:
        assert {row["error.type"] for row in rows(asked, "fleet", "Failures")} == {"LookupError", "TimeoutError"}
        assert {row["gen_ai.request.model"] for row in rows(asked, "models", "Failed calls")} == {"house-7b"}
        assert {row["gen_ai.tool.name"] for row in rows(asked, "tools", "Failed calls")} == {"stock", "weather"}
        assert {row["gen_ai.agent.name"] for row in rows(asked, "agent", "Long runs")} == {"waiter"}

    def test_the_executed_queries_are_on_record(reader: Reader, stack: Native, pytestconfig: pytest.Config) -> None:
        """grafana/verified.json has every query to Loki and Tempo; `pytest tests/stack/test_panels.py --verify-queries` writes it."""
        chosen = {**reader.chosen, "__trace.traceId": reader.chosen["trace"].lstrip("0")}
        answered = [replace(reader, chosen=chosen).execute(query) for query in verified.queries()]
        assert [one for one in answered if one.state != board_check.RESULTS] == []
        if pytestconfig.getoption("verify_queries", False):
            versions = {one.name: one.version for one in standings(stack.servers(), stack.record().ports, reader.stores)}
            verified.write([one.query for one in answered], versions, f"{datetime.now(UTC):%Y-%m-%d}")
        executed = verified.load()
        assert [query for query in verified.queries() if not verified.is_executed(query, executed)] == []


def test_quantiles_lead_to_traces(reader: Reader) -> None:
    """Every query with exemplars gets some, and the trace of one exists."""
    boards = [json.loads(path.read_text()) for path in GRAFANA.glob("dashboards/*.json")]
    with_exemplars = {target["expr"] for board in boards for panel in board["panels"] for target in panel.get("targets", []) if target.get("exemplar")}
    assert with_exemplars
    for query in (query for query in OF_PANELS if query.text in with_exemplars):
        found = reader.stores.exemplars(query.filled(reader.chosen, 600), reader.since, time.time())
        assert found, query
        assert reader.stores.trace(found[0]["exemplars"][0]["labels"]["trace_id"])


def rows(asked: list[Answered], board: str, panel: str) -> list[Mapping[str, str]]:
    [found] = [one for one in asked if (one.query.board, one.query.place) == (f"oa-{board}", panel)]
    return [row for row, _ in found.rows]


def figures(asked: list[Answered], board: str, panel: str, ref: str, *labels: str) -> dict[str, float]:
    """The last value of each row of a query, by labels."""
    [found] = [one for one in asked if (one.query.board, one.query.place, one.query.ref) == (f"oa-{board}", panel, ref)]
    return {" ".join(row.get(label, "") for label in labels): points[-1][1] for row, points in found.rows}


def values(journal: Path, series: str) -> list[float]:
    return [value for _, value in samples(journal).get(series, [])]


# ------------------------------------------------------------------------------------------------ from store to store


def provisioned() -> dict[str, Any]:
    """The data sources' settings as Grafana reads the file, by uid: `$$` is its `$`."""
    uids = ("prometheus", "loki", "tempo") if KIND == LOKI_TEMPO else ("prometheus", "jaeger")
    text = yaml.safe_dump(data_sources({uid: f"http://{uid}" for uid in uids})).replace("$$", "$")
    return {source["uid"]: source["jsonData"] for source in yaml.safe_load(text)["datasources"]}


def test_the_provisioned_links_lead_from_store_to_store(reader: Reader) -> None:
    """Exemplar → trace → its lines → its agent's metrics, by the very queries and names that Grafana is given."""
    sources, stores, now = provisioned(), reader.stores, time.time()
    [destination] = sources["prometheus"]["exemplarTraceIdDestinations"]
    assert destination["datasourceUid"] == stores.traces.name
    [found, *_] = stores.exemplars(f'gen_ai_invoke_agent_duration_seconds_bucket{{service_name="{service("assistant")}"}}', reader.since, now)
    trace_id = found["exemplars"][0]["labels"][destination["name"]]
    root = next(span for span in stores.trace(trace_id) if span["name"].startswith("invoke_agent"))
    assert {line.labels["trace_id"] for line in stores.lines(trace_id=trace_id, start=reader.since)} == {trace_id}

    to_metrics = sources[stores.traces.name]["tracesToMetrics"]
    has = {one["key"]: one["value"].get("stringValue") for one in [*root["attributes"], *root["resource"]]}
    tags = ",".join(f'{tag["value"]}="{has[tag["key"]]}"' for tag in to_metrics["tags"])
    for query in to_metrics["queries"]:
        assert stores.query(query["query"].replace("$__tags", tags)), query


if KIND == LOKI_TEMPO:

    def test_the_links_of_tempo_and_loki_lead_from_store_to_store(reader: Reader) -> None:
        sources, stores = provisioned(), reader.stores
        trace_id = reader.chosen["trace"]
        start, end = int(reader.since * SECOND), time.time_ns()
        lines = stores.logs.query(sources["tempo"]["tracesToLogsV2"]["query"].replace("${__trace.traceId}", trace_id.lstrip("0")), start, end)
        [field] = sources["loki"]["derivedFields"]
        assert {line.labels[field["matcherRegex"]] for line in lines} == {trace_id}
        assert sources["tempo"]["serviceMap"] == {"datasourceUid": "prometheus"}
        until_it_holds(lambda: stores.value(f'sum(traces_service_graph_request_total{{client="{service("shop")}",server="house"}})') == 3 * SHOPS)
