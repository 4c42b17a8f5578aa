"""Exported telemetry, as plain data, against the conventions: every name, type, level, kind, unit, bucket, severity. Gives findings, never raises."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from conformance import registry

from otel_agents.testing import Telemetry, attributes_of

Json = dict[str, Any]
ZERO = frozenset({"", "0" * 16, "0" * 32})
EVERYWHERE = frozenset({"gen_ai.conversation.id", "user.id", "error.type"})  # the session's, and what every operation may end with
CORE = ("service.", "code.", "exception.", "telemetry.")
IS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: type(value) is str,
    "int": lambda value: type(value) is int,
    "double": lambda value: type(value) is float,
    "boolean": lambda value: type(value) is bool,
    "string[]": lambda value: type(value) is list and all(type(one) is str for one in value),
    "content": lambda value: value is not None,
}
USAGE = "gen_ai.usage."
PARTS = (("input_tokens", ("cache_read.input_tokens", "cache_write.input_tokens")), ("output_tokens", ("reasoning.output_tokens",)))
MODALITIES = tuple((f"{end}_tokens", tuple(f"{kind}.{end}_tokens" for kind in ("text", "image", "audio"))) for end in ("input", "output"))


@dataclass
class Coverage:
    """What has been seen, by kind of thing."""

    seen: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def note(self, what: str, name: str) -> None:
        self.seen[what][name] += 1

    def add(self, other: Coverage) -> None:
        for what, names in other.seen.items():
            self.seen[what].update(names)


@dataclass
class Checked:
    """One check: `findings`, a line each, and what was covered. own: names of attributes that are the program's; old_names: metrics as before 2026-10, too."""

    own: frozenset[str] = frozenset()
    old_names: bool = False
    findings: list[str] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Coverage)

    def say(self, where: str, *problems: str) -> None:
        self.findings += [f"{where}: {problem}" for problem in problems]


def check(telemetry: Telemetry, own: frozenset[str] = frozenset()) -> Checked:
    """Everything that one capture has recorded under our scope."""
    checked = Checked(own)
    spans = [span for span in telemetry.spans if span["scope"].get("name") == "otel_agents"]
    check_spans(checked, spans)
    by_id = {span["span_id"]: span for span in spans}
    for record in telemetry.logs:
        check_event(checked, record, by_id) if record["event_name"] and record["scope"].get("name") == "otel_agents" else check_log(checked, record)
    metrics = [orjson.loads(line) for line in telemetry.lines("metrics")]
    checked.old_names = OLD_TOKENS in str(metrics)
    for line in metrics:
        check_metrics(checked, line)
    return checked


# ------------------------------------------------------------------------------------------------ attributes


def check_attributes(checked: Checked, where: str, attributes: Mapping[str, Any], allowed: Callable[[str], bool], *, structured: bool) -> None:
    """Names, types, enums and content of the attributes of one thing."""
    for name, value in attributes.items():
        if name in checked.own and not name.startswith(("gen_ai.", "otel_agents.")):
            continue
        if not allowed(name):
            checked.say(where, f"{name} does not belong here")
        checked.say(where, *attribute_problems(name, value, structured))


def attribute_problems(name: str, value: Any, structured: bool) -> Iterator[str]:
    kind = "string" if name.startswith(CORE) and name != "code.line.number" else "int" if name == "code.line.number" else registry.type_of(name)
    if not IS[kind](value):
        yield f"{name} is {type(value).__name__} {value!r:.80}, not {kind}"
    elif kind == "content":
        yield from content_problems(name, value, structured)
    else:
        yield from value_problems(name, value)


def value_problems(name: str, value: Any) -> Iterator[str]:
    """Closed enums, and values that are never written."""
    if name in registry.CLOSED and value not in registry.SOURCE["enums"][name]:
        yield f"{name}={value!r} is none of the enum"
    if name == "gen_ai.response.finish_reasons" and (not value or set(value) - registry.FINISH_REASONS):
        yield f"{name}={value!r} holds a reason the conventions don't know"
    if value is False or value == "" or (name == "gen_ai.request.choice.count" and value == 1):
        yield f"{name}={value!r}: absent is how this is said"


def content_problems(name: str, value: Any, structured: bool) -> Iterator[str]:
    """Structured on events, JSON text on spans; either way of the schema's shape."""
    if structured == (type(value) is str) and name in registry.SCHEMAS:
        yield f"{name} is {type(value).__name__} where it is {'structured' if structured else 'JSON text'}"
        return
    shape = registry.schema(name)
    if shape is not None:
        try:
            read = value if structured else json.loads(value)
        except ValueError:
            yield f"{name} is no JSON: {value!r:.80}"
        else:
            yield from (f"{name}{error.json_path[1:]}: {error.message:.160}" for error in shape.iter_errors(read))


