"""Readings are pure: objects and dicts in, the conventions' fields out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import model_server
import pytest
from jsonschema import Draft7Validator
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response

from otel_agents.instrumentors import vendors
from otel_agents.instrumentors.objects import attribute, field, fields, items, texts
from otel_agents.instrumentors.wire import openai_chat, openai_responses
from otel_agents.instrumentors.wire.openai_chat_stream import ChatChunks


def told(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def test_parameters_of_a_chat() -> None:
    asked = {
        "model": "gpt-4o", "max_completion_tokens": 5, "temperature": 0, "top_p": 0.5, "stop": "END", "n": 2, "seed": 7, "stream": True,
        "reasoning_effort": "low", "service_tier": "flex", "response_format": {"type": "json_schema"}, "messages": [], "frequency_penalty": 0.1,
    }  # fmt: skip
    assert openai_chat.request(asked) == {
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.max_tokens": 5,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.frequency_penalty": 0.1,
        "gen_ai.request.stop_sequences": ["END"],
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.seed": 7,
        "gen_ai.request.stream": True,
        "gen_ai.request.reasoning.level": "low",
        "openai.request.service_tier": "flex",
        "gen_ai.output.type": "json",
    }


def test_odd_parameters_are_left_out() -> None:
    class Trap:
        def __getattr__(self, name: str) -> None:
            raise AssertionError("a foreign object was read")

    asked = {"model": Trap(), "temperature": True, "n": 1, "stream": None, "stop": iter("ab"), "service_tier": "auto", "response_format": Trap(), "seed": "1"}
    assert openai_chat.request(asked) == {}


def test_usage_by_kind() -> None:
    counts = {
        "prompt_tokens": 30, "completion_tokens": 20,
        "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 4, "text_tokens": 26, "cache_write_tokens": 2, "image_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 6, "audio_tokens": 1},
    }  # fmt: skip
    assert told(openai_chat.usage(counts)) == {
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 10,
        "gen_ai.usage.cache_write.input_tokens": 2,
        "gen_ai.usage.reasoning.output_tokens": 6,
        "gen_ai.usage.text.input_tokens": 26,
        "gen_ai.usage.audio.input_tokens": 4,
        "gen_ai.usage.audio.output_tokens": 1,
    }


def test_usage_that_was_not_told_is_absent() -> None:
    assert told(openai_chat.usage(None)) == {}
    assert told(openai_chat.usage({"prompt_tokens": 3})) == {"gen_ai.usage.input_tokens": 3}


def test_response_of_a_chat() -> None:
    answer = ChatCompletion.model_validate(model_server.chat("hi", tool_calls=[model_server.tool_call("look", {"at": "it"})]).body)
    assert told(openai_chat.response(answer)) == {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.finish_reasons": ["tool_call"],
        "openai.response.service_tier": "default",
        "openai.response.system_fingerprint": "fp_1",
        "gen_ai.usage.input_tokens": 11,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 3,
    }
    assert openai_chat.output_content(answer) == {
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "hi"}, {"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "it"}}],
            }
        ]
    }


CONVERSATION = [
    {"role": "developer", "content": "be brief"},
    {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file_1"}},
            {"type": "hologram", "rays": 3},
        ],
    },
    {"role": "assistant", "content": None, "tool_calls": [model_server.tool_call("look", "{not json")]},
    {"role": "tool", "tool_call_id": "call_1", "content": "a cat"},
    object(),
]


def test_messages_of_a_conversation() -> None:
    content = openai_chat.input_content({"messages": CONVERSATION, "tools": [{"type": "function", "function": {"name": "look", "parameters": {}}}]})
    assert content == {
        "gen_ai.input.messages": [
            {"role": "developer", "parts": [{"type": "text", "content": "be brief"}]},
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "what is this?"},
                    {"type": "uri", "modality": "image", "uri": "https://example.org/cat.png"},
                    {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
                    {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": "BBBB"},
                    {"type": "file", "modality": "document", "file_id": "file_1"},
                    {"type": "hologram"},
                ],
                "name": "ann",
            },
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "look", "arguments": "{not json"}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]},
            {"role": "user", "parts": []},
        ],
        "gen_ai.tool.definitions": [{"type": "function", "name": "look"}],
    }


def test_an_iterator_of_messages_is_not_consumed() -> None:
    given = iter(CONVERSATION)
    assert openai_chat.input_content({"messages": given})["gen_ai.input.messages"] == []
    assert len(list(given)) == len(CONVERSATION)


ITEMS = [
    {"role": "user", "content": "hello"},
    {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "https://example.org/cat.png"}],
    },
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
    model_server.function_call("look", {"at": "it"}),
    {"type": "function_call_output", "call_id": "call_1", "output": "a cat"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "cats"}},
    {"type": "item_reference", "id": "msg_9"},
]


def test_items_of_the_responses_api() -> None:
    asked = {"instructions": "be kind", "input": ITEMS, "tools": [{"type": "function", "name": "look"}, {"type": "web_search"}]}
    assert openai_responses.input_content(asked) == {
        "gen_ai.system_instructions": [{"type": "text", "content": "be kind"}],
        "gen_ai.input.messages": [
            {"role": "user", "parts": [{"type": "text", "content": "hello"}]},
            {"role": "user", "parts": [{"type": "text", "content": "see"}, {"type": "uri", "modality": "image", "uri": "https://example.org/cat.png"}]},
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "look", "arguments": {"at": "it"}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "a cat"}]},
            {"role": "assistant", "parts": [{"type": "server_tool_call", "id": "ws_1", "name": "web_search", "server_tool_call": {"type": "web_search_call"}}]},
            {"role": "assistant", "parts": [{"type": "item_reference"}]},
        ],
        "gen_ai.tool.definitions": [{"type": "function", "name": "look"}, {"type": "web_search", "name": "web_search"}],
    }


def test_parameters_of_the_responses_api() -> None:
    asked = {
        "model": "gpt-5-mini", "max_output_tokens": 9, "reasoning": {"effort": "high"}, "previous_response_id": "resp_0", "conversation": {"id": "conv_1"},
        "text": {"format": {"type": "json_schema"}}, "prompt": {"id": "pmpt_1", "version": "2", "variables": {"city": "Rome"}}, "input": "x",
    }  # fmt: skip
    assert told(openai_responses.request(asked)) == {
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.reasoning.level": "high",
        "gen_ai.request.previous_response.id": "resp_0",
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.output.type": "json",
        "gen_ai.prompt.name": "pmpt_1",
        "gen_ai.prompt.version": "2",
    }
    assert openai_responses.input_content(asked)["gen_ai.prompt.variable.city"] == "Rome"


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({}, ["stop"]),
        ({"output": [model_server.function_call("look", {})]}, ["tool_call"]),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, ["length"]),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, ["content_filter"]),
        ({"status": "failed"}, ["error"]),
        ({"status": "cancelled"}, ["error"]),
        ({"status": "queued"}, None),
        ({"output": [model_server.COMPACTION]}, ["compaction"]),
    ],
)
def test_status_of_a_response_as_finish_reason(body: dict[str, object], reasons: list[str] | None) -> None:
    answer = Response.model_construct(**model_server.response_body(**body))
    assert openai_responses.finish_reasons(answer) == reasons


def test_chunks_fold_into_the_answer() -> None:
    calls = [model_server.tool_call("look", {"at": "it"}), model_server.tool_call("touch", {}, "call_2")]
    folder = ChatChunks()
    for event in model_server.chat_stream("hel", "lo", tool_calls=calls, usage=model_server.USAGE).events or ():
        if event != "[DONE]":
            folder.add(ChatCompletionChunk.model_validate(event))
    answer = folder.response()
    assert told(openai_chat.response(answer)) == told(openai_chat.response(model_server.chat("x", tool_calls=calls).body))
    assert openai_chat.output_content(answer) == openai_chat.output_content(model_server.chat("hello", tool_calls=calls).body)


def test_a_choice_that_never_finished_says_error() -> None:
    folder = ChatChunks(2)
    assert openai_chat.response(folder.response())["gen_ai.response.finish_reasons"] == ["error", "error"]
    folder.add({"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": "stop"}, {"index": 0, "delta": {"content": "y"}}]})
    assert openai_chat.response(folder.response())["gen_ai.response.finish_reasons"] == ["error", "stop"]


def test_text_chunks_fold_into_text() -> None:
    folder = ChatChunks()
    for event in list(model_server.completion_stream("hel", "lo").events or ())[:-1]:
        folder.add(event)
    assert openai_chat.output_content(folder.response()) == {"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]}


def test_events_fold_into_the_response() -> None:
    events = list(model_server.response_stream("hel", "lo").events or ())
    whole, cut = openai_responses.ResponseEvents(), openai_responses.ResponseEvents()
    for event in events:
        whole.add(event)
    for event in events[:5]:
        cut.add(event)
    assert whole.response() == model_server.response_body("hello")
    assert told(openai_responses.response(cut.response())) == {
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-5-mini-2025-08-07",
        "gen_ai.response.finish_reasons": ["error"],
        "openai.response.service_tier": "default",
    }
    assert openai_responses.output_content(cut.response()) == {
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]
    }


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://api.openai.com/v1/", ("openai", "api.openai.com", 443)),
        ("https://ours.openai.azure.com/openai/deployments/gpt", ("azure.ai.openai", "ours.openai.azure.com", 443)),
        ("https://api.deepseek.com", ("deepseek", "api.deepseek.com", 443)),
        ("https://api.groq.com/openai/v1", ("groq", "api.groq.com", 443)),
        ("https://api.x.ai/v1", ("x_ai", "api.x.ai", 443)),
        ("https://api.mistral.ai/v1", ("mistral_ai", "api.mistral.ai", 443)),
        ("https://api.perplexity.ai", ("perplexity", "api.perplexity.ai", 443)),
        ("https://api.moonshot.cn/v1", ("moonshot_ai", "api.moonshot.cn", 443)),
        ("https://us-central1-aiplatform.googleapis.com/v1", ("gcp.vertex_ai", "us-central1-aiplatform.googleapis.com", 443)),
        ("http://127.0.0.1:8080/v1", (None, "127.0.0.1", 8080)),
        ("http://[::1]:99999/v1", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_who_is_behind_a_url(url: str, place: tuple[str | None, str | None, int | None]) -> None:
    assert vendors.place(url) == place


@pytest.mark.parametrize(
    ("litellm_name", "provider"),
    [
        ("azure", "azure.ai.openai"), ("azure_ai", "azure.ai.inference"), ("bedrock_converse", "aws.bedrock"), ("vertex_ai-language-models", "gcp.vertex_ai"),
        ("gemini", "gcp.gemini"), ("xai", "x_ai"), ("mistral", "mistral_ai"),
        ("text-completion-openai", "openai"), ("cohere_chat", "cohere"), ("ollama", "ollama"),
    ],
)  # fmt: skip
def test_litellm_providers_in_the_conventions_words(litellm_name: str, provider: str) -> None:
    assert vendors.of_litellm(litellm_name) == provider


@pytest.mark.parametrize(
    ("schema", "content"),
    [
        ("input-messages", openai_chat.input_content({"messages": CONVERSATION})["gen_ai.input.messages"]),
        ("input-messages", openai_responses.input_content({"input": ITEMS})["gen_ai.input.messages"]),
        ("input-messages", openai_chat.prompt_content({"prompt": ["a", "b"]})["gen_ai.input.messages"]),
        (
            "output-messages",
            openai_chat.output_content(model_server.chat("x", tool_calls=[model_server.tool_call("f", {})]).body)["gen_ai.output.messages"],
        ),
        ("output-messages", openai_responses.output_content({"output": ITEMS[2:]})["gen_ai.output.messages"]),
        ("system-instructions", openai_responses.input_content({"instructions": "x"})["gen_ai.system_instructions"]),
        ("tool-definitions", openai_chat.tool_definitions([{"type": "function", "function": {"name": "f"}}, {"name": "g"}, {"type": "web_search"}])),
    ],
)
def test_content_has_the_shape_of_the_conventions(schema: str, content: object) -> None:
    rules = strict(json.loads((Path(__file__).parent / "schemas" / f"{schema}.json").read_text()))
    assert [error.message for error in Draft7Validator(rules).iter_errors(content)] == []


def test_a_part_that_lacks_what_its_type_needs_is_noticed() -> None:
    rules = strict(json.loads((Path(__file__).parent / "schemas" / "input-messages.json").read_text()))
    lacking = [{"role": "user", "parts": [part]} for part in ({"type": "text"}, {"type": "tool_call", "id": "1"}, {"type": "uri", "uri": "x"})]
    assert [Draft7Validator(rules).is_valid([message]) for message in lacking] == [False] * 3
    assert Draft7Validator(rules).is_valid([{"role": "user", "parts": [{"type": "of the program's own"}]}])


def strict(rules: Any) -> Any:
    """The published schema, in which a known type is no longer taken for a type of somebody's own, whatever it lacks."""
    if isinstance(rules, list):
        return [strict(part) for part in rules]
    if not isinstance(rules, dict):
        return rules
    kinds = [part["properties"]["type"] for part in rules.get("anyOf", ()) if "type" in part.get("properties", ())]
    own = {"type": "string", "not": {"enum": [kind["const"] for kind in kinds if "const" in kind]}}
    told = {name: strict(part) for name, part in rules.items()}
    for part in told.get("anyOf", ()):
        if "const" not in part.get("properties", {}).get("type", {"const": ""}):
            part["properties"]["type"] = own
    return told


class Clever(ChatCompletion):
    """A class of the program's own, derived from the library's."""

    @property
    def model_name(self) -> str:
        raise AssertionError("a foreign property was called")


def test_foreign_values_are_not_read() -> None:
    assert field(object(), "__class__") is None
    clever = Clever.model_validate(model_server.chat().body)
    assert (field(clever, "id"), field(clever, "model_name"), attribute(clever, "model_name")) == ("chatcmpl-1", None, None)
    assert list(items({"a": 1})) == []
    assert texts(["a", 1, "b"]) == ["a", "b"]


class Entry(dict[str, object]):
    """A dictionary of litellm's own kind, as its table of models has."""

    __slots__ = ()


def test_a_librarys_own_dictionaries_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry(name="x")
    assert (field(entry, "name"), fields(entry)) == (None, {})
    monkeypatch.setattr(Entry, "__module__", "litellm.table")
    assert (field(entry, "name"), field(entry, "other"), fields(entry)) == ("x", None, {"name": "x"})
