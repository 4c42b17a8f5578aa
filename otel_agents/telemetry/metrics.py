"""What each kind of operation measures, and the few attributes that may become labels (semconv/README.md §2; ours: `otel_agents.*`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from otel_agents import semconv as names
from otel_agents.telemetry.instruments import TABLE
from otel_agents.telemetry.series import Backend, Collected, Exemplar, Labels, Origin, Part, Point, Series, origin_in

if TYPE_CHECKING:
    from otel_agents.telemetry.context import Context
    from otel_agents.telemetry.seams import EndedOperation, Metrics

OTHER = "_other"
MAX_LABEL_SETS = 4096  # cached sets of labels
MAX_SCORE = 1e9  # larger values are not scores, and would make the mean useless
MAX_LABEL = 128  # characters; a longer value is not a name and may be content


@dataclass(slots=True)
class Instruments:
    """Our instruments. most: distinct values that one label may have; further ones become `_other`."""

    backend: Backend
    most: int = 100
    old_names: bool = False
    seen: dict[str, set[Any]] = field(default_factory=dict)
    sets: dict[tuple[Any, ...], Labels] = field(default_factory=dict)

    def record(self, name: str, value: float, labels: Labels, origin: Origin | None = None) -> None:
        """Add to a counter or record in a histogram; the origin is the span that an exemplar refers to."""
        (labels.series.get(name) or self._series(name, labels)).take(value, origin)

    def record_part(self, name: str, value: float, whole: Labels, part: Part, origin: Origin | None = None) -> None:
        """Record with only some of these labels and with additional ones."""
        (whole.series.get((name, part)) or self._series_of_part(name, whole, part)).take(value, origin)

    def _series_of_part(self, name: str, whole: Labels, part: Part) -> Series:
        keys, also = part
        found = whole.series[name, part] = self._series(name, self.labels(keys, whole, also))
        return found

    def _series(self, name: str, labels: Labels) -> Series:
        found = labels.series[name] = self.backend.series(name, TABLE[name], labels)
        return found

    def observe(self, name: str, ask: Callable[[], float]) -> None:
        """Register a gauge whose value is asked for at each collection."""
        self.backend.observe(name, TABLE[name], ask)

    def bounded(self, key: str, value: Any) -> Any:
        """The value, or `_other` if it is too long or the label already has as many values as allowed."""
        seen = self.seen.setdefault(key, set())
        if value in seen or value == OTHER:
            return value
        if len(seen) >= self.most or (type(value) is str and len(value) > MAX_LABEL):
            return OTHER
        seen.add(value)
        return value

    def labels(self, keys: tuple[str, ...], attributes: Mapping[str, Any], also: tuple[tuple[str, str], ...] = ()) -> Labels:
        """The attributes under these keys and additional ones, as labels; the same object for the same values."""
        values = (keys, also, *map(attributes.get, keys))
        known = self.sets.get(values)
        if known is None:
            if len(self.sets) >= MAX_LABEL_SETS:
                self.sets.clear()
            known = self.sets[values] = Labels({key: self.bounded(key, attributes[key]) for key in keys if key in attributes} | dict(also))
        return known


# ------------------------------------------------------------------------------------------------ what each kind of operation measures

CLIENT = (names.OPERATION_NAME, names.PROVIDER_NAME, names.REQUEST_MODEL, names.RESPONSE_MODEL, names.SERVER_ADDRESS, names.SERVER_PORT)
RUN = (names.AGENT_NAME, names.REQUEST_MODEL, names.ERROR_TYPE)
TOOL = (names.TOOL_NAME, names.TOOL_TYPE, names.AGENT_NAME, names.ERROR_TYPE)
WORKFLOW = (names.WORKFLOW_NAME, names.ERROR_TYPE)
STEP = (names.OA_STEP_NAME, names.AGENT_NAME, names.ERROR_TYPE)
AGENT = (names.AGENT_NAME,)
VERDICT = (names.EVALUATION_NAME, names.EVALUATION_SCORE_LABEL)
CLIENT_ENDED = (*CLIENT, names.ERROR_TYPE)
INFERENCE = (*CLIENT, *AGENT)
INFERENCE_ENDED = (*INFERENCE, names.ERROR_TYPE)
OF_CLIENT: Part = (CLIENT, ())
OF_INFERENCE: Part = (INFERENCE, ())
OF_AGENT: Part = (AGENT, ())
MODALITIES = ("text", "image", "audio")


def _of_modality(modality: str) -> Part:
    return INFERENCE, ((names.TOKEN_MODALITY, modality),)


def _modalities(template: str) -> tuple[tuple[Part, str], ...]:
    return tuple((_of_modality(modality), template.format(modality)) for modality in MODALITIES)


UNKNOWN = _of_modality("unknown")


USAGE_COUNTERS = (
    (names.METRIC_CLIENT_INFERENCE_USAGE_INPUT_TOKENS, names.USAGE_INPUT_TOKENS, _modalities("gen_ai.usage.{}.input_tokens")),
    (names.METRIC_CLIENT_INFERENCE_USAGE_OUTPUT_TOKENS, names.USAGE_OUTPUT_TOKENS, _modalities("gen_ai.usage.{}.output_tokens")),
    (
        names.METRIC_CLIENT_INFERENCE_USAGE_CACHE_READ_INPUT_TOKENS,
        names.USAGE_CACHE_READ_INPUT_TOKENS,
        _modalities("gen_ai.usage.{}.cache_read.input_tokens"),
    ),
    (names.METRIC_CLIENT_INFERENCE_USAGE_CACHE_WRITE_INPUT_TOKENS, names.USAGE_CACHE_WRITE_INPUT_TOKENS, ()),
    (names.METRIC_CLIENT_INFERENCE_USAGE_REASONING_OUTPUT_TOKENS, names.USAGE_REASONING_OUTPUT_TOKENS, ()),
)
CALL_SIZES = (
    (names.METRIC_CLIENT_INFERENCE_OPERATION_INPUT_TOKENS, names.USAGE_INPUT_TOKENS),
    (names.METRIC_CLIENT_INFERENCE_OPERATION_OUTPUT_TOKENS, names.USAGE_OUTPUT_TOKENS),
)


def measure_inference(instruments: Metrics, operation: EndedOperation, seconds: float) -> None:
    """Duration, time to first chunk and between chunks, tokens by kind and modality, cost."""
    attributes, origin = operation.labelled(), origin_in(operation.context)
    ended = instruments.labels(INFERENCE_ENDED, attributes)
    instruments.record(names.METRIC_CLIENT_INFERENCE_DURATION, seconds, ended, origin)
    if chunks := operation.chunk_seconds():
        _measure_chunks(instruments, chunks, ended, origin)
    _measure_tokens(instruments, attributes, ended, origin)
    if names.OA_COST in attributes:
        instruments.record_part(names.METRIC_OA_COST, attributes[names.OA_COST], ended, OF_INFERENCE, origin)
    if instruments.old_names:
        _measure_in_old_names(instruments, attributes, seconds, ended, origin)


def _measure_chunks(instruments: Metrics, chunks: list[float], ended: Labels, origin: Origin | None) -> None:
    instruments.record_part(names.METRIC_CLIENT_INFERENCE_TIME_TO_FIRST_CHUNK, chunks[0], ended, OF_CLIENT, origin)
    for gap in chunks[1:]:
        instruments.record_part(names.METRIC_CLIENT_INFERENCE_TIME_PER_OUTPUT_CHUNK, gap, ended, OF_CLIENT, origin)


def _measure_tokens(instruments: Metrics, attributes: Mapping[str, Any], ended: Labels, origin: Origin | None) -> None:
    for metric, total, parts in USAGE_COUNTERS:
        if total in attributes:
            for part, tokens in _by_modality(attributes, attributes[total], parts):
                instruments.record_part(metric, tokens, ended, part, origin)
    for metric, total in CALL_SIZES:
        if total in attributes:
            instruments.record_part(metric, attributes[total], ended, OF_CLIENT, origin)


def _by_modality(attributes: Mapping[str, Any], total: int, parts: tuple[tuple[Part, str], ...]) -> list[tuple[Part, int]]:
    """Tokens by modality as far as the provider reported it; the rest of the total has the modality `unknown`."""
    split = [(part, attributes[name]) for part, name in parts if name in attributes]
    split.append((UNKNOWN, total - sum([tokens for _, tokens in split])))
    return [(part, tokens) for part, tokens in split if tokens > 0]


def _measure_in_old_names(instruments: Metrics, attributes: Mapping[str, Any], seconds: float, ended: Labels, origin: Origin | None) -> None:
    instruments.record_part(names.METRIC_CLIENT_OPERATION_DURATION, seconds, ended, (CLIENT_ENDED, ()), origin)
    for kind, total in (("input", names.USAGE_INPUT_TOKENS), ("output", names.USAGE_OUTPUT_TOKENS)):
        if total in attributes:
            instruments.record_part(names.METRIC_CLIENT_TOKEN_USAGE, attributes[total], ended, (CLIENT, ((names.TOKEN_TYPE, kind),)), origin)


def measure_client(instruments: Metrics, operation: EndedOperation, seconds: float) -> None:
    """Duration of embeddings, retrieval, memory and other client operations; hit or miss of a memory search."""
    attributes = operation.labelled()
    instruments.record(names.METRIC_CLIENT_OPERATION_DURATION, seconds, instruments.labels(CLIENT_ENDED, attributes), origin_in(operation.context))
    if attributes.get(names.OPERATION_NAME) == "search_memory" and names.MEMORY_RECORD_COUNT in attributes:
        found = "hit" if attributes[names.MEMORY_RECORD_COUNT] else "miss"
        store = attributes.get(names.MEMORY_STORE_ID)
        labels = instruments.labels((names.OA_MEMORY_STORE,), {names.OA_MEMORY_STORE: store} if store else {}, ((names.OA_RESULT, found),))
        instruments.record(names.METRIC_OA_MEMORY_SEARCHES, 1, labels, origin_in(operation.context))


def measure_run(instruments: Metrics, operation: EndedOperation, seconds: float) -> None:
    """An agent's run: its duration, number of its own model and tool calls, outcome."""
    run, origin = instruments.labels(RUN, operation.fields), origin_in(operation.context)
    instruments.record(names.METRIC_INVOKE_AGENT_DURATION, seconds, run, origin)
    instruments.record_part(names.METRIC_INVOKE_AGENT_INFERENCE_CALLS, len(operation.inferences), run, OF_AGENT, origin)
    instruments.record_part(names.METRIC_INVOKE_AGENT_TOOL_CALLS, len(operation.tools), run, OF_AGENT, origin)
    instruments.record_part(names.METRIC_OA_RUNS, 1, run, (AGENT, ((names.OA_OUTCOME, operation.outcome),)), origin)
    instruments.record_part(names.METRIC_OA_AGENTS_ACTIVE, -1, run, OF_AGENT, origin)


