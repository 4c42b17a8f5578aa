"""Each load does on both sides what it says, and every row of the table can be made; how fast it is, is no matter of a test run beside others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from measure import run
from sink import Sink, sink
from table import ROWS, Bench, Row, main


@pytest.fixture(scope="module")
def taking() -> Iterator[Sink]:
    with sink() as ready:
        yield ready


def test_both_sides_of_a_turn_tell_the_same(taking: Sink) -> None:
    told = {}
    for side in ("ours", "plain", "full"):
        run("turns", side, taking.url, count=5, pause=0.0)
        told[side] = taking.counts()
    assert [told[side]["traces"] for side in told] == [25 * 7] * 3
    assert [told[side]["logs"] for side in told] == [25 * 8, 25 * 7, 25 * 8]
    assert told["ours"]["attributes"] == told["plain"]["attributes"] == told["full"]["attributes"]


def test_flat_out_everything_of_ours_arrives(taking: Sink) -> None:
    run("flat out", "ours", taking.url, count=3000)
    assert taking.counts()["traces"] == 3000


def test_what_is_sampled_out_is_sent_by_neither(taking: Sink) -> None:
    for side in ("ours", "plain"):
        run("sampled out", side, taking.url, {"OTEL_TRACES_SAMPLER": "always_off"}, count=10, metrics=True)
        assert taking.counts()["traces"] == 0


@pytest.mark.parametrize("name", [name for name in ROWS if name != "sampled"])
def test_every_row_can_be_made(name: str, taking: Sink) -> None:
    rows = list(ROWS[name](Bench(taking, rounds=1, scale=0.02)))
    assert rows
    assert all(row.line() for row in rows)


def test_the_import_is_light(taking: Sink) -> None:
    first, _verbs = ROWS["import"](Bench(taking, rounds=1))
    assert first.detail == "brings nothing heavy"


def test_a_missed_bar_is_said_and_is_the_exit_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"met": Row("met", 0.5, 0.5, 0.4, ""), "missed": Row("missed", 0.5, 1.0, None, "", at_least=True)}
    monkeypatch.setattr("table.ROWS", {name: lambda bench, row=row: iter([row]) for name, row in rows.items()})
    assert main(["met"]) == 0
    assert main(["missed"]) == 1
    assert "MISSED" in capsys.readouterr().out
