"""Numbers as people read them."""

from __future__ import annotations

import argparse
import time

import pytest

from otel_agents.analysis.traces import Totals
from otel_agents.cli import journal_options, screen

SECOND = 10**9


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (0, "0.0 ms"), (400_000, "0.4 ms"), (9_940_000, "9.9 ms"), (9_960_000, "10 ms"), (840_000_000, "840 ms"),
        (999_600_000, "1.00 s"), (2_314_000_000, "2.31 s"),
        (9_996_000_000, "10.0 s"), (59_996_000_000, "1 m 00 s"), (64 * SECOND, "1 m 04 s"), (7380 * SECOND, "2 h 03 m"), (-5, "0.0 ms"),
    ],
)  # fmt: skip
def test_durations(nanoseconds: int, expected: str) -> None:
    assert screen.duration(nanoseconds) == expected


@pytest.mark.parametrize(
    ("dollars", "expected"),
    [
        (None, ""), (0, "$0"), (12, "$12.00"), (1234.5, "$1,234.50"), (0.999, "$1.00"), (0.42, "$0.42"), (0.0123, "$0.012"), (0.000084, "$0.000084"),
        (0.00009996, "$0.00010"), (0.994, "$0.99"),
    ],
)  # fmt: skip
def test_money(dollars: float | None, expected: str) -> None:
    assert screen.money(dollars) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, "0"), (9_999, "9,999"), (10_000, "10.0k"), (999_949, "999.9k"), (999_950, "1.0M"), (4_100_000, "4.1M")])
def test_counts(number: int, expected: str) -> None:
    assert screen.count(number) == expected


def test_tokens_of_which_one_kind_is_unknown() -> None:
    assert screen.tokens(Totals({"input_tokens": 1204})) == "1,204 → ?"
    assert screen.tokens(Totals()) == ""


@pytest.mark.parametrize(("number", "expected"), [(999, "999 B"), (1500, "1.5 kB"), (123_000, "123 kB"), (3_400_000, "3.4 MB"), (2_000_000_000, "2.0 GB")])
def test_sizes(number: int, expected: str) -> None:
    assert screen.size(number) == expected


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert screen.one_line("a\x1b[31mred\x1b[0m\r\nb\tc") == "a [31mred [0m b c"


def test_moments() -> None:
    assert abs(journal_options.moment("90s") - (time.time_ns() - 90 * SECOND)) < SECOND
    assert abs(journal_options.moment("2h") - (time.time_ns() - 7200 * SECOND)) < SECOND
    assert journal_options.moment("2026-09-21T12:00:00+00:00") == 1_789_992_000 * SECOND


@pytest.mark.parametrize("text", ["soon", "5y", "", "12"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        journal_options.moment(text)