START_BEFORE_NS = 10**9  # between a point's start and its time: a store sees an increase if both are within the time range of the query


class DiedRun(Protocol):
    """A run whose process died: its attributes, and the ids of its trace and span if they were sampled."""

    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def sampled(self) -> tuple[int, int] | None: ...


def died_runs(instruments: Metrics, runs: Iterable[DiedRun], found_at: int, temporality: int) -> Collected:
    """The counter of runs as a process that died would have left it, with its runs as `died`. found_at: nanoseconds since the epoch."""
    counted: dict[frozenset[tuple[str, Any]], tuple[Labels, list[tuple[int, int] | None]]] = {}
    for run in runs:
        labels = instruments.labels(AGENT, run.attributes, ((names.OA_OUTCOME, "died"),))
        counted.setdefault(frozenset(labels.items()), (labels, []))[1].append(run.sampled)
    points = [
        Point(labels, found_at - START_BEFORE_NS, found_at, {"value": len(ids), "exemplars": [Exemplar(1, found_at, *one) for one in ids[-1:] if one]})
        for labels, ids in counted.values()
    ]
    row = TABLE[names.METRIC_OA_RUNS]
    return Collected(names.METRIC_OA_RUNS, row.unit, row.description, "sum", temporality, True, points)


def measure_start_of_run(instruments: Metrics, operation: EndedOperation) -> None:
    """Count one more running agent."""
    instruments.record(names.METRIC_OA_AGENTS_ACTIVE, 1, instruments.labels(AGENT, operation.fields), origin_in(operation.context))