def ours(name: str) -> bool:
    return name in registry.OURS


def missing(attributes: Mapping[str, Any], levels: Mapping[str, str]) -> Iterator[str]:
    """Required ones, and those conditionally required whose condition can be decided."""
    for name, level in levels.items():
        if level == "R" and name not in attributes:
            yield f"{name} is required"
        if level.startswith("C") and name not in attributes and CONDITIONS.get(name, lambda given: False)(attributes):
            yield f"{name} is required here ({level[3:]})"


CONDITIONS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "server.port": lambda given: "server.address" in given,
    "gen_ai.request.stream": lambda given: "gen_ai.response.time_to_first_chunk" in given,
    "gen_ai.request.choice.count": lambda given: len(given.get("gen_ai.response.finish_reasons", ())) > 1,
    "exception.type": lambda given: "exception.message" not in given,
    "gen_ai.evaluation.score.value": lambda given: "gen_ai.evaluation.score.label" not in given,
}


# ------------------------------------------------------------------------------------------------ spans


def check_spans(checked: Checked, spans: list[Json]) -> None:
    by_id = {span["span_id"]: span for span in spans}
    for span in spans:
        where = f"span {span['name']!r}"
        checked.say(where, *origin_problems(span), *status_problems(span), *relation_problems(span, by_id))
        conventional = "gen_ai.operation.name" in span["attributes"]
        (check_conventional if conventional else check_own)(checked, where, span)


def check_conventional(checked: Checked, where: str, span: Json) -> None:
    given, kind = span["attributes"], registry.span_type(span["attributes"], span["kind"])
    if kind is None:
        checked.say(where, f"no span type has the operation {given['gen_ai.operation.name']!r}")
        return
    checked.coverage.note("span types", kind.name)
    for name in given:
        checked.coverage.note(f"attributes of {kind.name}", name)
    if span["kind"] not in kind.kinds:
        checked.say(where, f"its kind is {span['kind']}, not {' or '.join(kind.kinds)}")
    if span["name"] not in span_names(kind.template, given):
        checked.say(where, f"its name is not {' or '.join(span_names(kind.template, given))}")
    checked.say(where, *missing(given, kind.levels), *count_problems(given))
    check_attributes(checked, where, given, lambda name: belongs(name, kind.levels), structured=False)


def belongs(name: str, levels: Mapping[str, str]) -> bool:
    templated = name.startswith(f"{registry.VARIABLE}.") and registry.VARIABLE in levels
    return name in levels or name in EVERYWHERE or ours(name) or templated


def check_own(checked: Checked, where: str, span: Json) -> None:
    """A span of ours: a step, an evaluation, a guardrail's check."""
    given = span["attributes"]
    operation = given.get("otel_agents.operation.name")
    checked.coverage.note("span types", f"otel_agents {operation}")
    about = registry.OUR_OPERATIONS.get(operation)
    expected = f"{operation} {given[about]}" if about in given else operation
    if about is None or span["kind"] != "internal" or span["name"] != expected:
        checked.say(where, f"is {span['kind']} with the operation {operation!r}; expected one of ours, internal, named {expected!r}")
    check_attributes(checked, where, given, lambda name: name in EVERYWHERE or ours(name), structured=False)


def span_names(template: str, given: Mapping[str, Any]) -> list[str]:
    """The operation, and what it is named by where that is there."""
    _, _, about = template.partition(" | ")[0].partition(" ")
    target, operation = given.get(about.strip("{}")), given["gen_ai.operation.name"]
    return [f"{operation} {target}" if target else operation]


def origin_problems(span: Json) -> Iterator[str]:
    if span["scope"].get("schema_url") != registry.SCHEMA_URL:
        yield f"its scope's schema URL is {span['scope'].get('schema_url')!r}"
    if span["trace_id"] in ZERO or span["span_id"] in ZERO or span["end"] < span["start"]:
        yield "its ids or times are not valid"


def status_problems(span: Json) -> Iterator[str]:
    """UNSET when it went well, ERROR with error.type when not, OK never; no span events stand for exceptions."""
    if span["status"] == "ok" or (span["status"] == "error") != ("error.type" in span["attributes"]):
        yield f"its status is {span['status']}, its error.type {span['attributes'].get('error.type')!r}"
    if any(event["name"] == "exception" for event in span["events"]):
        yield "an exception is recorded as a span event"


