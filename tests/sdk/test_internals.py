"""A release of OpenTelemetry that has renamed what we use of its private names: programs run on, and all of their telemetry arrives, once.

The installed release is copied with the name replaced wherever it stands, as a later release would have it: API and SDK themselves keep working.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import opentelemetry.trace
import pytest
from processes import Done, run
from processes import ran as program

import otel_agents
from otel_agents.sdk import internals
from otel_agents.testing import Telemetry

pytestmark = [pytest.mark.own_attributes("weighed"), pytest.mark.meant_beside_conventions("weighed")]
INSTALLED = Path(opentelemetry.trace.__file__).parents[1]
PROGRAM = Path(__file__).parents[1] / "programs" / "renamed_program.py"
PACKAGE = Path(otel_agents.__file__).parent

GLOBALS = [f"{name}" for of in ("TRACER", "METER", "LOGGER") for name in (f"_{of}_PROVIDER", f"_{of}_PROVIDER_SET_ONCE", f"_set_{of.lower()}_provider")]
PROVIDERS = [
    *GLOBALS, "_active_span_processor", "_span_processors", "_multi_log_record_processor", "_log_record_processors", "_measurement_consumer",
    "_reader_storages", "_receive_metrics", "_update_resource", "_tracer", "_logger", "_internal", "_logs",
]  # fmt: skip
OTHERS = ["_RUNTIME_CONTEXT", "_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "_log_exporter"]
OF_SPANS = ["_name", "_context", "_parent", "_kind", "_start_time", "_end_time", "_status", "_attributes", "_lock", "_span_processor", "_limits"]
MODULES = {"_logs": "logs", "_log_exporter": "log_exporter", "_internal": "inner"}  # what these packages would be called, or are not


def renamed(folder: Path, *names: str) -> Path:
    """A folder for PYTHONPATH with the installed release, in which these names are others."""
    pattern = re.compile(rf"(?<![\w])({'|'.join(names)})\b")
    root = folder / "opentelemetry"
    for file in INSTALLED.rglob("*.py"):
        target = root.joinpath(*(MODULES[part] if part in names else part for part in file.relative_to(INSTALLED).with_suffix("").parts)).with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        text = file.read_text()
        changed = pattern.sub(lambda found: MODULES.get(found[0], f"_later{found[0]}"), text)
        if changed == text:
            target.symlink_to(file)
            compiled(file, target)
        else:
            target.write_text(changed)
    (root / "__init__.py").touch()  # a package of its own, which the installed one's folders don't extend
    return folder


def compiled(file: Path, target: Path) -> None:
    """The same bytecode for what is the same."""
    for code in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        (target.parent / "__pycache__").mkdir(exist_ok=True)
        (target.parent / "__pycache__" / code.name).symlink_to(code)


def ran(tmp_path: Path, when: str, *names: str) -> Done:
    with_names = renamed(tmp_path / "later", *names)
    return run(PROGRAM, when, journal=tmp_path / "journal", PYTHONPATH=str(with_names), PYTHONDONTWRITEBYTECODE="1", OTEL_METRICS_EXEMPLAR_FILTER="always_off")


def expected(*labels: str) -> list[str]:
    return sorted(name for label in labels for name in (f"invoke_agent a-{label}", f"early-{label}", "execute_tool weigh", f"step plain-{label}"))


def check(done: Done, when: str, theirs: list[str] | None) -> None:
    assert (done.status, done.err) == (0, "")
    if theirs is not None:
        assert done.out == str(theirs).replace("'", '"') + "\n"
    telemetry = done.telemetry
    assert done.spans == expected("1", "2", "child")
    assert [span["attributes"].get("weighed") for span in telemetry.spans if span["name"] == "execute_tool weigh"] == [1] * 3
    bodies = Counter(str(log["body"]) for log in telemetry.logs if log["body"])
    assert bodies == Counter(f"{word}-{label}" for word in ("said", "emitted") for label in ("1", "2", "child"))
    if when == "alone":
        assert sorted(Counter(span["resource"]["service.instance.id"] for span in telemetry.spans).values()) == [4, 8]  # the child has one of its own
    assert counts(telemetry) == {"gen_ai.execute_tool.duration": 3, "counted.1": 1, "counted.2": 1}


def counts(telemetry: Telemetry) -> dict[str, int]:
    """What the two processes have counted, the last point of each series."""
    last: dict[tuple[str, ...], int] = {}
    for line in telemetry.lines("metrics"):
        of = json.loads(line)["resourceMetrics"][0]
        instance = next(pair["value"]["stringValue"] for pair in of["resource"]["attributes"] if pair["key"] == "service.instance.id")
        for metric in of["scopeMetrics"][0]["metrics"]:
            for point in metric.get("histogram", metric.get("sum", {})).get("dataPoints", ()) if metric["name"] in COUNTED else ():
                series = (metric["name"], instance, json.dumps(point.get("attributes")), point["startTimeUnixNano"])
                last[series] = int(point.get("count", point.get("asInt", 0)))
    return {name: sum(value for series, value in last.items() if series[0] == name) for name in COUNTED}


COUNTED = ("gen_ai.execute_tool.duration", "counted.1", "counted.2")  # what a child counts through the API goes to the parent's provider
ALL = [*PROVIDERS, *OTHERS]
BEYOND = {"alone": [], "before": expected("1", "2"), "after": expected("2")}  # what the program's own processors see


@pytest.mark.parametrize("name", ALL)
def test_a_program_without_providers_of_its_own(tmp_path: Path, name: str) -> None:
    check(ran(tmp_path, "alone", name), "alone", [])


@pytest.mark.parametrize("when", ["alone", "before", "after"])
def test_the_attributes_of_a_span(tmp_path: Path, when: str) -> None:
    check(ran(tmp_path, when, *OF_SPANS), when, BEYOND[when])


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_program_that_sets_providers_of_its_own_late(tmp_path: Path, name: str) -> None:
    check(ran(tmp_path, "after", name), "after", BEYOND["after"])


@pytest.mark.parametrize("when", ["alone", "before", "after"])
def test_all_names_at_once(tmp_path: Path, when: str) -> None:
    check(ran(tmp_path, when, *ALL, *OF_SPANS), when, None if when == "after" else BEYOND[when])


LEAN = """
    import otel_agents as oa
    from otel_agents.journal.spans import LeanSpans
    from otel_agents.sdk import internals
    from otel_agents.telemetry.engine import engine
    with oa.step("one"):
        pass
    print(type(engine.spans) is LeanSpans, internals._missing)
