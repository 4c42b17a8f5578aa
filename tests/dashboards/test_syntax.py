"""Every query is accepted by parsers of its language: PromQL by two, LogQL and TraceQL by Grafana's own grammars. tests/stack executes them on the servers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import grammar
import promql_parser
import pytest
import yaml
from grammar import LOGQL, TRACEQL
from rendered_boards import asked

from otel_agents.dashboards.render import BOARDS
from otel_agents.stack.board_queries import LABEL_VALUES, LOKI, PROMETHEUS, TEMPO, TRACE, VALUES, BoardQuery

OF_PROMETHEUS, OF_LOKI, OF_TEMPO = (asked(store) for store in (PROMETHEUS, LOKI, TEMPO))
SIX_HOURS = 6 * 3600.0
CHOSEN = {"service": "shop|assistant", "agent": ".*", "trace": "4bf92f3577b34da6", "search": "what it (really) said"}
WRONG = {
    LOGQL: (
        '{service_name="shop"',
        "{}",
        "{service_name=shop}",
        '{service_name="shop"} | jsn',
        '{service_name="shop"} |= ',
        '{service_name="shop"} | json a="b" | drop',
        '{service_name="shop"} | line_format {{.a}}',
        'sum by (agent (count_over_time({service_name="shop"}[5m]))',
        'count_over_time({service_name="shop"})',
        'count_over_time({service_name="shop"}[$__range])',
        'sum(rate({service_name="shop"}[5m])) /',
        "$trace",
    ),
    TRACEQL: (
        '{ resource.service.name = "shop"',
        "{ span.a = }",
        '{ span.a = "b" && }',
        '{ span.a == "b" }',
        '{ spann.a = "b" }',
        "{ kind = customer }",
        "{ status = broken }",
        "{ duration > 10q }",
        '{ span.a = "b" } | selct(span.a)',
        '{ span.a = "b" } | select(',
        "$trace",
    ),
}


def filled(query: BoardQuery) -> str:
    """As a store is asked; of a variable's query, the series that it takes a label of."""
    found = LABEL_VALUES.fullmatch(query.text) if query.returns == VALUES else None
    assert found or query.returns != VALUES
    text = query.filled(CHOSEN, SIX_HOURS)
    return text.removeprefix("label_values(").rpartition(", ")[0] if found else text


def test_every_board_asks() -> None:
    assert {query.board for query in OF_PROMETHEUS.values()} == {"alerts", "recording rules", "links", *(f"oa-{board.key}" for board in BOARDS)}
    assert {query.board for query in OF_LOKI.values()} == {"links", *(f"oa-{key}" for key in ("conversations", "cost", "fleet", "models", "quality", "tools"))}
    assert {query.board for query in OF_TEMPO.values()} == {f"oa-{key}" for key in ("agent", "conversations", "fleet", "models", "tools")}


@pytest.mark.parametrize("name", OF_PROMETHEUS)
def test_promql_parses(name: str) -> None:
    assert promql_parser.parse(filled(OF_PROMETHEUS[name])).prettify()


@pytest.mark.parametrize("wrong", ["sum by (a (b)", "increase(a[$__range])", "a{b=c}", "label_values(a, b)", "rate(a[5m]"])
def test_wrong_promql_does_not(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        promql_parser.parse(wrong)


def test_prometheus_own_parser_accepts_them_all(promtool: Path, tmp_path: Path) -> None:
    """As the expressions of recording rules, because promtool reads those without a server."""
    expressions = list(map(filled, OF_PROMETHEUS.values()))
    assert checked(promtool, tmp_path, expressions) == (0, len(expressions))
    assert checked(promtool, tmp_path, [*expressions, "sum by (a (b)"])[0] != 0


def checked(promtool: Path, folder: Path, expressions: list[str]) -> tuple[int, int]:
    """promtool's exit status and the number of rules that it found."""
    rules = [{"record": f"query:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([str(promtool), "check", "rules", "--lint=none", str(folder / "rules.yaml")], capture_output=True, text=True, check=False)
    return done.returncode, int((re.findall(r"(\d+) rules found", done.stdout) or [0])[0])


def test_logql_and_traceql_parse() -> None:
    traced = {name: query for name, query in OF_TEMPO.items() if query.returns != TRACE}
    asked = {name: (LOGQL, filled(query)) for name, query in OF_LOKI.items()} | {name: (TRACEQL, filled(query)) for name, query in traced.items()}
    found = dict(zip(asked, grammar.errors(asked.values()), strict=True))
    assert {name: (asked[name][1], places) for name, places in found.items() if places} == {}
    assert len(asked) == len(OF_LOKI) + len(OF_TEMPO) - 1  # the panel Trace asks for a trace by its id


@pytest.mark.parametrize("language", WRONG)
def test_wrong_logql_and_traceql_do_not(language: str) -> None:
    found = grammar.errors((language, query) for query in WRONG[language])
    assert [query for query, places in zip(WRONG[language], found, strict=True) if not places] == []


def test_what_loses_one_character_does_not_parse() -> None:
    """Each query of the boards without its last character, and without its first brace."""
    queries = [(LOGQL, filled(query)) for query in OF_LOKI.values()] + [(TRACEQL, filled(query)) for query in OF_TEMPO.values() if query.returns != TRACE]
    broken = [(language, less) for language, text in queries for less in (text[:-1], text.replace("{", "", 1))]
    assert [text for (_, text), places in zip(broken, grammar.errors(broken), strict=True) if not places] == []
