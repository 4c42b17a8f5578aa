"""What we say about ourselves shows no credential, and everything else as it is."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from otel_agents.redaction.messages import address, line, public, word, wrong

KEY = "sk-proj-4f8Gk2LmQ9rT7vXz1BcD3eFgH5jKnP6sUwYa"
PASSWORD = "tr0ub4dor-correct-horse"
GONE = "[redacted:openai-key]"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://collector:4318", "http://collector:4318"),
        ("collector:4317", "collector:4317"),
        ("http://[::1]:4318/v1/traces", "http://[::1]:4318/v1/traces"),
        ("https://bob:secret@collector:4318/v1/traces", "https://collector:4318/v1/traces"),
        ("https://x/y?api_key=abcdef123456&a=b#token=abcdef123456", "https://x/y?***"),
        ("https://x/y#frag", "https://x/y?***"),
        (f"https://x/{KEY}/v1", f"https://x/{GONE}/v1"),
        (f"{KEY}:1", f"{GONE}:1"),
        (f"https//bob:{PASSWORD}@x/y", "https/***"),
        (f"bob:{PASSWORD}", "***"),
        ("https://[::1", "***"),
        ("https://x:port", "***"),
    ],
)
def test_addresses(url: str, expected: str) -> None:
    assert address(url) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("journal_max_bytes", "many", "'many'"),
        ("journal_max_bytes", 5, "5"),
        ("content", KEY, f"'{GONE}'"),
        ("content", PASSWORD, "***"),
        ("traces_exporter", "a_long_name_of_an_exporter_2", "'a_long_name_of_an_exporter_2'"),
        ("config_file", "/srv/agents-2/otel-agents.yaml", "'/srv/agents-2/otel-agents.yaml'"),
        ("otlp_headers", f"x-api-key={KEY}", "***"),
        ("otlp_endpoint", f"ftp://bob:{PASSWORD}@h", "'ftp://h'"),
        ("content_in", ["spans", KEY], f"['spans', '{GONE}']"),
        ("content_in", object(), "object"),
        ("service_name", "word " * 40, f"'{'word ' * 15}word…"),
        ("service_name", f"{'word ' * 15} {KEY}", f"'{'word ' * 15} [re…"),
    ],
)
def test_a_wrong_value_is_cut_after_it_was_redacted(name: str, value: Any, expected: str) -> None:
    assert wrong(name, value) == expected


def test_tables_are_shown_with_what_is_none() -> None:
    given = {
        "headers": {"X-Key": PASSWORD, KEY.lower(): "x", "dXNlcjpwYXNzd29yZDEyMw": ""},
        "endpoint": f"http://u:{PASSWORD}@h/x",
        "parameters": {"api_key": "abcdef123456", "password": PASSWORD, "temperature": 0.5, "words": ("a", KEY)},
        KEY: True,
        "client_key": "/etc/ssl/Agents1/ClientKey",
        "dir": Path("/srv/journal"),
    }
    assert public("", given) == {
        "headers": {"X-Key": "***", GONE: "***", "***": "***"},
        "endpoint": "http://h/x",
        "parameters": {"api_key": "[redacted:api-key]", "password": "[redacted:password]", "temperature": 0.5, "words": ("a", GONE)},
        GONE: True,
        "client_key": "/etc/ssl/Agents1/ClientKey",
        "dir": "/srv/journal",
    }


def test_a_table_that_contains_itself_is_shown_to_a_depth() -> None:
    table: dict[str, Any] = {}
    table["again"] = table
    assert str(public("", table)).count("again") == 9
    assert wrong("content", [table]).startswith("[{'again'")


def test_lines_and_words_without_a_credential_stay() -> None:
    for text in ("otel-agents: traces do not get to h:1: HTTP 401", "OTEL_EXPORTER_OTLP_HEADERS=*** has a header without a value: write name=value,name=value"):
        assert line(text) == text
    assert word("openai-agents-python") == "openai-agents-python"


def test_every_line_that_we_log_is_made_fit(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("otel_agents").warning("otel-agents: %s and %d", f"it is {KEY}", 1)
        logging.getLogger("otel_agents").warning("otel-agents: %s", "well")
    said, well = caplog.records
    assert (said.getMessage(), said.args) == (f"otel-agents: it is {GONE} and 1", ())
    assert (well.getMessage(), well.args) == ("otel-agents: well", ("well",))
