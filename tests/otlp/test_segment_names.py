"""Names of segments: built and parsed by the same module."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_agents.journal.files import new_owner
from otel_agents.otlp.segment_names import SEGMENT, as_sent, owner_of, segment_name, stem
from otel_agents.otlp.signals import SIGNALS


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_name_that_was_built_is_parsed(signal: str) -> None:
    owner = new_owner()
    path = Path("folder", segment_name(signal, owner, 7))
    for name, sent in ((path, None), (as_sent(path), ".sent")):
        parts = SEGMENT.fullmatch(name.name)
        assert parts is not None
        assert parts.groupdict() == {"signal": signal, "owner": owner, "number": "7", "sent": sent}
        assert (owner_of(name), stem(name)) == (owner, f"{signal}-{owner}-7")


@pytest.mark.parametrize(
    "name",
    ["traces-1.jsonl", "traces-a-b-c-1.jsonl", "traces-1-2-3.jsonl", "profiles-1-2-3-4.jsonl", "traces-1-2-3-4.json", "traces-1-2-3-4.jsonl.tmp"],
)
def test_what_is_not_ours_is_not_a_segment(name: str) -> None:
    assert SEGMENT.fullmatch(name) is None
    assert owner_of(Path(name)) == ""
