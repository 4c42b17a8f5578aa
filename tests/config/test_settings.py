import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import jsonschema
import opentelemetry.environment_variables
import opentelemetry.sdk.environment_variables
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.util.re import parse_env_headers

from otel_agents.config import parsers
from otel_agents.config.model import Model, judged, schema
from otel_agents.config.otel_variables import CAPTURE, VARIABLES
from otel_agents.config.paths import journal_folder
from otel_agents.config.settings import Endpoint, Settings, SettingsError, load, load_forgiving
from otel_agents.config.sources import gather
from otel_agents.config.values import KNOWN
from otel_agents.otlp.signals import SIGNALS

MIB = 2**20
BASE, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without files, an environment without settings, a home of its own."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def put(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


def write(name: str, text: str) -> Path:
    file = Path.cwd() / name
    file.write_text(text)
    return file


def wrong(**overrides: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(**overrides)
    assert str(caught.value) == "\n".join(caught.value.lines)
    return caught.value.lines


# defaults and precedence


def test_nothing_set_is_local_without_content(tmp_path: Path) -> None:
    settings = load()
    assert (settings.enabled, settings.content, settings.content_in, settings.destination) == (True, "none", ("events",), "local")
    assert [settings.endpoint(signal) for signal in SIGNALS] == [None, None, None]
    assert all(settings.exports(signal) for signal in SIGNALS)
    assert settings.journal_dir == tmp_path / "home/.local/state/otel-agents/journal"
    assert (settings.journal_max_bytes, settings.journal_max_age, settings.journal_rotate_bytes) == (1024 * MIB, 604800.0, 64 * MIB)
    assert (settings.origins, settings.notices) == ({}, ())


def test_arguments_beat_the_environment_beats_the_file_beats_defaults(env: Callable[..., None]) -> None:
    file = write("otel-agents.yaml", "service_name: file\ncontent: hashed\nship_interval: 9s\n")
    env(OTEL_SERVICE_NAME="environment", OTEL_AGENTS_CONTENT="redacted")
    settings = load(service_name="argument")
    assert (settings.service_name, settings.content, settings.ship_interval, settings.metric_cardinality) == ("argument", "redacted", 9.0, 100)
    assert settings.config_file == file
    assert settings.origins == {
        "service_name": "argument service_name",
        "content": "OTEL_AGENTS_CONTENT",
        "ship_interval": "otel-agents.yaml:3 ship_interval",
        "config_file": "found here",
    }


def test_our_variable_beats_the_conventional_one(env: Callable[..., None]) -> None:
    env(OTEL_SERVICE_NAME="theirs", OTEL_AGENTS_SERVICE_NAME="ours")
    assert load().service_name == "ours"


def test_an_argument_of_none_is_no_argument(env: Callable[..., None]) -> None:
    env(OTEL_AGENTS_CONTENT="full")
    assert load(content=None).content == "full"


def test_the_class_alone_reads_nothing(env: Callable[..., None]) -> None:
    env(OTEL_AGENTS_CONTENT="full")
    assert Settings().content == "none"


def test_settings_are_frozen_picklable_and_show_no_secret(env: Callable[..., None]) -> None:
    env(OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20s3cret", OTEL_EXPORTER_OTLP_ENDPOINT="http://u:s3cret@h")
    settings = load()
    with pytest.raises(FrozenInstanceError):
        settings.content = "full"  # type: ignore[misc]  # what is tested
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert "s3cret" not in repr(settings)


def test_the_class_reads_what_it_is_given_and_refuses_the_rest() -> None:
    assert Settings(content=" FULL ").content == "full"
    with pytest.raises(ValueError, match=r"^content is not a valid choice: use none, .*; metric_cardinality is not a count"):
        Settings(content="ful", metric_cardinality="many")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(TypeError, match="contnet"):
        Settings(contnet="full")  # type: ignore[call-arg]  # what is tested


def test_what_was_read_is_read_as_itself(env: Callable[..., None]) -> None:
    env(OTEL_EXPORTER_OTLP_HEADERS="a=b%20c", OTEL_EXPORTER_OTLP_TIMEOUT="3", OTEL_AGENTS_INSTRUMENT="openai", OTEL_AGENTS_JOURNAL_MAX_BYTES="160MiB")
    for settings in (load(), Settings()):
        assert replace(settings) == settings


# kinds of values


@pytest.mark.parametrize(
    ("text", "on"),
    [("true", True), ("1", True), ("YES", True), ("on", True), ("false", False), ("0", False), ("No", False), ("off", False), ("", False), (" ", False)],
)
def test_a_switch_knows_the_words_for_on_and_off(env: Callable[..., None], text: str, on: bool) -> None:
    env(OTEL_AGENTS_JOURNAL=text)
    assert load().journal is on


def test_an_empty_variable_that_is_no_switch_is_unset(env: Callable[..., None]) -> None:
    env(OTEL_AGENTS_CONTENT="", OTEL_AGENTS_JOURNAL_MAX_BYTES="", OTEL_SERVICE_NAME="", OTEL_EXPORTER_OTLP_ENDPOINT="", OTEL_TRACES_EXPORTER="")
    assert load().origins == {}


@pytest.mark.parametrize(
    ("text", "size"),
    [("1048576", MIB), ("1MB", 10**6), ("1 MiB", MIB), ("1.5gib", 1536 * MIB), (2 * MIB, 2 * MIB), ("2e6", 2_000_000)],
)
def test_sizes(text: Any, size: int) -> None:
    assert parsers.size(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("7d", 604800.0), ("30s", 30.0), ("500ms", 0.5), (2, 2.0), ("1.5 h", 5400.0), ("2w", 1209600.0), (".5", 0.5)])
def test_times(text: Any, seconds: float) -> None:
    assert parsers.seconds(text) == pytest.approx(seconds)


def test_lists_come_with_commas_or_as_lists(env: Callable[..., None]) -> None:
    env(OTEL_AGENTS_INSTRUMENT="openai, litellm,")
    assert load(disable=["mcp"]).instrument == ("openai", "litellm")
    assert load(disable=["mcp"]).disable == ("mcp",)
    assert load(instrument="").instrument == ()


@pytest.mark.parametrize(("text", "level"), [("debug", 10), ("WARN", 30), ("15", 15), ("notset", 0)])
def test_log_levels(env: Callable[..., None], text: str, level: int) -> None:
    env(OTEL_AGENTS_LOG_LEVEL=text)
    assert load().log_level == level


def test_a_relative_folder_stays_where_it_was_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load(journal_dir="here")
    monkeypatch.chdir(tmp_path)
    assert settings.journal_dir == tmp_path / "work/here"
    assert load(journal_dir="~/j").journal_dir == tmp_path / "home/j"


def test_a_segment_is_a_sixteenth_of_the_journal_unless_said() -> None:
    assert load(journal_max_bytes="160MiB").journal_rotate_bytes == 10 * MIB
    assert load(journal_max_bytes="160MiB", journal_rotate_bytes="1MiB").journal_rotate_bytes == MIB
    assert wrong(journal_max_bytes="160MiB", journal_rotate_bytes="11MiB") == (
        "argument journal_rotate_bytes='11MiB' is more than a sixteenth of the journal: write at most 10485760, or raise journal_max_bytes",
    )


# content


@pytest.mark.parametrize(
    ("conventional", "ours", "content", "places"),
    [
        (None, None, "none", ("events",)),
        (None, "redacted", "redacted", ("events",)),
        ("NO_CONTENT", None, "none", ("events",)),
        ("NO_CONTENT", "full", "full", ("events",)),
        ("SPAN_ONLY", None, "full", ("spans",)),
        ("EVENT_ONLY", None, "full", ("events",)),
        ("span_and_event", None, "full", ("spans", "events")),
        ("SPAN_ONLY", "hashed", "hashed", ("spans",)),
        ("SPAN_ONLY", "none", "none", ("spans",)),
        ("true", None, "full", ("events",)),
        ("false", None, "none", ("events",)),
    ],
)
def test_content_is_switched_by_our_knob_else_the_conventional_one(
    env: Callable[..., None], conventional: str | None, ours: str | None, content: str, places: tuple[str, ...]
) -> None:
    env(**{name: value for name, value in ((CAPTURE, conventional), ("OTEL_AGENTS_CONTENT", ours)) if value is not None})
    assert (load().content, load().content_in) == (content, places)


def test_the_file_decides_how_and_the_conventional_variable_where(env: Callable[..., None]) -> None:
    write("otel-agents.yaml", "content: redacted")
    env(**{CAPTURE: "SPAN_ONLY"})
    assert (load().content, load().content_in) == ("redacted", ("spans",))


# endpoints


@pytest.mark.parametrize(
    ("variables", "url", "protocol"),
    [
        ({BASE: "http://c:4318"}, "http://c:4318/v1/traces", None),
        ({BASE: "http://c:4318/"}, "http://c:4318/v1/traces", None),
        ({BASE: "https://c/otlp/"}, "https://c/otlp/v1/traces", None),
        ({BASE: "https://c/otlp?key=1"}, "https://c/otlp/v1/traces?key=1", None),
        ({BASE: "collector:4318"}, "http://collector:4318/v1/traces", None),
        ({BASE: "http://c:4318", TRACES: "http://t:1/x"}, "http://t:1/x", None),
        ({TRACES: "http://t:1"}, "http://t:1", None),
        ({BASE: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://c:4317", "grpc"),
        ({BASE: "http://c:4317"}, "http://c:4317", "grpc"),
        ({BASE: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "http://c:4317/v1/traces", "http/json"),
        ({BASE: "http://c:1", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, "http://c:1/v1/traces", "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318/v1/traces", None),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", "grpc"),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, "http://localhost:4318/v1/traces", "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_grpc", BASE: "c:4317"}, "c:4317", "grpc"),
        ({"OTEL_TRACES_EXPORTER": "console,otlp", BASE: "http://c:1"}, "http://c:1/v1/traces", None),
    ],
)
def test_where_traces_are_shipped_to(env: Callable[..., None], variables: dict[str, str], url: str, protocol: str | None) -> None:
    env(**variables)
    assert load().endpoint("traces") == Endpoint(url, protocol, {}, 10.0, "gzip")


@pytest.mark.parametrize("exporter", ["none", "console", "zipkin"])
def test_an_exporter_that_is_not_otlp_ships_nothing(env: Callable[..., None], exporter: str) -> None:
    env(OTEL_TRACES_EXPORTER=exporter, OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318")
    settings = load()
    assert settings.endpoint("traces") is None
    assert settings.endpoint("logs") is not None
    assert settings.exports("traces") is (exporter != "none")


@pytest.mark.parametrize("base", ["http://c:4318", "http://c:4318/", "https://c/otlp", "https://c/otlp/"])
def test_urls_are_the_sdks_own(env: Callable[..., None], base: str) -> None:
    env(OTEL_EXPORTER_OTLP_ENDPOINT=base)
    endpoint = load().endpoint("traces")
    assert endpoint is not None
    assert endpoint.url == OTLPSpanExporter()._endpoint


def test_per_signal_variables_win_over_general_ones(env: Callable[..., None]) -> None:
    env(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318")
    for route, word in (("", "all"), ("LOGS_", "logs")):
        env(**{f"OTEL_EXPORTER_OTLP_{route}{knob}": f"/{word}" for knob in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")})
        env(**{f"OTEL_EXPORTER_OTLP_{route}HEADERS": f"{word}=1"})
    env(OTEL_EXPORTER_OTLP_LOGS_TIMEOUT="2.5", OTEL_EXPORTER_OTLP_LOGS_COMPRESSION="none", OTEL_EXPORTER_OTLP_LOGS_INSECURE="true")
    assert load().endpoint("logs") == Endpoint("http://c:4318/v1/logs", None, {"logs": "1"}, 2.5, "none", "/logs", "/logs", "/logs", True)
    assert load().endpoint("metrics") == Endpoint("http://c:4318/v1/metrics", None, {"all": "1"}, 10.0, "gzip", "/all", "/all", "/all", None)


@pytest.mark.parametrize(
    "text",
    ["a=b", "a=b,c=d", " A = b , c=d%20e ", "a=b=c", "authorization=Bearer%20abc", "authorization=Basic a%20b", "a=%C3%A4", "", "a=,b=1", ",a=1,"],
)
def test_headers_are_read_as_the_sdk_reads_them(text: str) -> None:
    assert parsers.headers(text) == parse_env_headers(text, liberal=True)


WORD = st.text("abcXYZ019-_.", min_size=1)


PIECE = st.sampled_from(["a", "Z", "1", " ", "=", "/", "+", "-", "%20", "%2C", "%C3%A4", "%zz"])


@given(st.dictionaries(WORD, st.lists(PIECE, max_size=8).map("".join)))
def test_any_headers_are_read_as_the_sdk_reads_them(pairs: dict[str, str]) -> None:
    text = ",".join(f"{name}={value}" for name, value in pairs.items())
    assert parsers.headers(text) == parse_env_headers(text, liberal=True)


def test_the_destination_is_the_three_addresses_without_credentials(env: Callable[..., None]) -> None:
    env(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318")
    plain = load().destination
    assert len(plain) == 16
    assert int(plain, 16) >= 0
    env(OTEL_EXPORTER_OTLP_ENDPOINT="http://user:secret@c:4318", OTEL_EXPORTER_OTLP_HEADERS="authorization=x", OTEL_EXPORTER_OTLP_TIMEOUT="1")
    assert load().destination == plain
    env(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT="http://other:4318/v1/logs")
    assert load().destination not in (plain, "local")


def test_no_shipped_signal_is_local(env: Callable[..., None]) -> None:
    env(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318", OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="console")
    assert load().destination == "local"


# the table of OTEL_* variables


def constants() -> set[str]:
    modules = (opentelemetry.sdk.environment_variables, opentelemetry.environment_variables)
    return {value for module in modules for name, value in vars(module).items() if name.lstrip("_").startswith("OTEL_")}


def test_every_variable_of_the_api_and_the_sdk_has_its_row_and_reason() -> None:
    names = [variable.name for variable in VARIABLES]
    assert len(names) == len(set(names))
    assert constants() - set(names) == set()
    assert all(variable.why.endswith((".", "sends.")) for variable in VARIABLES)
    assert {variable.name for variable in VARIABLES if variable.standing == "not applicable" and variable.setting} == set()


def routed(knob: str) -> Callable[[Settings], Any]:
    return lambda settings: settings.otlp[knob]


KNOBS = {
    "ENDPOINT": ("http://c:1", "http://c:1"),
    "PROTOCOL": ("grpc", "grpc"),
    "HEADERS": ("a=b%20c", {"a": "b c"}),
    "TIMEOUT": ("3", 3.0),
    "COMPRESSION": ("none", "none"),
    "CERTIFICATE": ("/ca", "/ca"),
    "CLIENT_KEY": ("/key", "/key"),
    "CLIENT_CERTIFICATE": ("/cert", "/cert"),
    "INSECURE": ("true", True),
}
ROUTES = ("", *(f"{signal}_" for signal in SIGNALS))
BEHAVIOUR: dict[str, tuple[str, Any, Callable[[Settings], Any]]] = {
    "OTEL_SDK_DISABLED": ("true", False, lambda s: s.enabled),
    "OTEL_CONFIG_FILE": ("otel.yaml", True, lambda s: "OTEL_CONFIG_FILE=otel.yaml" in s.notices[0]),
    "OTEL_BSP_SCHEDULE_DELAY": ("2500", 2.5, lambda s: s.ship_interval),
    "OTEL_BLRP_SCHEDULE_DELAY": ("500", 0.5, lambda s: s.ship_interval),
    "OTEL_SERVICE_NAME": ("shop", "shop", lambda s: s.service_name),
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": ("DELTA", "delta", lambda s: s.metric_temporality),
    "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": (
        "base2_exponential_bucket_histogram",
        "base2_exponential_bucket_histogram",
        lambda s: s.metric_histogram,
    ),
    "OTEL_METRIC_EXPORT_INTERVAL": ("5000", 5.0, lambda s: s.metric_interval),
    "OTEL_METRIC_EXPORT_TIMEOUT": ("1000", 1.0, lambda s: s.metric_timeout),
    "OTEL_PYTHON_ID_GENERATOR": ("xray", "xray", lambda s: s.id_generator),
    "OTEL_TRACES_EXPORTER": ("none", False, lambda s: s.exports("traces")),
    "OTEL_METRICS_EXPORTER": ("none", False, lambda s: s.exports("metrics")),
    "OTEL_LOGS_EXPORTER": ("none", False, lambda s: s.exports("logs")),
    CAPTURE: ("SPAN_ONLY", ("full", ("spans",)), lambda s: (s.content, s.content_in)),
    **{
        f"OTEL_EXPORTER_OTLP_{route.upper()}{knob}": (text, value, routed(f"{route}{knob.lower()}"))
        for route in ROUTES
        for knob, (text, value) in KNOBS.items()
    },
}


@pytest.mark.parametrize("variable", [variable for variable in VARIABLES if variable.setting], ids=lambda variable: variable.name)
def test_each_variable_that_sets_something_sets_it(env: Callable[..., None], variable: Any) -> None:
    text, value, read = BEHAVIOUR[variable.name]
    env(**{variable.name: text})
    settings = load()
    assert read(settings) == value
    assert settings.origins[variable.setting] == variable.name


@pytest.mark.parametrize("variable", [variable for variable in VARIABLES if not variable.setting], ids=lambda variable: variable.name)
def test_variables_that_others_read_change_no_setting(env: Callable[..., None], variable: Any) -> None:
    env(**{variable.name: "7"})
    assert load() == Settings(journal_dir=journal_folder())


def test_a_disabled_sdk_wins_over_everything(env: Callable[..., None]) -> None:
    env(OTEL_SDK_DISABLED="true", OTEL_AGENTS_ENABLED="true")
    assert load(enabled=True).enabled is False
    env(OTEL_SDK_DISABLED="1")  # only the word counts (specification)
    assert load().enabled is True


def test_span_delay_counts_before_log_delay(env: Callable[..., None]) -> None:
    env(OTEL_BSP_SCHEDULE_DELAY="2000", OTEL_BLRP_SCHEDULE_DELAY="500")
    assert load().ship_interval == 2.0


def test_exporters_that_we_have_not_are_said(env: Callable[..., None]) -> None:
    env(OTEL_METRICS_EXPORTER="prometheus,zipkin,otlp")
    assert load().notices == ("OTEL_METRICS_EXPORTER=zipkin: otel-agents has no such exporter; use otlp, prometheus, console or none",)
    env(OTEL_METRICS_EXPORTER="otlp", OTEL_TRACES_EXPORTER="prometheus")
    assert load().notices == ("OTEL_TRACES_EXPORTER=prometheus: otel-agents has no such exporter; use otlp, console or none",)


# the file


def test_groups_of_the_file_are_the_flat_names_in_parts() -> None:
    write(
        "otel-agents.yaml",
        "service: {name: shop}\njournal: {dir: /j, max-bytes: 512MB, max_age: 2d}\ncontent: {mode: hashed, in: [spans, events]}\n"
        "otlp: {endpoint: 'http://c:1', headers: {X-Key: a%20b}, traces: {timeout: 3}}\nlogs: {level: error}\nmetrics: {interval: 5s, old: true}\nship: off\n",
    )
    settings = load()
    assert (settings.service_name, settings.journal_dir, settings.journal_max_bytes) == ("shop", Path("/j"), 512_000_000)
    assert (settings.content, settings.content_in, settings.log_level) == ("hashed", ("spans", "events"), 40)
    assert (settings.metric_interval, settings.old_metrics, settings.ship) == (5.0, True, False)
    assert settings.endpoint("traces") == Endpoint("http://c:1/v1/traces", None, {"x-key": "a%20b"}, 3.0, "gzip")
    assert settings.origins["journal_max_bytes"] == "otel-agents.yaml:2 journal.max-bytes"


def test_short_names_of_the_endpoint(env: Callable[..., None]) -> None:
    write("otel-agents.yaml", "endpoint: http://file:1\nheaders: {a: b}\n")
    endpoint = load().endpoint("logs")
    assert endpoint is not None
    assert (endpoint.url, endpoint.headers) == ("http://file:1/v1/logs", {"a": "b"})
    env(OTEL_EXPORTER_OTLP_ENDPOINT="http://environment:1")
    argument = load(endpoint="http://argument:1").endpoint("logs")
    assert argument is not None
    assert argument.url == "http://argument:1/v1/logs"


def test_the_nearest_pyproject_counts_where_no_yaml_is(monkeypatch: pytest.MonkeyPatch) -> None:
    project = write("pyproject.toml", '[project]\nname = "x"\n[tool.otel-agents]\ncontent = "metadata"\njournal.dir = "/j"\n')
    (Path.cwd() / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(Path.cwd() / "deep/er")
    assert (load().content, load().journal_dir, load().config_file) == ("metadata", Path("/j"), project)
    write("otel-agents.yaml", "content: hashed")
    assert (load().content, load().journal_dir != Path("/j")) == ("hashed", True)


def test_a_pyproject_of_others_is_left_alone() -> None:
    write("pyproject.toml", "this is = not toml = at all")
    assert load().config_file is None


def test_a_named_file_beats_the_one_of_the_folder(env: Callable[..., None], tmp_path: Path) -> None:
    write("otel-agents.yaml", "content: hashed")
    (tmp_path / "other.yaml").write_text("content: metadata")
    (tmp_path / "third.toml").write_text('content = "full"')
    env(OTEL_AGENTS_CONFIG_FILE=str(tmp_path / "other.yaml"))
    assert load().content == "metadata"
    assert load(config_file=tmp_path / "third.toml").content == "full"


def test_a_folder_that_was_deleted_has_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert load().config_file is None


def test_sections_are_kept_by_name() -> None:
    write(
        "otel-agents.yaml",
        "agents:\n  planner: {model: gpt-5, description: plans}\n  coder: gpt-5\nmodels: [gpt-5]\n"
        "experiments:\n  fix: {agents: [planner], parameters: {temperature: 0}, metrics: [solved]}\nalerts: {tool_fails: 0.4, cost_per_hour: {threshold: 3}}\n",
    )
    settings = load()
    assert settings.agents == {"planner": {"model": "gpt-5", "description": "plans"}, "coder": {"model": "gpt-5"}}
    assert settings.models == {"gpt-5": {}}
    assert settings.experiments == {"fix": {"agents": ["planner"], "parameters": {"temperature": 0}, "metrics": ["solved"]}}
    assert settings.alerts == {"tool_fails": {"threshold": 0.4}, "cost_per_hour": {"threshold": 3}}


# messages


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            {"OTEL_AGENTS_CONTENT": "ful"},
            "OTEL_AGENTS_CONTENT='ful' is not a valid choice: use none, metadata, hashed, redacted, full (did you mean full?)",
        ),
        ({"OTEL_AGENTS_SHIP": "maybe"}, "OTEL_AGENTS_SHIP='maybe' is neither true nor false: write one of them"),
        ({"OTEL_AGENTS_CONTNET": "full"}, "OTEL_AGENTS_CONTNET is not a setting of otel-agents; did you mean OTEL_AGENTS_CONTENT?"),
        ({"OTEL_AGENTS_ZZZ": "s3cret"}, "OTEL_AGENTS_ZZZ is not a setting of otel-agents; `otel-agents config show` lists them"),
        (
            {"OTEL_AGENTS_JOURNAL_MAX_BYTES": "lots"},
            "OTEL_AGENTS_JOURNAL_MAX_BYTES='lots' is not a size: write bytes as a number, or 512MB, 1GiB",
        ),
        ({"OTEL_AGENTS_JOURNAL_MAX_BYTES": "5kB"}, "OTEL_AGENTS_JOURNAL_MAX_BYTES='5kB' is too small for a journal: write at least 1MiB"),
        (
            {"OTEL_BSP_SCHEDULE_DELAY": "soon"},
            "OTEL_BSP_SCHEDULE_DELAY='soon' is not a time: write seconds as a number, or 500ms, 30s, 15m, 12h, 7d",
        ),
        (
            {"OTEL_AGENTS_CONTENT_MAX_BYTES": "1e999"},
            "OTEL_AGENTS_CONTENT_MAX_BYTES='1e999' is not a size: write bytes as a number, or 512MB, 1GiB (greater than 0, and finite)",
        ),
        ({"OTEL_AGENTS_METRIC_CARDINALITY": "2.5"}, "OTEL_AGENTS_METRIC_CARDINALITY='2.5' is not a count: write a whole number, 1 or more"),
        ({"OTEL_AGENTS_LOG_LEVEL": "loud"}, "OTEL_AGENTS_LOG_LEVEL='loud' is not a log level: use debug, info, warning, error, critical, or a number"),
        ({"OTEL_AGENTS_CONTENT_IN": "bodies"}, "OTEL_AGENTS_CONTENT_IN='bodies' is not a valid choice: use spans, events, or both"),
        ({"OTEL_AGENTS_AGENTS": "x"}, "OTEL_AGENTS_AGENTS is not a table: write `agents:` with `name: …` lines below, in otel-agents.yaml"),
        ({CAPTURE: "SOME"}, f"{CAPTURE}='SOME' is not a valid choice: use NO_CONTENT, SPAN_ONLY, EVENT_ONLY or SPAN_AND_EVENT"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http"},
            "OTEL_EXPORTER_OTLP_PROTOCOL='http' is not a valid choice: use http/json, http/protobuf, grpc (did you mean http/json?)",
        ),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "deflate"}, "OTEL_EXPORTER_OTLP_COMPRESSION='deflate' is not a valid choice: use gzip, none"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:s3cret@host:port"},
            "OTEL_EXPORTER_OTLP_ENDPOINT=*** is not an endpoint: write http://host:4318, https://host, or host:4317 for grpc",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector"},
            "OTEL_EXPORTER_OTLP_ENDPOINT='collector' is not an endpoint: write http://host:4318, https://host, or host:4317 for grpc",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "x-api-key=abc123def456"},
            "OTEL_EXPORTER_OTLP_ENDPOINT='x-api-key=[redacted:api-key]' is not an endpoint: write http://host:4318, https://host, or host:4317 for grpc",
        ),
        (
            {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "ftp://h"},
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT='ftp://h' is not an endpoint: write http://host:4318, https://host, or host:4317 for grpc",
        ),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "Bearer s3cret"},
            "OTEL_EXPORTER_OTLP_HEADERS=*** has a header without a value: write name=value,name=value",
        ),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "a=s3cret%0d%0ab:c"},
            "OTEL_EXPORTER_OTLP_HEADERS=*** has a header that cannot be sent: write name=value,name=value, with other characters percent-encoded",
        ),
        ({"OTEL_AGENTS_CONFIG_FILE": "/no/such.yaml"}, "OTEL_AGENTS_CONFIG_FILE='/no/such.yaml' does not exist: create it, or leave the name out"),
    ],
)
def test_a_wrong_variable_is_one_line_and_the_default_stands_in(env: Callable[..., None], variables: dict[str, str], line: str) -> None:
    env(**variables)
    assert wrong() == (line,)
    settings, lines = load_forgiving()
    assert (settings, lines) == (Settings(journal_dir=settings.journal_dir), [line])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("journal:\n  dirr: /x\n", "otel-agents.yaml:2 journal.dirr is not a setting of otel-agents; did you mean journal.dir?"),
        ("contnet: full\n", "otel-agents.yaml:1 contnet is not a setting of otel-agents; did you mean content?"),
        ("a: b: c\n", "otel-agents.yaml:1: is not YAML (mapping values are not allowed here); correct that line"),
        ("headers:\n  key: *tr0ub4dor\n", "otel-agents.yaml:2: is not YAML (found undefined alias …); correct that line"),
        ("headers:\n  key: !tr0ub4dor x\n", "otel-agents.yaml:2: is not YAML (could not determine a constructor for the tag …); correct that line"),
        ("ship: off\njournal: [\n", "otel-agents.yaml:3: is not YAML (expected the node content, but found '<stream end>'); correct that line"),
        ("a: \x00\n", "otel-agents.yaml: is not YAML (unacceptable character #x0000: special characters are not allowed); correct it"),
        ("- content\n", "otel-agents.yaml: is not a table of settings; write `name: value` lines"),
        ("journal_dir: 5\n", "otel-agents.yaml:1 journal_dir=5 is not a path: write a folder's or file's name"),
        ("service_name: 5\n", "otel-agents.yaml:1 service_name=5 is not text: put it in quotes"),
        ("ship_interval: true\n", "otel-agents.yaml:1 ship_interval=True is not a time: write seconds as a number, or 500ms, 30s, 15m, 12h, 7d"),
        ("instrument: {openai: 1}\n", "otel-agents.yaml:1 instrument.openai is not a setting of otel-agents; did you mean instrument?"),
        ("agents: {a: {model: 5}}\n", "otel-agents.yaml:1 agents a.model is not text"),
        ("agents: [planner, 5]\n", "otel-agents.yaml:1 agents has an entry without a name: write `name: …` lines below `agents:`"),
        (
            "experiments: {e: 5}\n",
            "otel-agents.yaml:1 experiments e is not a table: write `e:` with name, description, agents, parameters, metrics, validation below",
        ),
        ("alerts: {tool_fails: 1.5}\n", "otel-agents.yaml:1 alerts tool_fails has a threshold of 1.5, which is out of range: write more than 0, at most 1"),
        ("alerts: {tool_fails: high}\n", "otel-agents.yaml:1 alerts tool_fails.threshold is not a number"),
    ],
)
def test_a_wrong_file_is_one_line_with_its_place(text: str, line: str) -> None:
    write("otel-agents.yaml", text)
    assert wrong() == (line,)
    assert load_forgiving() == (load_forgiving()[0], [line])


