"""Lone surrogates are repaired as Python's own UTF-16 decoder repairs them; other text stays the same object."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from otel_agents.redaction.surrogates import well_formed

PIECES = ["a", "?", "\ud83d", "\ude00", "\ud800", "\udfff", "é", "😀", "\ufffd"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_lone_surrogates_become_the_replacement_character_and_split_pairs_are_joined(text: str) -> None:
    assert well_formed(text) == text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@given(st.text())
def test_text_without_lone_surrogates_is_not_copied(text: str) -> None:
    assert well_formed(text) is text


def test_a_noncharacter_stays_where_nothing_is_repaired() -> None:
    assert well_formed("\uffff") == "\uffff"
