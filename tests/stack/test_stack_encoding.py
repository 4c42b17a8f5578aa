"""The second oracle of the encoder: what a real Collector reads out of our lines, in files and over each protocol, is what they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import generated
import hostile_items
import pytest
from collectors import running
from figures import Figure_
from hostile_places import COLOURS, DEEDS, call
from hostile_values import TABLE
from hypothesis import strategies as st
from official import meanings, parsed
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from otlp_server import REQUESTS
from patience import until_it_holds
from rig import Rig

import otel_agents as oa
from otel_agents import semconv
from otel_agents.journal.encode import Lines
from otel_agents.stack import ports
from otel_agents.testing import capture

pytestmark = [pytest.mark.timeout(900), pytest.mark.meant_beside_conventions("")]  # hostile values stand where the conventions want texts and numbers
ORACLE = str(Path(__file__).parent / "oracle.yaml")
SIGNALS = ("traces", "logs", "metrics")
VERBS = (oa.agent, oa.workflow, oa.step, oa.tool, oa.llm, oa.embedding, oa.retriever, oa.memory, oa.plan, oa.evaluator, oa.guardrail)
DRAWN, WILD = 300, 200
LINES = Lines(lambda text, name="": text)
ENCODE: dict[str, Callable[[Any], list[bytes]]] = {
    "traces": lambda span: [LINES.span(span)],
    "logs": lambda record: [LINES.log(record)],
    "metrics": lambda collected: list(LINES.metrics(collected)),
}
DRAW: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "traces": (generated.spans, lambda span: encode_spans([span])),
    "logs": (generated.logs, lambda record: encode_logs([record])),
    "metrics": (generated.collections, encode_metrics),
}
HOSTILE = {"traces": hostile_items.span, "logs": hostile_items.log, "metrics": hostile_items.metric}


def drawn(signal: str) -> Iterator[tuple[list[bytes], Counter[str]]]:
    """What the protocol can represent: it means what the SDK's own encoder says."""
    strategy, encode = DRAW[signal]
    for item in generated.drawn(strategy, DRAWN):
        yield ENCODE[signal](item), Counter(meanings(signal, encode(item)))


def hostile(signal: str) -> Iterator[tuple[list[bytes], Counter[str]]]:
    """What it can't: it means what the official parser reads."""
    for item in hostile_items.hostile(HOSTILE[signal]):
        yield told(signal, ENCODE[signal](item))


def wild(signal: str) -> Iterator[tuple[list[bytes], Counter[str]]]:
    """The same, of whatever comes to mind."""
    items = st.builds(HOSTILE[signal], generated.wild_texts, generated.wild_attributes, st.integers(0, 2**64 - 1))
    for item in generated.drawn(items, WILD):
        yield told(signal, ENCODE[signal](item))


def told(signal: str, lines: list[bytes]) -> tuple[list[bytes], Counter[str]]:
    return lines, Counter(meaning for line in lines for meaning in meanings(signal, parsed(signal, line)))


def called() -> dict[str, list[bytes]]:
    """What programs that hand hostile values around have in their journals."""
    with capture(content="full", content_in="spans,events") as telemetry:
        for place in DEEDS:
            for number, (name, make) in enumerate(TABLE.items()):
                call(VERBS[number % len(VERBS)](name=name)(COLOURS["plain"]), "plain", place, make())
    return {signal: telemetry.lines(signal) for signal in SIGNALS}


@dataclass
class Meant:
    lines: list[bytes] = field(default_factory=list)
    items: Counter[str] = field(default_factory=Counter)

    def add(self, lines: list[bytes], items: Counter[str]) -> None:
        assert items.total() == len(lines)
        self.lines += lines
        self.items += items


@pytest.fixture(scope="module")
def meant() -> dict[str, Meant]:
    """All lines of a signal, and the items that they mean."""
    found = {signal: Meant() for signal in SIGNALS}
    programs = called()
    for signal, one in found.items():
        one.add(*told(signal, [line + b"\n" for line in programs[signal]]))
        for lines, items in (*drawn(signal), *hostile(signal), *wild(signal)):
            one.add(lines, items)
    return found