def measure_tool(instruments: Metrics, operation: EndedOperation, seconds: float) -> None:
    """Duration of a tool call, and the loop that it completes, if any."""
    attributes, origin = operation.labelled(), origin_in(operation.context)
    instruments.record(names.METRIC_EXECUTE_TOOL_DURATION, seconds, instruments.labels(TOOL, attributes), origin)
    if operation.loops:
        instruments.record(names.METRIC_OA_LOOPS, 1, instruments.labels(AGENT, attributes), origin)


def measure_score(instruments: Metrics, verdict: Mapping[str, Any], evaluated: Context) -> None:
    """An evaluator's score, with an exemplar that refers to the operation that was evaluated."""
    score = verdict.get(names.EVALUATION_SCORE_VALUE)
    if score is not None and 0 <= score <= MAX_SCORE:
        instruments.record(names.METRIC_OA_EVALUATION_SCORE, score, instruments.labels(VERDICT, verdict), origin_in(evaluated))


def _measure_duration(metric: str, keys: tuple[str, ...]) -> Measure:
    def measure(instruments: Metrics, operation: EndedOperation, seconds: float) -> None:
        instruments.record(metric, seconds, instruments.labels(keys, operation.labelled()), origin_in(operation.context))

    return measure


Measure = Callable[["Metrics", "EndedOperation", float], None]
measure_workflow = _measure_duration(names.METRIC_INVOKE_WORKFLOW_DURATION, WORKFLOW)
measure_step = _measure_duration(names.METRIC_OA_STEP_DURATION, STEP)
