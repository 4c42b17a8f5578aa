"""Which content is captured by mode, destination and size; and no credential is ever written, wherever the program puts it."""

from __future__ import annotations

import json
import logging
import os
from hashlib import sha256
from typing import Any

import litellm
import pytest
from model_server import ModelServer, chat, chat_stream, error, tool_call
from openai import BadRequestError, OpenAI
from opentelemetry import baggage, context, trace
from opentelemetry.trace import Link, StatusCode

import otel_agents as oa
from otel_agents.testing import Telemetry, capture

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # its table of prices, without the network
pytestmark = [  # litellm's own
    pytest.mark.filterwarnings("ignore::UserWarning:pydantic"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

MODES = ("none", "metadata", "hashed", "redacted", "full")
BOTH = "spans,events"
KEY = "sk-proj-4f8Gk2LmQ9rT7vXz1BcD3eFgH5jKnP6sUwYa"
MAIL = "ann@example.com"
SAID = f"I am {MAIL}, my key is {KEY}"
CONTENT = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions")


def written(telemetry: Telemetry) -> bytes:
    """Every byte of the journal."""
    return b"\n".join(line for signal in ("traces", "logs", "metrics") for line in telemetry.lines(signal))


def details(telemetry: Telemetry) -> dict[str, Any]:
    [event] = [event for event in telemetry.events if event["event_name"] == "gen_ai.client.inference.operation.details"]
    return dict(event["attributes"])


def message(role: str, text: str) -> list[dict[str, Any]]:
    return [{"role": role, "parts": [{"type": "text", "content": text}]}]


@oa.llm(model="gpt-4o", provider="openai")
def ask(prompt: str) -> str:
    return prompt


# ------------------------------------------------------------------------------------------------ modes

NAMELESS = "I am [redacted:email], my key is [redacted:openai-key]"
MAILED = f"I am {MAIL}, my key is [redacted:openai-key]"
EXPECTED = {
    "none": None,
    "metadata": f"[{len(NAMELESS)} characters]",
    "hashed": f"sha256:{sha256(NAMELESS.encode()).hexdigest()[:16]}",
    "redacted": NAMELESS,
    "full": MAILED,
}


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_lets_through_what_it_says(mode: str) -> None:
    with capture(content=mode, content_in=BOTH) as telemetry:
        ask(SAID)
    attributes, told, expected = telemetry.spans[0]["attributes"], details(telemetry), EXPECTED[mode]
    for name, role in (("gen_ai.input.messages", "user"), ("gen_ai.output.messages", "assistant")):
        assert told.get(name) == (message(role, expected) if expected else None)
        assert attributes.get(name) == (json.dumps(message(role, expected), separators=(",", ":")) if expected else None)


@pytest.mark.parametrize("mode", ["metadata", "hashed"])
def test_structure_and_numbers_keep_their_shape_where_texts_are_hidden(mode: str) -> None:
    @oa.retriever("docs")
    def retrieve(query: str) -> list[dict[str, Any]]:
        return [{"id": "d1", "score": 0.5, "content": "secret text"}]

    @oa.tool
    def book(city: str, nights: int) -> dict[str, Any]:
        return {"price": 120.5, "hotel": "Grand"}

    with capture(content=mode, content_in=BOTH) as telemetry:
        retrieve("secret query")
        book("Rome", 2)
    [document] = json.loads(telemetry.span("retrieval docs")["attributes"]["gen_ai.retrieval.documents"])
    assert (document["id"], document["score"]) == ("d1", 0.5)
    assert set(json.loads(telemetry.span("execute_tool book")["attributes"]["gen_ai.tool.call.arguments"])) == {"city", "nights"}
    assert not [word for word in (b"secret text", b"secret query", b"Rome", b"Grand", b"120.5") if word in written(telemetry)]


VARIABLE = {"": (False, False), "NO_CONTENT": (False, False), "SPAN_ONLY": (True, False), "event_only": (False, True), "SPAN_AND_EVENT": (True, True)}


@pytest.mark.parametrize("value", VARIABLE)
def test_the_conventional_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", value)
    with capture() as telemetry:
        ask("hello")
    assert ("gen_ai.input.messages" in telemetry.spans[0]["attributes"], "gen_ai.input.messages" in details(telemetry)) == VARIABLE[value]


def test_our_setting_decides_the_form_and_the_conventional_variable_the_destination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY")
    monkeypatch.setenv("OTEL_AGENTS_CONTENT", "metadata")
    with capture() as telemetry:
        ask("hello")
    assert json.loads(telemetry.spans[0]["attributes"]["gen_ai.input.messages"]) == message("user", "[5 characters]")
    assert "gen_ai.input.messages" not in details(telemetry)


# ------------------------------------------------------------------------------------------------ nothing of a prompt, by default

WORDS = ("xylophone", "quixotic", "zephyrous", "marmalade")
ASKED = {"messages": [{"role": "system", "content": "Be quixotic."}, {"role": "user", "content": "Play the xylophone."}]}


@oa.step
def note(text: str) -> str:
    oa.current().result(text)
    return text


@oa.memory("search", store="notes")
def recall(query: str) -> list[str]:
    return [query]


@oa.retriever("docs")
def retrieve(query: str) -> list[str]:
    return [query]


@oa.tool
def play(instrument: str) -> str:
    """Play an instrument."""
    return f"{instrument} of marmalade"


@oa.evaluator
def judge(answer: str) -> dict[str, Any]:
    return {"score": 1.0, "explanation": f"because {answer}"}


def whole_program(client: OpenAI, url: str) -> None:
    """Every way in which content enters and leaves."""
    tools: list[Any] = [{"type": "function", "function": {"name": "play", "description": "zephyrous", "parameters": {"type": "object", "properties": {}}}}]
    with oa.agent("musician"), oa.workflow("concert"):
        client.chat.completions.create(model="gpt-4o", tools=tools, **ASKED)  # type: ignore[call-overload]  # messages as plain data
        list(client.chat.completions.create(model="gpt-4o", stream=True, **ASKED))  # type: ignore[call-overload]  # messages as plain data
        litellm.completion(model="openai/gpt-4o", api_base=url, api_key="k", **ASKED)
        client.responses.create(model="gpt-4o", input="Play the xylophone.", instructions="Be quixotic.")
        client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Play the xylophone.")
        client.embeddings.create(model="text-embedding-3-small", input="xylophone")
        for verb in (note, recall, retrieve, play, judge, ask):
            verb("xylophone")


@pytest.mark.parametrize("mode", MODES)
def test_no_word_of_a_prompt_is_written_unless_asked_for(mode: str) -> None:
    call = tool_call("play", {"instrument": "xylophone"})
    with ModelServer() as server, OpenAI(base_url=server.url, api_key=KEY) as client, capture(content=mode, content_in=BOTH) as telemetry:
        server.will(chat("Some marmalade.", tool_calls=[call]), chat_stream("Some ", "marmalade."), chat("Some marmalade."))
        whole_program(client, server.url)
    found = [word for word in WORDS if word.encode() in written(telemetry)]
    assert found == ([] if mode in ("none", "metadata", "hashed") else [word for word in WORDS if word != "zephyrous"])  # descriptions are not recommended
    assert len(telemetry.spans) == 14


# ------------------------------------------------------------------------------------------------ credentials, never


class Config:
    """An object of the program whose `__str__` must not be called."""

    def __repr__(self) -> str:
        return KEY


def spill(server: ModelServer) -> None:
    """A program that leaks its key in every possible place."""
    log = logging.getLogger("program")
    client = OpenAI(base_url=server.url, api_key=KEY, max_retries=0)
    with oa.session("c-1", user="ann", tenant=KEY, note=f"token={KEY}"), oa.agent(f"agent {KEY}", description=SAID), oa.step(f"step {KEY}") as step:
        step.attributes({"url": f"https://user:{KEY}@host/path?api_key={KEY}", "own": Config()})
        step.attributes(listed=["a", KEY], nested={"authorization": f"Bearer {KEY}"})
        step.result({"api_key": KEY, "said": SAID})
        log.warning("using %s", KEY, extra={"note": KEY, "headers": {"Authorization": f"Bearer {KEY}"}, "config": Config()})
        log.warning(SAID)
        for verb in (ask, note, recall, retrieve, play, judge):
            verb(SAID)
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": SAID}], user=KEY, extra_headers={"x-api-key": KEY})
        client.responses.create(model="gpt-4o", input=SAID, instructions=SAID)
        litellm.completion(model="openai/gpt-4o", api_base=server.url, api_key=KEY, messages=[{"role": "user", "content": SAID}])
        server.will(error(400, f"Incorrect API key provided: {KEY}"))
        with pytest.raises(BadRequestError):
            client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": SAID}])
        fail(log)
    client.close()
    others()


def fail(log: logging.Logger) -> None:
    @oa.tool(name="fail")
    def failing() -> None:
        try:
            raise KeyError(KEY)
        except KeyError as cause:
            log.exception("failed with %r", cause)
            raise ValueError(f"bad key {KEY}") from cause

    with pytest.raises(ValueError, match="bad key"):
        failing()


def others() -> None:
    """Another library's spans, through the plain API."""
    before = context.attach(baggage.set_baggage("otel_agents.session.tenant", KEY))
    tracer = trace.get_tracer(f"library {KEY}", attributes={"note": KEY})
    with tracer.start_as_current_span(f"GET https://u:{KEY}@host/?key={KEY}", attributes={"http.url": f"https://host/?token={KEY}"}) as span:
        span.add_event(f"event {KEY}", {"note": KEY})
        span.record_exception(ValueError(KEY))
        span.set_status(StatusCode.ERROR, f"refused {KEY}")
        with tracer.start_as_current_span("linked", links=[Link(span.get_span_context(), {"note": KEY})]):
            ask("hello")
    context.detach(before)


@pytest.mark.parametrize("mode", MODES)
def test_no_credential_is_ever_written(mode: str) -> None:
    with ModelServer() as server, capture(content=mode, content_in=BOTH) as telemetry:
        spill(server)
    everything = written(telemetry)
    assert KEY.encode() not in everything
    assert KEY[12:].encode() not in everything
    assert b"[redacted:openai-key]" in everything
    names = {span["name"] for span in telemetry.spans}
    assert {"invoke_agent agent [redacted:openai-key]", "step step [redacted:openai-key]"} <= names
    assert telemetry.span("execute_tool fail")["message"] == "bad key [redacted:openai-key]"
    assert telemetry.span("linked")["links"][0]["attributes"] == {"note": "[redacted:openai-key]"}
    assert {"c-1"} == {span["attributes"]["gen_ai.conversation.id"] for span in telemetry.spans if "gen_ai.conversation.id" in span["attributes"]}


# ------------------------------------------------------------------------------------------------ sizes


@pytest.mark.parametrize("shift", range(0, 60, 7))
def test_a_credential_that_a_cut_would_halve_is_recognised_before(shift: int) -> None:
    text = "." * (256 - shift) + KEY + "." * 4000
    with capture(content="full", content_in=BOTH, content_max_bytes=256) as telemetry:
        ask(text)
        with oa.step("s") as step:
            step.attributes({"long": text})
        with pytest.raises(RuntimeError), oa.step("t"):
            raise RuntimeError(text)
    assert not [cut for cut in range(8, len(KEY)) if KEY[:cut].encode() in written(telemetry)]
    assert len(telemetry.span("step s")["attributes"]["long"]) < 400


def test_huge_values_are_truncated_and_stay_readable() -> None:
    with capture(content="full", content_in=BOTH) as telemetry:
        ask("word " * 1_000_000)
        play("word " * 1_000_000)
        logging.getLogger("program").warning("word " * 1_000_000)
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        [said] = json.loads(telemetry.span("chat gpt-4o")["attributes"][name])
        assert said["parts"][0]["content"].startswith("word word")
        assert 200_000 < len(said["parts"][0]["content"]) < 270_000  # OTEL_AGENTS_CONTENT_MAX_BYTES
    assert {len(line) < 2**20 for signal in ("traces", "logs") for line in telemetry.lines(signal)} == {True}


def test_objects_of_the_program_are_named_by_type_and_their_code_is_not_run() -> None:
    class Odd:
        def __repr__(self) -> str:
            raise AssertionError("asked for its repr")

        __str__ = __repr__

    @oa.tool
    def keep(thing: object) -> list[object]:
        return [thing]

    with capture(content="full", content_in=BOTH) as telemetry, oa.agent("musician"):
        keep(Odd())
    arguments = json.loads(telemetry.spans[0]["attributes"]["gen_ai.tool.call.arguments"])
    assert arguments["thing"].startswith(f"<{__name__}.")
    assert json.loads(telemetry.spans[0]["attributes"]["gen_ai.tool.call.result"])["result"] == [arguments["thing"]]


def test_a_credential_is_known_by_its_name_wherever_the_program_puts_it() -> None:
    @oa.step
    def log_in() -> None:
        oa.current().attributes({"password": "hunter2"})
        logging.getLogger("app").warning("signing in", extra={"api_key": "tr0ub4dor"})

    with capture(content="full") as telemetry:
        log_in()
    written = b"".join(line for signal in ("traces", "logs", "metrics") for line in telemetry.lines(signal))
    assert b"hunter2" not in written
    assert b"tr0ub4dor" not in written
