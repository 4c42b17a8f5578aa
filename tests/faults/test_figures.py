"""The table of figures: what was measured now replaces what was measured before; the rest stays."""

from __future__ import annotations

from figures import BEGIN, END, PAGE, Figure, read, written

OLD = Figure("R5", "kill | SIGKILL", "376", "0", "tests/a.py::one")
OTHER = Figure("R16b", "many", "–", "3 ms", "tests/b.py::two")
NEW = Figure("R5", "kill | SIGKILL", "376", "1", "tests/a.py::one")


def test_what_was_measured_replaces_what_stood_there() -> None:
    page = written("# Title\n", [OTHER, OLD])
    assert read(page) == [OLD, OTHER]
    assert read(written(page, [NEW])) == [NEW, OTHER]
    assert page.startswith(f"# Title\n\n{BEGIN}\n")
    assert page.endswith(f"\n{END}\n")


def test_a_case_that_its_test_no_longer_names_goes() -> None:
    page = written("# Title\n", [OTHER, OLD])
    renamed = Figure("R5", "kill -9", "376", "0", OLD.test)
    assert read(written(page, [renamed])) == [renamed, OTHER]
    assert written(page, [OLD]) == page


def test_cases_of_a_test_that_did_not_run_this_time_stay() -> None:
    page = written("# Title\n", [OTHER, OLD])
    beside = Figure("R5", "kill -9", "376", "0", OLD.test)
    assert read(written(page, [beside], {OLD.test})) == [beside, OLD, OTHER]


def test_every_row_of_what_must_survive_has_its_figures() -> None:
    rows = {figure.row for figure in read(PAGE.read_text())}
    assert {*(f"R{number}" for number in range(1, 20)), "R16b", "races", "soak"} <= rows
