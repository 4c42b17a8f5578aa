"""The standard library's records: the running span's ids on each, and a copy of each as an OpenTelemetry log record, without a handler of ours anywhere."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from otlp_server import http_receiver
from processes import ran

import otel_agents as oa
from otel_agents.testing import Telemetry, capture


@pytest.fixture
def app() -> logging.Logger:
    """A logger beside the tree, whose records no handler formats (pytest's would)."""
    logger = logging.Logger("app", logging.DEBUG)
    logger.addHandler(logging.NullHandler())
    return logger


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def the_log(telemetry: Telemetry) -> dict[str, Any]:
    found = [log for log in telemetry.logs if not log["event_name"]]
    assert len(found) == 1
    return found[0]


def test_a_record_carries_the_ids_of_the_running_span(telemetry: Telemetry, app: logging.Logger) -> None:
    kept = Kept()
    app.addHandler(kept)
    app.info("outside")
    with oa.step("here"):
        app.info("inside")
    with trace.get_tracer("theirs").start_as_current_span("theirs"):
        app.info("theirs")
    app.removeHandler(kept)
    found = {record.msg: tuple(getattr(record, name, None) for name in ("otelTraceID", "otelSpanID", "otelTraceSampled")) for record in kept.records}
    ours, theirs = telemetry.span("step here"), telemetry.span("theirs")
    assert found == {
        "outside": (None, None, None),
        "inside": (ours["trace_id"], ours["span_id"], True),
        "theirs": (theirs["trace_id"], theirs["span_id"], True),
    }
    exported = {log["body"]: (log["trace_id"], log["span_id"]) for log in telemetry.logs if not log["event_name"]}
    assert exported == {"outside": ("", ""), "inside": (ours["trace_id"], ours["span_id"]), "theirs": (theirs["trace_id"], theirs["span_id"])}


@pytest.mark.own_attributes("city", "count", "parts", "nested", "tenant")
def test_a_record_becomes_a_log_record(telemetry: Telemetry, app: logging.Logger) -> None:
    with oa.session("talk", user="ann", tenant="acme"), oa.agent("guide"):
        app.warning("rain in %s", "Bonn", extra={"city": "Bonn", "count": 2, "parts": ["a", "b"], "nested": {"a": 1}})
    log = the_log(telemetry)
    span = telemetry.span("invoke_agent guide")
    line = log["attributes"].pop("code.line.number")
    assert line > 1
    assert log | {"resource": None, "scope": log["scope"]["name"]} == {
        "event_name": "",
        "severity": "WARN",
        "severity_number": 13,
        "body": "rain in Bonn",
        "attributes": {
            "city": "Bonn",
            "count": 2,
            "parts": ["a", "b"],
            "nested": '{"a":1}',
            "code.file.path": __file__,
            "code.function.name": "test_a_record_becomes_a_log_record",
            "gen_ai.agent.name": "guide",
            "gen_ai.conversation.id": "talk",
            "user.id": "ann",
            "tenant": "acme",
        },
        "trace_id": span["trace_id"],
        "span_id": span["span_id"],
        "scope": "app",
        "resource": None,
    }


LEVELS = [
    (10, "DEBUG", 5),
    (20, "INFO", 9),
    (30, "WARN", 13),
    (40, "ERROR", 17),
    (50, "FATAL", 21),
    (35, "Level 35", 13),
    (60, "Level 60", 21),
    (5, "Level 5", 1),
]


@pytest.mark.parametrize(("level", "text", "number"), LEVELS)
def test_levels(telemetry: Telemetry, app: logging.Logger, level: int, text: str, number: int) -> None:
    app.setLevel(1)
    with capture(log_level="NOTSET") as recorded:
        app.log(level, "said")
    assert [(log["severity"], log["severity_number"]) for log in recorded.logs] == [(text, number)]


def test_only_records_from_the_chosen_level_on(app: logging.Logger) -> None:
    with capture(log_level="ERROR") as recorded:
        app.warning("not")
        app.error("yes")
    with capture(log_level="INFO") as plain, oa.step("x"):
        app.debug("not")
        app.info("yes")
    assert [[log["body"] for log in one.logs] for one in (recorded, plain)] == [["yes"], ["yes"]]


def test_logs_can_be_left_alone(app: logging.Logger) -> None:
    with capture(logs=False) as recorded, oa.step("here"):
        kept = Kept()
        app.addHandler(kept)
        app.error("not exported")
        app.removeHandler(kept)
    assert recorded.logs == []
    assert kept.records[0].otelSpanID == recorded.span("step here")["span_id"]  # type: ignore[attr-defined]  # ours


def test_exceptions(telemetry: Telemetry, app: logging.Logger) -> None:
    try:
        raise KeyError("wrong")
    except KeyError:
        app.exception("failed")
    attributes = the_log(telemetry)["attributes"]
    assert (attributes["exception.type"], attributes["exception.message"]) == ("KeyError", "'wrong'")
    assert "test_exceptions" in attributes["exception.stacktrace"]


def test_an_exception_that_was_never_raised_has_no_stack(telemetry: Telemetry, app: logging.Logger) -> None:
    app.error("failed", exc_info=ValueError("made"))
    attributes = the_log(telemetry)["attributes"]
    assert (attributes["exception.type"], attributes["exception.message"], "exception.stacktrace" in attributes) == ("ValueError", "made", False)


def test_exc_info_without_an_exception(telemetry: Telemetry, app: logging.Logger) -> None:
    app.error("failed", exc_info=True)
    assert not [name for name in the_log(telemetry)["attributes"] if name.startswith("exception")]


class Foreign:
    """Whatever is asked of it, it answers by failing the test."""

    def __str__(self) -> str:
        raise AssertionError("__str__ was called")

    __repr__ = __format__ = __bool__ = __len__ = __getattr__ = __iter__ = __int__ = __index__ = __float__ = __str__  # type: ignore[assignment]


@pytest.mark.own_attributes("who")
@pytest.mark.parametrize(
    ("message", "arguments"), [("%s", (Foreign(),)), ("%r and %s", (Foreign(), 1)), ("%(who)s", ({"who": Foreign()},)), ("%d", (Foreign(),))]
)
def test_foreign_arguments_are_never_asked(telemetry: Telemetry, app: logging.Logger, message: str, arguments: tuple[Any, ...]) -> None:
    app.info(message, *arguments, extra={"who": Foreign()})
    log = the_log(telemetry)
    assert ("Foreign" in log["body"]) == ("%d" not in message)
    assert "Foreign" in log["attributes"]["who"]


def test_a_foreign_message_is_never_asked(telemetry: Telemetry, app: logging.Logger) -> None:
    app.info(Foreign())
    assert "Foreign" in the_log(telemetry)["body"]


def test_what_a_handler_has_formatted_is_not_formatted_again(telemetry: Telemetry, app: logging.Logger) -> None:
    asked = []

    class Counted:
        def __str__(self) -> str:
            asked.append(1)
            return "told"

    handler = logging.StreamHandler(open("/dev/null", "w"))  # noqa: SIM115 - closed below
    app.addHandler(handler)
    app.info("%s", Counted())
    app.removeHandler(handler)
    handler.stream.close()
    assert (the_log(telemetry)["body"], len(asked)) == ("told", 1)


def test_what_filters_keep_back_is_kept_back(telemetry: Telemetry, app: logging.Logger) -> None:
    def no(record: logging.LogRecord) -> bool:
        return False

    app.addFilter(no)
    app.error("kept back")
    app.removeFilter(no)
    logging.disable(logging.CRITICAL)
    logging.getLogger("app").error("disabled")
    logging.disable(logging.NOTSET)
    assert telemetry.logs == []


def test_our_own_records_and_opentelemetrys_are_not_exported(telemetry: Telemetry) -> None:
    for name in ("otel_agents", "otel_agents.journal", "opentelemetry", "opentelemetry.sdk.trace"):
        logging.getLogger(name).error("of ours")
    logging.getLogger("opentelemetryish").error("theirs")
    assert [log["body"] for log in telemetry.logs] == ["theirs"]


def test_secrets_and_odd_names_are_no_trouble(telemetry: Telemetry, app: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    app.info("key %s", "sk-proj-a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6", extra={"password": "hunter2hunter2"})
    written = b"".join(telemetry.lines("logs"))
    assert b"sk-proj-a1B2" not in written
    assert b"hunter2" not in written
    assert capsys.readouterr() == ("", "")


@pytest.mark.own_attributes("x", "y", "w", "\ufffd", *(f"n{number}" for number in range(200)))
def test_extra_fields_that_no_log_record_can_hold(telemetry: Telemetry, app: logging.Logger) -> None:
    app.info("odd", extra={f"n{number}": number for number in range(200)})
    app.info("odd", extra={"": 1, "x": 2**80, "y": float("nan"), "z": None, "w": object(), "\ud800": "\ud800"})
    assert [log["body"] for log in telemetry.logs] == ["odd", "odd"]


def test_records_without_an_operation_are_first_items(tmp_path: Path) -> None:
    done = ran(tmp_path, "import logging\nlogging.getLogger('app').error('alone')\n")
    assert (done.said, the_log(done.telemetry)["body"]) == ((0, "", "alone\n"), "alone")


SHIPPING = """
    import http.client, logging, sys, time
    logging.basicConfig(level="DEBUG", filename=sys.argv[1])
    import otel_agents as oa
    with oa.step("here"):
        pass
    assert oa.flush(10)
"""


@pytest.mark.parametrize("journal", ["true", "false"])
def test_our_own_requests_are_no_items(tmp_path: Path, journal: str) -> None:
    """The shipper's, and in the standard escape those of the SDK's exporter, whose HTTP library logs at debug."""
    with http_receiver() as receiver:
        given = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_AGENTS_LOG_LEVEL": "DEBUG", "OTEL_AGENTS_JOURNAL": journal}
        done = ran(tmp_path, SHIPPING, str(tmp_path / "log"), **given)
        assert done.said == (0, "", "")
        assert receiver.names("traces") == ["step here"]
        assert [item for item in receiver.items("logs") if not item.get("eventName")] == []


def test_the_patch_is_one_and_is_undone() -> None:
    original = logging.Logger.callHandlers
    handlers = list(logging.getLogger().handlers)
    with capture():
        assert logging.Logger.callHandlers is not original
        assert logging.getLogger().handlers == handlers
        assert sys.modules["logging"].Logger.callHandlers.__module__ == "otel_agents.runtime.log_capture"
    assert logging.Logger.callHandlers is original