def relation_problems(span: Json, by_id: Mapping[str, Json]) -> Iterator[str]:
    """What an operation has from those above it: the agent that executes a tool, the conversation."""
    above = list(ancestors(span, by_id))
    given, operation = span["attributes"], span["attributes"].get("gen_ai.operation.name")
    agent = next((one["attributes"].get("gen_ai.agent.name") for one in above if one["attributes"].get("gen_ai.operation.name") == "invoke_agent"), None)
    if operation in ("execute_tool", "plan") and agent and given.get("gen_ai.agent.name") != agent:
        yield f"the agent {agent!r} does this, gen_ai.agent.name says {given.get('gen_ai.agent.name')!r}"
    runs = (one for one in above if one["attributes"].get("gen_ai.operation.name") in ("invoke_agent", "invoke_workflow"))
    if any("gen_ai.conversation.id" in one["attributes"] for one in runs) and "gen_ai.conversation.id" not in given:
        yield "belongs to a conversation and has no gen_ai.conversation.id"


def ancestors(span: Json, by_id: Mapping[str, Json]) -> Iterator[Json]:
    while span := by_id.get(span["parent_id"], {}):
        yield span


def count_problems(given: Mapping[str, Any]) -> Iterator[str]:
    """Parts of usage are never more than the whole."""
    for whole, parts in (*PARTS, *MODALITIES):
        told = [given[USAGE + part] for part in parts if USAGE + part in given]
        if told and sum(told) > given.get(USAGE + whole, sum(told)):
            yield f"{USAGE}{whole}={given[USAGE + whole]} is less than its parts {told}"


# ------------------------------------------------------------------------------------------------ events and logs


def check_event(checked: Checked, record: Json, spans: Mapping[str, Json]) -> None:
    name = record["event_name"]
    where, row = f"event {name}", registry.SOURCE["events"].get(name)
    checked.coverage.note("events", name)
    if record["body"] is not None:
        checked.say(where, "has a body")
    if row is None and name not in registry.OUR_EVENTS:
        checked.say(where, "is not known")
        return
    expected = int(row["severity"].strip(")").rpartition("(")[2]) if row and row["severity"] else registry.OUR_EVENTS.get(name)
    if expected is not None and record["severity_number"] != expected:
        checked.say(where, f"its severity is {record['severity_number']}, not {expected}")
    check_event_attributes(checked, where, record, row)
    checked.say(where, *context_problems(record, spans))


def check_event_attributes(checked: Checked, where: str, record: Json, row: Mapping[str, Any] | None) -> None:
    given = record["attributes"]
    for name in given:
        checked.coverage.note(f"attributes of event {record['event_name']}", name)
    kind = registry.span_type(given, "client") if record["event_name"].startswith("gen_ai.client.inference") else None
    levels = {**(row["attributes"] if row else all_attributes()), **(kind.levels if kind else {}), "gen_ai.agent.name": "C"}
    check_attributes(checked, where, given, lambda name: belongs(name, levels), structured=True)
    if row is not None:
        checked.say(where, *missing(given, levels))


def all_attributes() -> Mapping[str, str]:
    """Every attribute of any span: what an event of ours may repeat."""
    return {name: "r" for one in registry.SOURCE["spans"].values() for name in one["attributes"]}


def context_problems(record: Json, spans: Mapping[str, Json]) -> Iterator[str]:
    """An event belongs to a span, and says of it what the span says."""
    span = spans.get(record["span_id"])
    if record["trace_id"] in ZERO or record["span_id"] in ZERO:
        yield "belongs to no span"
    elif span is not None and record["event_name"].endswith(".details"):
        said, told = ({name: value for name, value in one["attributes"].items() if name not in UNALIKE} for one in (span, record))
        differing = [name for name, value in told.items() if said.get(name, value) != value]
        lost = [name for name in said if name not in told]
        yield from (f"{name} differs from its span's" for name in differing)
        yield from (f"{name} is on its span only" for name in lost)


UNALIKE = frozenset({"otel_agents.outcome", "otel_agents.input", "otel_agents.output", *registry.SCHEMAS})


def check_log(checked: Checked, record: Json) -> None:
    """A record of the program's own logging: what we add to it."""
    added = {name: value for name, value in record["attributes"].items() if name.startswith(("gen_ai.", "exception.", "code.", "user."))}
    for name, value in added.items():
        checked.say("log record", *attribute_problems(name, value, True))
    if not 0 <= record["severity_number"] <= 24 or (record["trace_id"] in ZERO) != (record["span_id"] in ZERO):
        checked.say("log record", "its severity or ids are not valid")