class Understood:
    """What the Collector has written down, read as it grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items = {signal: Counter[str]() for signal in SIGNALS}
        self._read = dict.fromkeys(SIGNALS, 0)

    def read(self) -> dict[str, int]:
        """How many items there are by now."""
        for signal in SIGNALS:
            raw = (self.folder / signal).read_bytes()
            while (start := self._read[signal] + 4) < len(raw) and (end := start + int.from_bytes(raw[start - 4 : start])) <= len(raw):
                self.items[signal].update(meanings(signal, REQUESTS[signal].FromString(raw[start:end])))
                self._read[signal] = end
        return {signal: items.total() for signal, items in self.items.items()}


@pytest.mark.parametrize("way", ["files", "http/json", "http/protobuf", "grpc"])
def test_a_collector_reads_what_is_meant(way: str, meant: dict[str, Meant], tmp_path: Path, figure: Figure_) -> None:
    """No item is lost, and none is another."""
    items = {signal: one.items for signal, one in meant.items()}
    with reading(tmp_path, way) as (rig, understood):
        for signal, one in meant.items():
            for line in one.lines:
                rig.journal.append(signal, line)
        rig.shipper.run_once()
        until_it_holds(lambda: understood.read() == totals(items), seconds=60)
    compare(items, understood)
    assert rig.dropped == {}
    count = sum(totals(items).values())
    figure("R11", f"hostile and random items that a real Collector reads, {way}", f"0 of {count:,} lost, 0 changed", "the whole batch is lost")


@pytest.mark.parametrize("way", ["files", "http/json"])
def test_a_line_cut_anywhere_harms_no_other(way: str, tmp_path: Path, figure: Figure_) -> None:
    """Segments of dead processes: a whole line, and one that was cut at each of its bytes."""
    expected, cuts, whole = {signal: Counter[str]() for signal in SIGNALS}, 0, 0
    with reading(tmp_path, way) as (rig, understood):
        rig.journal.folder.mkdir(parents=True)
        for signal in SIGNALS:
            for cut, (first, second) in enumerate(pairs(signal)):
                is_whole = cut >= len(second) - 1  # but for its newline
                (rig.journal.folder / f"{signal}-{cut + 1}-a-b-1.jsonl").write_bytes(first + second[:cut])
                expected[signal] += told(signal, [first, second] if is_whole else [first])[1]
                cuts, whole = cuts + 1, whole + 1 + is_whole
        until_it_holds(lambda: adopt(rig) or understood.read() == totals(expected), seconds=120)
    compare(expected, understood)
    figure("R11", f"lines cut at each of {cuts:,} bytes, {way}", f"0 of {whole:,} whole lines lost, 0 fragments taken for items", "–")


def pairs(signal: str) -> Iterator[tuple[bytes, bytes]]:
    """Two lines for each length that the second can be cut to."""
    for cut in range(len(made(signal, 0)) + 1):
        yield made(signal, 2 * cut), made(signal, 2 * cut + 1)


def made(signal: str, number: int) -> bytes:
    return ENCODE[signal](HOSTILE[signal](f"{number:06}", {"held": [number % 10, None, 0.5, {"k": "v"}]}, hostile_items.EPOCH + number))[0]


def adopt(rig: Rig) -> None:
    rig.shipper._adopter._next_scan = 0.0
    rig.shipper.run_once()


def test_segments_that_tell_again_which_runs_are_open_are_all_read(tmp_path: Path) -> None:
    """What is told again fills the beginning of each segment of logs, by which the Collector knows it."""
    began = [ENCODE["logs"](HOSTILE["logs"](semconv.EVENT_OA_RUN_STARTED, {}, hostile_items.EPOCH + number))[0] for number in range(3)]
    assert sum(map(len, began)) > 1000
    with reading(tmp_path, "files", rotate_bytes=1) as (rig, understood):
        for line in began + [made("logs", number) for number in range(200)]:
            rig.journal.append("logs", line)
        segments = [segment.path.read_bytes() for segment in rig.journal.segments("logs")]
        lines = [line for segment in segments for line in segment.splitlines()]
        until_it_holds(lambda: understood.read()["logs"] == len(lines), seconds=60)
    assert len(segments) > 100
    compare({"logs": told("logs", lines)[1]}, understood)


def totals(items: dict[str, Counter[str]]) -> dict[str, int]:
    return {signal: those.total() for signal, those in items.items()}


def compare(expected: dict[str, Counter[str]], understood: Understood) -> None:
    understood.read()
    for signal, items in expected.items():
        assert beyond(understood.items[signal], items) == beyond(items, understood.items[signal]) == []


def beyond(these: Counter[str], those: Counter[str]) -> list[str]:
    """A few of these that are not among those."""
    return [f"{item[:2000]}… {len(item)} characters" for item in (these - those).elements()][:3]


@contextmanager
def reading(folder: Path, way: str, rotate_bytes: int = 2**22) -> Iterator[tuple[Rig, Understood]]:
    """A journal whose lines come to a Collector that writes down what it has understood."""
    listening, journal, oracle = ports.free_ports(), folder / "journal", folder / "oracle"
    for name in ("nothing", "oracle"):
        (folder / name).mkdir()
    looked_at = {"OTEL_AGENTS_JOURNAL_DIR": str(journal if way == "files" else folder / "nothing"), "ORACLE": str(oracle)}
    url = f"http://127.0.0.1:{listening['otlp_grpc' if way == 'grpc' else 'otlp_http']}"
    sending = {} if way == "files" else {"protocol": way, "timeout": 30.0}
    with running(folder / "collector", listening, "journal", ORACLE, **looked_at):
        rig = Rig(journal, url if sending else None, rotate_bytes=rotate_bytes, cap_bytes=2**32, **sending)
        try:
            yield rig, Understood(oracle)
        finally:
            rig.shipper.close()
