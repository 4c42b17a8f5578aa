"""Content: with `full` a long prompt arrives whole and is found from its span; with `none` no word of it is anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from observed import run

from otel_agents.stack.answers import ask
from otel_agents.stack.stores import Stores

Eventually = Callable[..., None]
SECRET = "abracadabra"
SERIES = '{service_name="silent"}'
PROMPT = ('She said: "größer", \\ and {"a": [1, 2]} – 中文 🌍\n\t' * 5000)[:200_000]


def test_with_full_a_prompt_of_200_kb_arrives_whole_and_is_found_from_its_span(stores: Stores, journal: Path, eventually: Eventually) -> None:
    assert len(PROMPT) == 200_000
    telemetry = run(
        "said", journal=journal, stores=stores, said=PROMPT, OTEL_AGENTS_CONTENT="full", OTEL_AGENTS_CONTENT_MAX_BYTES="1MiB", OTEL_SERVICE_NAME="long"
    )
    call = telemetry.span("chat gpt-4o-mini")
    eventually(lambda: any(span["name"] == call["name"] for span in stores.trace(call["trace_id"])))
    ids = {"trace_id": call["trace_id"], "span_id": call["span_id"]}
    eventually(lambda: len(stores.lines("long", **ids)) == 1)
    [line] = stores.lines("long", **ids)
    said = json.loads(line.text)
    assert said["gen_ai.input.messages"][0]["parts"][0]["content"] == PROMPT
    assert said["gen_ai.output.messages"][0]["parts"][0]["content"] == f"you said: {PROMPT}"
    assert line.labels["event_name"] == "gen_ai.client.inference.operation.details"


def test_with_none_no_word_of_it_is_anywhere(stores: Stores, journal: Path, eventually: Eventually) -> None:
    telemetry = run("said", journal=journal, stores=stores, said=f"the word is {SECRET}", OTEL_AGENTS_CONTENT="none", OTEL_SERVICE_NAME="silent")
    [trace_id] = {span["trace_id"] for span in telemetry.spans}
    eventually(lambda: len(stores.trace(trace_id)) == len(telemetry.spans))
    eventually(lambda: len(stores.lines("silent")) == len(telemetry.logs))
    eventually(lambda: stores.value('sum(otel_agents_runs_total{service_name="silent"})') == 1)
    answers = {
        "traces": json.dumps(stores.trace(trace_id)),
        "logs": json.dumps(stores.lines("silent")),
        "Prometheus": ask(f"{stores.prometheus}/api/v1/series?{urlencode({'match[]': SERIES})}").text,
        "exemplars": json.dumps(stores.exemplars('{service_name="silent"}', 0, 4e9)),
    }
    assert all(len(answer) > 100 for name, answer in answers.items() if name != "exemplars")
    assert [name for name, answer in answers.items() if SECRET in answer] == []
    assert stores.lines(contains=SECRET) == []
    assert SECRET not in json.dumps(stores.spans("silent"))
