"""R15: no credential of anybody's is written, wherever it stands, with content off and with content on; nor is it sent along to other services."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

import pytest
from hostile_secrets import (
    CARRIED,
    ISSUED,
    LIMIT,
    PERSONAL,
    PLACES,
    UNSHAPED,
    Secret,
    Written,
    at_the_cut,
    entropic,
    in_arguments,
    in_attributes,
    in_logs,
    in_names,
    in_pairs,
    personal,
    secrets,
)
from model_server import ModelServer, chat, chat_stream, error, function_call, response, response_stream, tool_call
from openai import APIError, OpenAI

import otel_agents as oa
from otel_agents.instrumentors.propagation import injected
from otel_agents.testing import capture

MODES = ("none", "metadata", "hashed", "redacted", "full")
BAR = "4 to 14 of 14 leak"
GIVEN = f"secrets of {len(ISSUED)} providers and services, {len(UNSHAPED)} by their name, {len(CARRIED)} in headers, URLs, pairs"
Place = Callable[[Secret], None]
pytestmark = [
    pytest.mark.meant_beside_conventions(""),  # a text with a secret stands where the conventions want a name, an id, a number
    pytest.mark.filterwarnings("ignore:Items? .* (is|are) using the `ReadOnly` qualifier:UserWarning"),  # what litellm does, and makes pydantic say
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*' attribute on the instance is deprecated"),
]


def leaked(given: Iterable[Secret], places: Iterable[Place], mode: str, **settings: Any) -> list[str]:
    """Whose secrets stand in what a program of these places has written: every byte of its journal."""
    given = list(given)
    with capture(**{"content": mode, "content_in": "spans,events", "content_max_bytes": 2**20, **settings}) as telemetry:
        for place in places:
            for secret in given:
                place(secret)
        assert telemetry.metrics
        written = Written(*(line for signal in ("traces", "logs", "metrics") for line in telemetry.lines(signal)))
        marks = sum(line.count(b"[redacted:") for signal in ("traces", "logs", "metrics") for line in telemetry.lines(signal))
    assert marks >= len(given) or mode != "full"  # they were there
    return [f"{secret.name}: {found[0].decode()}" for secret in given if (found := written.leaks(secret.value))]


def test_what_is_written_is_searched_for_all_of_them() -> None:
    given = list(secrets())
    everything = Written(*(f'{{"a": "{secret.value[: len(secret.value) * 3 // 4]}"}}'.encode() for secret in given))
    assert [secret.name for secret in given if not everything.leaks(secret.value) and len(secret.value) > 20] == []
    assert len({secret.value for secret in given}) == len(given) > 90


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_written(place: str, figure: Any) -> None:
    given = list(secrets())
    found = {mode: told for mode in MODES if (told := leaked(given, [PLACES[place]], mode))}
    assert found == {}
    figure("R15", f"{GIVEN}: {place}", f"{len(found)} of {len(given)} leak, with content off and on", BAR)


@pytest.mark.parametrize("place", [place for place in PLACES if PLACES[place] is not in_names])  # a user that a program declares is one
def test_no_personal_data_is_written_but_where_everything_is_asked_for(place: str, figure: Any) -> None:
    given = list(personal())
    found = {mode: told for mode in MODES if mode != "full" and (told := leaked(given, [PLACES[place]], mode))}
    assert found == {}
    figure("R15", f"{', '.join(PERSONAL)}: {place}", f"{len(found)} of {len(given)} leak, with content off and on", BAR)


@pytest.mark.parametrize("mode", ["none", "full"])
def test_random_words_beside_a_key_like_name(mode: str, figure: Any) -> None:
    given = list(entropic())
    found = leaked(given, [in_arguments, in_attributes, in_logs, in_pairs], mode)
    assert found == []
    figure("R15", f"random words beside a key-like name, content {mode}", f"{len(found)} of {len(given)} leak", BAR)


def test_half_a_secret_is_not_left_by_the_cut(figure: Any) -> None:
    given = list(secrets())
    found = leaked(given, [at_the_cut], "full", content_max_bytes=LIMIT)
    assert found == []
    figure("R15", f"{GIVEN}: where a value is cut in the middle of one", f"{len(found)} of {len(given)} leak", BAR)


def test_a_program_that_logs_everything_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """Our own debug lines, too, where a program has them all shown."""
    given = list(secrets())
    with caplog.at_level(logging.DEBUG):
        assert leaked(given, PLACES.values(), "full") == []
    ours = Written(*(record.getMessage().encode() for record in caplog.records if record.name.startswith(("otel_agents", "opentelemetry"))))
    assert [secret.name for secret in given if ours.leaks(secret.value)] == []


def test_nothing_secret_goes_along_to_other_services(figure: Any) -> None:
    given, found = list(secrets()), []
    with capture():
        for secret in given:
            with oa.session(secret.text, user=secret.text, tenant=secret.text), oa.agent(secret.text):
                found += [secret.name] if Written(*(value.encode() for value in injected().values())).leaks(secret.value) else []
    assert found == []
    figure("R15", f"{GIVEN}: baggage and trace context sent to other services", f"{len(found)} of {len(given)} leak", "–")


# ------------------------------------------------------------------------------------------------ models


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def by_openai(server: ModelServer, first: OpenAI, secret: Secret) -> None:
    """The key of the client, its headers, prompts, tools, answers whole and in pieces, arguments in halves, errors that repeat the key."""
    text, pieces = secret.text, [secret.text[place : place + 5] for place in range(0, len(secret.text), 5)]
    said: Any = [{"role": "system", "content": text}, {"role": "user", "content": [{"type": "text", "text": text}]}]
    tool: Any = {"type": "function", "function": {"name": "use", "description": text, "parameters": {"type": "object", "properties": {"x": {"default": text}}}}}
    server.will(
        chat(text, tool_calls=[tool_call("use", dict(secret.named))]),
        chat_stream(*pieces, tool_calls=[tool_call("use", dict(secret.named))]),
        error(401, f"Incorrect API key provided: {text}", code=text[:60]),
        response(text, output=[function_call("use", dict(secret.named))]),
        response_stream(*pieces),
    )
    key = secret.value if secret.value.isascii() and secret.value.isprintable() else "k"
    client = first.with_options(api_key=key, default_headers={"x-api-key": key}, default_query={"api_key": key})
    client.chat.completions.create(model="gpt-5", messages=said, tools=[tool], user=text)
    list(client.chat.completions.create(model="gpt-5", messages=said, stream=True))
    with pytest.raises(APIError):
        client.chat.completions.create(model="gpt-5", messages=said, stop=[text])
    client.responses.create(model="gpt-5", input=text, instructions=text, metadata={"own": text})
    list(client.responses.create(model="gpt-5", input=said, stream=True))


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The library, its table of prices without the network."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    library = import_module("litellm")
    monkeypatch.setattr(library, "suppress_debug_info", True)
    return library


def by_litellm(server: ModelServer, litellm: Any, secret: Secret) -> None:
    text, given = secret.text, {"model": "openai/gpt-5", "api_key": secret.value, "api_base": server.url, "max_retries": 0, "num_retries": 0}
    said = [{"role": "user", "content": text}]
    server.will(chat(text, tool_calls=[tool_call("use", dict(secret.named))]), chat_stream(*text), error(401, f"Incorrect API key provided: {text}"))
    litellm.completion(messages=said, metadata={"own": text}, user=text, **given)
    list(litellm.completion(messages=said, stream=True, **given))
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(messages=said, **given)


@pytest.mark.parametrize("mode", MODES)
def test_no_secret_of_a_model_call_is_written(mode: str, server: ModelServer, figure: Any) -> None:
    given = list(secrets())
    with OpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        found = leaked(given, [partial(by_openai, server, client)], mode)
    assert found == []
    figure("R15", f"{GIVEN}: calls of models by openai, content {mode}", f"{len(found)} of {len(given)} leak", BAR)


@pytest.mark.parametrize("mode", ["none", "full"])
def test_no_secret_of_a_model_call_through_litellm_is_written(mode: str, server: ModelServer, litellm: Any, figure: Any) -> None:
    given = [secret for secret in secrets() if secret.value.isascii() and "\\" not in secret.value][::3]
    found = leaked(given, [partial(by_litellm, server, litellm)], mode)
    assert found == []
    figure("R15", f"a third of these secrets: calls of models by litellm over openai, content {mode}", f"{len(found)} of {len(given)} leak", BAR)