def test_a_wrong_pyproject_names_its_table() -> None:
    write("pyproject.toml", '[tool.otel-agents]\ncontent = "ful"\n')
    assert wrong()[0].startswith("pyproject.toml [tool.otel-agents] content='ful' is not a valid choice")
    write("pyproject.toml", "[tool.otel-agents]\ncontent = \n")
    assert wrong()[0].startswith("pyproject.toml: is not TOML (Invalid value (at line 2")


def test_a_file_that_is_no_text_is_said() -> None:
    (Path.cwd() / "otel-agents.yaml").write_bytes(b"service_name: \xff\n")
    assert wrong() == ("otel-agents.yaml: is not UTF-8 text (byte 14); save it as UTF-8",)


def test_wrong_arguments() -> None:
    assert wrong(contnet="full", content="ful", journal_dir=object()) == (
        "argument contnet is not a setting of otel-agents; did you mean content?",
        "argument content='ful' is not a valid choice: use none, metadata, hashed, redacted, full (did you mean full?)",
        "argument journal_dir=object is not a path: write a folder's or file's name",
    )


def test_forgiving_takes_the_next_source_for_what_is_wrong(env: Callable[..., None]) -> None:
    write("otel-agents.yaml", "content: hashed\nship_interval: never\n")
    env(OTEL_AGENTS_CONTENT="ful", OTEL_AGENTS_JOURNAL="off")
    settings, lines = load_forgiving(content="more")
    assert (settings.content, settings.ship_interval, settings.journal) == ("hashed", 1.0, False)
    assert [line.partition("=")[0] for line in lines] == ["argument content", "OTEL_AGENTS_CONTENT", "otel-agents.yaml:2 ship_interval"]
    assert settings.origins["content"] == "otel-agents.yaml:1 content"


