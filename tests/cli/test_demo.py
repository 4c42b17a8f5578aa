"""`otel-agents demo`: the main job, end to end, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer, chat_stream

from otel_agents.cli.scripted import ANSWERS, QUESTIONS, ScriptedModel

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def demo(journal: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))} | {"COLUMNS": "100", **variables}
    command = [sys.executable, "-m", "otel_agents", "demo", "--journal", str(journal), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def commanded(journal: Path, *words: str) -> Any:
    done = subprocess.run([sys.executable, "-m", "otel_agents", *words, "--journal", str(journal), "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_demo_shows_what_the_agent_did(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (*QUESTIONS, *(answer[:40] for answer in ANSWERS), "invoke_agent travel_assistant", "search_memory", "TimeoutError", "Next", str(tmp_path)):
        assert text in done.stdout
    assert done.stdout.count("trace last") == 1

    first, second = reversed(commanded(tmp_path, "traces"))
    assert (first["agent"], first["spans"], first["errors"], first["outcome"], first["tools"]) == ("travel_assistant", 8, 1, "ok", ["weather"])
    assert (second["spans"], second["errors"], second["model_calls"], second["tools"]) == (6, 0, 2, ["trains"])
    assert first["conversation_id"] == second["conversation_id"]
    assert first["cost_usd"] > 0
    assert set(first["usage"]) >= {"input_tokens", "output_tokens", "cache_read_input_tokens"}

    spans = commanded(tmp_path, "trace", first["trace_id"])["spans"]
    failed = next(span for span in spans if span["error"])
    assert (failed["name"], failed["error"]["type"]) == ("execute_tool weather", "TimeoutError")
    chats = [span["attributes"] for span in spans if span["name"] == "chat gpt-4o-mini"]
    assert [one["gen_ai.response.finish_reasons"] for one in chats] == [["tool_call"], ["tool_call"], ["stop"]]
    assert all(one["gen_ai.request.stream"] and one["gen_ai.response.time_to_first_chunk"] > 0 for one in chats)


def test_as_json(tmp_path: Path) -> None:
    found = json.loads(demo(tmp_path, "--json").stdout)
    assert (found["status"], found["journal"], len(found["traces"])) == (0, str(tmp_path), 2)


def test_any_endpoint_and_a_question_of_ones_own(tmp_path: Path) -> None:
    with ModelServer() as server:
        server.will(chat_stream("It ", "rains.", usage=USAGE))
        done = demo(tmp_path, "--base-url", server.url, "--model", "llama-9", "--api-key-env", "MY_KEY", "Does it rain?", MY_KEY="k-123")
        sent = {name.lower(): value for name, value in server.requests[0].headers.items()}
        assert (done.returncode, sent["authorization"]) == (0, "Bearer k-123"), done.stderr
    assert "It rains." in done.stdout
    (found,) = commanded(tmp_path, "traces")
    assert (found["models"], found["usage"]["input_tokens"], found["usage"]["output_tokens"]) == (["llama-9"], 11, 7)


def test_an_endpoint_that_does_not_answer(tmp_path: Path) -> None:
    done = demo(tmp_path, "--base-url", "http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert "the model did not answer" in done.stderr
    assert "status 1" in done.stderr
    (found,) = commanded(tmp_path, "traces")
    assert found["outcome"] == "error"


@pytest.mark.parametrize(("words", "said"), [(("What?",), "--base-url"), (("--model", "m"), "--base-url")])
def test_what_does_not_go_together(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = demo(tmp_path, *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert said in done.stderr


def test_without_litellm_it_says_what_to_install(tmp_path: Path) -> None:
    """A Python with ours and its dependencies on the path, and litellm hidden behind a folder that can't be imported."""
    hide = tmp_path / "sitecustomize.py"
    hide.write_text("import sys\nsys.modules['litellm'] = None\n")
    done = demo(tmp_path / "journal", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "pip install 'otel-agents[demo]'" in done.stderr


def test_the_scripted_model_without_streaming() -> None:
    with ScriptedModel() as model:
        assert asked(model, [{"role": "user", "content": QUESTIONS[0]}])["status"] == 429
        first = asked(model, [{"role": "user", "content": QUESTIONS[0]}])
        tool = {"role": "tool", "tool_call_id": "c", "content": "{}"}
        second = asked(model, [{"role": "user", "content": QUESTIONS[0]}, first["choices"][0]["message"], tool])
        assert asked(model, [], path="/embeddings")["status"] == 404
    assert first["choices"][0]["finish_reason"] == "tool_calls"
    assert second["choices"][0]["message"] == {"role": "assistant", "content": ANSWERS[0]}
    assert second["usage"]["total_tokens"] == second["usage"]["prompt_tokens"] + second["usage"]["completion_tokens"]


def asked(model: ScriptedModel, messages: list[dict[str, Any]], path: str = "/chat/completions") -> Any:
    body = json.dumps({"model": "m", "messages": messages}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(model.base_url + path, body)) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as problem:
        with problem:
            return {"status": problem.code}