"""


def test_this_release_has_all_names(tmp_path: Path) -> None:
    """Nothing goes the slower way where the suite runs."""
    assert program(tmp_path, LEAN).said == (0, "True set()\n", "")


# ------------------------------------------------------------------------------------------------ one module has them all


def private_names(file: Path) -> Iterator[str]:
    """Every private name that a file takes from another's module or object, by syntax or by a text; `self._x` is its own."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opentelemetry"):
            yield from (part for part in (node.module or "").split(".") if PRIVATE.fullmatch(part))
            yield from (alias.name for alias in node.names if PRIVATE.fullmatch(alias.name))
        elif isinstance(node, ast.Import):
            yield from (part for alias in node.names if alias.name.startswith("opentelemetry") for part in alias.name.split(".") if PRIVATE.fullmatch(part))
        elif isinstance(node, ast.Attribute) and PRIVATE.fullmatch(node.attr) and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
            yield node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("getattr", "setattr", "hasattr", "delattr", "private"):
            yield from (one.value for one in node.args if isinstance(one, ast.Constant) and PRIVATE.fullmatch(str(one.value)))
        elif isinstance(node, ast.Subscript | ast.Call) and "vars(" in ast.unparse(node):
            yield from re.findall(r"['\"](_[a-zA-Z]\w*)['\"]", ast.unparse(node))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("opentelemetry."):
            yield from (part for part in node.value.split(".") if PRIVATE.fullmatch(part))


def defined(file: Path) -> set[str]:
    """The private names that a file gives to its own classes and modules."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")}
    return attributes | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


PRIVATE = re.compile(r"_[a-zA-Z]\w*")
PARTS = ("context", "baggage", "trace", "metrics", "_logs", "sdk", "exporter")
TEXT = "\n".join(file.read_text() for part in PARTS for file in (INSTALLED / part).rglob("*.py"))
SDK = "\n".join(file.read_text() for part in ("trace", "metrics", "_logs") for file in (INSTALLED / "sdk" / part).rglob("*.py"))
THEIRS = frozenset(re.findall(r"(?<!\w)_[a-zA-Z]\w*", TEXT))
FILES = [file for file in sorted(PACKAGE.rglob("*.py")) if file != Path(internals.__file__)]


def test_no_other_module_touches_a_private_name_of_opentelemetry() -> None:
    found = {file.relative_to(PACKAGE).as_posix(): {*private_names(file)} & THEIRS - defined(file) - OF_OTHERS for file in FILES}
    assert {file: names for file, names in found.items() if names} == {}


OF_OTHERS = {"_replace", "_name_", "_value_", "_client"}  # of named tuples, enums and clients of models


def test_every_private_name_has_a_case_here() -> None:
    texts = [node.value for node in ast.walk(ast.parse(Path(internals.__file__).read_text())) if isinstance(node, ast.Constant)]
    by_text = {part for text in texts if isinstance(text, str) and " " not in text for part in text.split(".") if PRIVATE.fullmatch(part)}
    of_globals = {"_SET_ONCE", "_set_"}  # the ends of names, which are put together
    assert ({*private_names(Path(internals.__file__)), *by_text} & THEIRS) - of_globals <= {*ALL}


def test_our_subclasses_shadow_no_private_name_of_the_sdks() -> None:
    """What a class of ours keeps in itself would overwrite what the SDK's keeps there."""
    shadowed = {
        (file.name, node.name, name)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and any(getattr(base, "id", "") in SUBCLASSED for base in node.bases)
        for name in stored(node)
        if re.search(rf"self\.{name}\b", SDK)
    }
    assert shadowed == set()


SUBCLASSED = ("SdkSpan", "SpanProcessor", "LogRecordProcessor", "ReceivingReader", "TracerProvider", "MeterProvider", "LoggerProvider")


def stored(node: ast.ClassDef) -> Iterator[str]:
    for part in ast.walk(node):
        for target in part.targets if isinstance(part, ast.Assign) else ():
            for one in target.elts if isinstance(target, ast.Tuple) else (target,):
                if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
                    yield one.attr