def test_a_long_wrong_value_is_cut() -> None:
    assert len(wrong(content="x" * 5000)[0]) < 250


# places and costs


def test_the_journal_lives_in_the_state_folder(env: Callable[..., None], tmp_path: Path) -> None:
    assert journal_folder() == tmp_path / "home/.local/state/otel-agents/journal"
    env(XDG_STATE_HOME=str(tmp_path))
    assert journal_folder() == tmp_path / "otel-agents/journal"
    env(XDG_STATE_HOME="relative")  # not a state folder, says the specification
    assert journal_folder() == tmp_path / "home/.local/state/otel-agents/journal"


def test_without_a_home_that_can_be_written_it_is_temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = journal_folder()
    assert folder.name == "journal"
    assert folder.parent.parent == tmp_path


def imported(program: str, **variables: str) -> str:
    """Which of the modules that cost a start milliseconds this program has imported."""
    show = f"import sys; {program}; print(sorted({{'yaml', 'tomllib', 'difflib', 'hashlib', 'pydantic', 'platformdirs'}} & set(sys.modules)))"
    given = {"PYTHONPATH": str(Path(__file__).parents[2]), **variables}
    return subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True, env=given).stdout.strip()


def test_loading_imports_nothing_heavy_without_a_file(tmp_path: Path) -> None:
    ours = {"OTEL_AGENTS_JOURNAL_DIR": str(tmp_path), "OTEL_AGENTS_JOURNAL_MAX_BYTES": "512MB"}
    theirs = {"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_SERVICE_NAME": "shop"}
    assert imported("from otel_agents.config.settings import load; load(content='full')", **ours, **theirs) == "[]"


