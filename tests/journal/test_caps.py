"""The folder stays within its bytes and its age; what that costs is counted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from rig import Rig

from otel_agents.journal.caps import OFFSETS_FILE, UNFINISHED_FILE
from otel_agents.journal.tally import Offsets

MakeRig = Callable[..., Rig]
LOCAL = {"url": None, "destination": "local", "cap_bytes": 16_000}


def left(root: Path, name: str, *, lines: int = 10, length: int = 100, age_s: float = 10.0, destination: str = "local") -> Path:
    path = root / destination / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((b"x" * (length - 1) + b"\n") * lines)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*.jsonl"))


def test_sent_segments_go_first_then_the_oldest(rig: MakeRig) -> None:
    one = rig(**LOCAL)
    for number in range(20):
        left(one.journal.root, f"traces-{number}-a-b-1.jsonl", age_s=100 - number)
    left(one.journal.root, "logs-9-a-b-1.sent.jsonl", age_s=1)
    one.shipper._caps.enforce()
    assert names(one.journal.root) == sorted(f"traces-{number}-a-b-1.jsonl" for number in range(7, 20))
    assert one.dropped == {("traces", "cap"): 70}


def test_all_destinations_share_the_cap(rig: MakeRig) -> None:
    one = rig(**LOCAL)
    left(one.journal.root, "traces-1-a-b-1.jsonl", lines=100, age_s=2, destination="d1")
    left(one.journal.root, "traces-2-a-b-1.jsonl", lines=100, age_s=1)
    one.shipper._caps.enforce()
    assert names(one.journal.root) == ["traces-2-a-b-1.jsonl"]


def test_only_what_was_not_acknowledged_counts_as_dropped(rig: MakeRig) -> None:
    one = rig(**LOCAL)
    path = left(one.journal.root, "logs-1-a-b-1.jsonl", lines=200)
    offsets = Offsets(path.with_name("1-a-b.offsets.json"))
    offsets.sent[path.name] = 150 * 100
    offsets.save()
    one.shipper._caps.enforce()
    assert one.dropped == {("logs", "cap"): 50}


def test_what_is_too_old_goes(rig: MakeRig) -> None:
    one = rig(url=None, destination="local", max_age_s=7 * 86400.0)
    left(one.journal.root, "traces-1-a-b-1.jsonl", age_s=8 * 86400.0)
    left(one.journal.root, "traces-2-a-b-1.jsonl", age_s=6 * 86400.0)
    left(one.journal.root, "traces-3-a-b-1.sent.jsonl", age_s=2 * 86400.0)
    one.shipper._caps.enforce()
    assert names(one.journal.root) == ["traces-2-a-b-1.jsonl"]
    assert one.dropped == {("traces", "age"): 10}


def test_a_living_writers_file_is_never_removed(rig: MakeRig) -> None:
    living, one = rig(**LOCAL), rig(**LOCAL)
    living.journal.append("traces", b"x" * 50_000 + b"\n")
    one.shipper._caps.enforce()
    living.shipper._caps.enforce()
    assert len(names(one.journal.root)) == 1
    assert one.dropped == {}


def test_several_processes_at_once_stay_under_one_cap(rig: MakeRig) -> None:
    """Each of them only drops what is its own or nobody's, and still the sum is kept."""
    several = [rig(url="http://127.0.0.1:9", destination="d0", cap_bytes=160_000) for _ in range(3)]
    written = 0
    for _ in range(60):
        for one in several:
            for _ in range(4):
                one.journal.append("traces", b"y" * 999 + b"\n")
                written += 1
            if one.shipper._caps.is_due():
                one.shipper._caps.enforce()
        assert sum(path.stat().st_size for path in one.journal.root.rglob("*.jsonl")) <= 160_000
    kept = sum(path.read_bytes().count(b"\n") for path in one.journal.root.rglob("*.jsonl"))
    assert written - kept == sum(count for one in several for count in one.dropped.values())


def test_a_local_journal_keeps_itself_under_its_cap(rig: MakeRig) -> None:
    one = rig(url=None, destination="local", cap_bytes=160_000)
    for number in range(500):
        one.span(f"{number:03}", {"text": "x" * 1_000})
        if number % 20 == 0:
            one.shipper.run_once()
        assert sum(path.stat().st_size for path in one.journal.root.rglob("*.jsonl")) <= 160_000
    kept = sum(path.read_bytes().count(b"\n") for path in one.journal.root.rglob("*.jsonl"))
    assert kept > 60
    assert one.dropped == {("traces", "cap"): 500 - kept}


def test_it_is_time_after_a_rotation_and_now_and_then(rig: MakeRig) -> None:
    one = rig(**LOCAL)
    assert not one.shipper._caps.is_due()
    one.span("a")
    assert one.shipper._caps.is_due()
    one.shipper.run_once()
    assert not one.shipper._caps.is_due()
    for _ in range(20):
        one.span("b", {"text": "x" * 1000})
    assert one.shipper._caps.is_due()
    one.shipper.run_once()
    os.utime(one.journal.root / "caps.stamp", (time.time() - 3600,) * 2)
    assert one.shipper._caps.is_due()


def test_leftovers_of_a_death_in_the_middle_go(rig: MakeRig) -> None:
    one = rig(**LOCAL)
    unfinished = left(one.journal.root, "traces-1-a-b-1.jsonl.tmp", age_s=7200)
    fresh = left(one.journal.root, "traces-2-a-b-1.jsonl.tmp", age_s=5)
    offsets = left(one.journal.root, "1-a-b.offsets.json", age_s=30 * 86400.0)
    one.shipper._caps.enforce()
    assert not unfinished.exists()
    assert not offsets.exists()
    assert fresh.exists()


def test_names_beside_segments_are_recognised_exactly() -> None:
    assert OFFSETS_FILE.fullmatch("12-18a-9f.offsets.json")
    assert not OFFSETS_FILE.fullmatch("my.offsets.json")
    assert UNFINISHED_FILE.fullmatch("12-18a-9f.offsets.json.12.tmp")
    assert UNFINISHED_FILE.fullmatch("traces-12-18a-9f-3.jsonl.tmp")
    assert not UNFINISHED_FILE.fullmatch("traces.tmp")