# ------------------------------------------------------------------------------------------------ metrics

INSTRUMENTS = {("sum", True): "counter", ("sum", False): "updowncounter", ("histogram", False): "histogram", ("gauge", False): "gauge"}
OLD_TOKENS = "gen_ai.client.token.usage"  # comes only with the switch
NO_INFERENCE = "gen_ai.client.operation.duration"  # of the other client operations, unless the older names are wanted
INFERENCES = frozenset(registry.SOURCE["spans"]["gen_ai.client.inference"]["operations"])
INTERNAL = frozenset({"execute_tool", "invoke_workflow", "plan"})
ON_CALLS = ("duration", "usage.")  # where the issue adds gen_ai.agent.name


def check_metrics(checked: Checked, line: Json) -> None:
    for resource in line["resourceMetrics"]:
        for scope in resource["scopeMetrics"]:
            if scope["scope"].get("name") == "otel_agents":
                for metric in scope["metrics"]:
                    checked.say(f"metric {metric['name']}", *resource_problems(resource), *metric_problems(checked, metric))


def resource_problems(resource: Json) -> Iterator[str]:
    given = attributes_of(resource["resource"])
    yield from (f"its resource lacks {name}" for name in ("service.name", "service.instance.id", "telemetry.sdk.name") if not given.get(name))


def metric_problems(checked: Checked, metric: Json) -> Iterator[str]:
    name = metric["name"]
    checked.coverage.note("metrics", name)
    row = expected_metric(name)
    if row is None:
        yield "is not known"
        return
    kind = next(one for one in ("sum", "gauge", "histogram", "exponentialHistogram") if one in metric)
    instrument = INSTRUMENTS.get((kind, metric[kind].get("isMonotonic", False)), kind)
    if (instrument, metric.get("unit", "")) != (row["instrument"], row["unit"]) and kind != "exponentialHistogram":
        yield f"is a {instrument} in {metric.get('unit', '')!r}, not a {row['instrument']} in {row['unit']!r}"
    for point in metric[kind]["dataPoints"]:
        yield from point_problems(checked, name, row, point)


def expected_metric(name: str) -> Json | None:
    """The conventions' row, with what the issue adds; or ours."""
    if name in registry.SOURCE["metrics"]:
        row = registry.SOURCE["metrics"][name]
        extra = {"gen_ai.agent.name": "r"} if name.startswith("gen_ai.client.") and any(part in name for part in ON_CALLS) else {}
        return {**row, "attributes": {**row["attributes"], **extra}}
    given = registry.OUR_METRICS.get(name) or registry.OLD_METRICS.get(name)
    return {"instrument": given[0], "unit": given[1], "attributes": dict.fromkeys(given[2], "r")} if given else None


def point_problems(checked: Checked, name: str, row: Json, point: Json) -> Iterator[str]:
    given = attributes_of(point)
    for attribute in given:
        checked.coverage.note(f"attributes of metric {name}", attribute)
    yield from (f"{attribute} does not belong here" for attribute in given if attribute not in row["attributes"])
    yield from missing(given, row["attributes"])
    for attribute, value in given.items():
        yield from (problem for problem in attribute_problems(attribute, value, True) if value != "_other")
    if "explicitBounds" in point and "buckets" in row and [float(one) for one in point["explicitBounds"]] != [float(one) for one in row["buckets"]]:
        yield f"its buckets are {point['explicitBounds']}"
    misplaced = INTERNAL | (frozenset() if checked.old_names else INFERENCES)
    if name == NO_INFERENCE and given.get("gen_ai.operation.name") in misplaced:
        yield f"is not for {given['gen_ai.operation.name']}"
    yield from number_problems(row, point)


def number_problems(row: Json, point: Json) -> Iterator[str]:
    """Exact types, times that span something, exemplars with the ids of a trace."""
    if row.get("value_type") == "int" and ("asDouble" in point or float(point.get("sum", 0)) % 1):
        yield f"counts whole things and has {point.get('asDouble', point.get('sum'))}"
    if "startTimeUnixNano" in point and int(point["startTimeUnixNano"]) >= int(point["timeUnixNano"]):
        yield "starts when it is read"
    for exemplar in point.get("exemplars", ()):
        if exemplar.get("traceId", "") in ZERO or exemplar.get("spanId", "") in ZERO:
            yield "has an exemplar without a trace"