def test_the_model_judges_what_is_wrong_and_what_a_file_says() -> None:
    load_it = "from otel_agents.config.settings import load_forgiving; load_forgiving()"
    assert "pydantic" in imported(load_it, OTEL_AGENTS_CONTENT="ful")
    write("otel-agents.yaml", "content: full\n")
    assert "pydantic" in imported(load_it)


def test_the_file_is_looked_for_before_anything_is_imported() -> None:
    assert imported("from otel_agents.config.files import nearby_file; nearby_file()") == "[]"


@pytest.mark.parametrize("variable", [variable for variable in VARIABLES if variable.setting], ids=lambda variable: variable.name)
def test_the_model_reads_a_value_as_a_start_without_it_does(env: Callable[..., None], variable: Any) -> None:
    env(**{variable.name: BEHAVIOUR[variable.name][0]}, OTEL_AGENTS_JOURNAL_MAX_AGE="36h", OTEL_AGENTS_LOG_LEVEL="error", OTEL_AGENTS_INSTRUMENT="openai,mcp")
    assert judged(gather({}, os.environ)) == (load(), [])


def test_the_model_hides_its_secrets(env: Callable[..., None]) -> None:
    env(OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20s3cret")
    model = Model(**{"found": gather({}, os.environ)})
    assert "authorization" in repr(model)
    assert "s3cret" not in repr(model) + str(model) + model.model_dump_json()
    assert "s3cret" not in repr(Endpoint("http://h", None, {"authorization": "s3cret"}, 1.0, "gzip"))


# the schema for editors

WRITTEN = (
    "service: {name: shop}\njournal: {dir: /j, max-bytes: 512MB, max_age: 2d}\ncontent: {mode: hashed, in: [spans, events]}\n"
    "otlp: {endpoint: 'http://c:1', headers: {X-Key: a%20b}, traces: {timeout: 3}}\nlogs: {level: error}\nmetrics: {interval: 5s, old: true}\nship: off\n",
    "content: full\njournal: off\njournal_max_bytes: 2e6\nendpoint: c:4317\nlogs: false\ninstrument: openai,mcp\nlog_level: 15\n",
    "agents: {planner: gpt-5, coder: {model: gpt-6, owner: me}, idle: }\nmodels: [gpt-5, {name: gpt-6}]\n"
    "alerts: {tool_fails: 0.4, agent_slow: {threshold: 3, events: 5}}\n"
    "experiments: {fix: {agents: [planner], parameters: {temperature: 0}, metrics: [solved]}}\n",
)
MISTAKEN = (
    "contnet: full",
    "content: ful",
    "journal: {dirr: /x}",
    "otlp: {traces: {protocol: http}}",
    "agents: {a: {model: 5}}",
    "alerts: {tool_fails: high}",
    "experiments: {e: 5}",
    "metric_cardinality: many",
)


@pytest.mark.parametrize("text", WRITTEN)
def test_an_editor_accepts_what_the_settings_accept(text: str) -> None:
    write("otel-agents.yaml", text)
    load()
    jsonschema.validate(yaml.safe_load(text), schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize("text", MISTAKEN)
def test_an_editor_marks_what_the_settings_refuse(text: str) -> None:
    write("otel-agents.yaml", text)
    assert wrong()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), schema(), jsonschema.Draft202012Validator)


def test_the_schema_describes_every_setting_and_shows_its_default() -> None:
    content = schema()
    jsonschema.Draft202012Validator.check_schema(content)
    assert set(content["properties"]) >= (KNOWN - {"config_file"})
    assert [name for name, one in content["properties"].items() if name in KNOWN and "anyOf" not in one and not one.get("description")] == []
    assert content["properties"]["journal_max_bytes"]["default"] == 2**30
    assert content["properties"]["content_in"]["default"] == ["events"]
    assert "default" not in content["properties"]["journal_dir"]
