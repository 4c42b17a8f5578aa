"""Every decorator on every sort of function: the telemetry, and the program's unchanged behaviour."""

import asyncio
import inspect

import pytest

import otel_agents as oa
from otel_agents.testing import capture


def names(telemetry):
    return [span["name"] for span in telemetry.spans]


def test_an_agent_with_a_tool_and_a_model_is_one_trace():
    @oa.tool
    def search(query: str) -> list[str]:
        """Search the web."""
        return [query]

    @oa.llm(model="gpt-4o", provider="openai")
    def ask(prompt: str) -> str:
        oa.current().usage(input_tokens=10, output_tokens=5)
        oa.current().response(id="r1", model="gpt-4o-2024-08-06", finish_reasons=["stop"])
        return "answer"

    @oa.agent(name="researcher")
    def run(question: str) -> str:
        search(question)
        return ask(question)

    with capture() as telemetry, oa.session("c1", user="ann", tenant="acme"):
        assert run("why?") == "answer"
    assert names(telemetry) == ["execute_tool search", "chat gpt-4o", "invoke_agent researcher"]
    tool, chat, agent = telemetry.spans
    assert tool["parent_id"] == chat["parent_id"] == agent["span_id"]
    session = {"gen_ai.conversation.id": "c1", "user.id": "ann", "tenant": "acme"}
    assert tool["attributes"] == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.description": "Search the web.",
        "gen_ai.agent.name": "researcher",
        **session,
    }
    cost = chat["attributes"].pop("otel_agents.cost")
    assert cost == pytest.approx(10 * 2.5e-6 + 5 * 10e-6)
    assert chat["attributes"] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.id": "r1",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        **session,
    }
    assert agent["attributes"] == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "researcher",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "otel_agents.cost": cost,
        **session,
    }


def sync_body(fail=False):
    if fail:
        raise KeyError("no")
    return 1


async def async_body(fail=False):
    await asyncio.sleep(0)
    return sync_body(fail)


def generator_body(fail=False):
    got = yield 1
    sync_body(fail)
    yield got
    return "end"


async def async_generator_body(fail=False):
    got = yield 1
    sync_body(fail)
    yield got


BODIES = (sync_body, async_body, generator_body, async_generator_body)
VERBS = ("agent", "workflow", "step", "tool", "llm", "embedding", "retriever", "memory", "plan", "evaluator", "guardrail")


def drive(function, *args):
    """Run a function of any sort to its end."""

    async def run():
        made = function(*args)
        if inspect.isasyncgen(made):
            return [item async for item in made]
        return list(made) if inspect.isgenerator(made) else await made if inspect.iscoroutine(made) else made

    return asyncio.run(run())


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_on_each_sort_of_function_makes_one_span_and_changes_nothing(verb, body):
    decorated = getattr(oa, verb)(body)
    assert inspect.signature(decorated) == inspect.signature(body)
    for colour in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert colour(decorated) == colour(body)
    expected = drive(body)
    assert drive(decorated) == expected  # off
    with capture() as telemetry:
        assert drive(decorated) == expected
        assert len(telemetry.spans) == 1
        with pytest.raises(KeyError) as caught:
            drive(decorated, True)
    assert caught.value.args == ("no",)
    good, bad = telemetry.spans
    assert (good["status"], bad["status"]) == ("unset", "error")
    assert bad["attributes"]["error.type"] == "KeyError"
    assert "error.type" not in good["attributes"]


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_a_context_manager(verb):
    with capture() as telemetry, getattr(oa, verb)() as operation:
        operation.attributes({"mine": 1})
    assert telemetry.spans[0]["attributes"]["mine"] == 1


def test_a_generator_keeps_its_context_to_itself_and_its_children_their_parent():
    @oa.step
    def numbers():
        with oa.step("inside"):
            yield 1
            with oa.step("deeper"):
                yield 2

    with capture() as telemetry:
        made = numbers()
        next(made)
        with oa.step("outside"):
            next(made)
        list(made)
    spans = {span["name"]: span for span in telemetry.spans}
    assert spans["step outside"]["parent_id"] == ""
    assert spans["step inside"]["parent_id"] == spans["step numbers"]["span_id"]
    assert spans["step deeper"]["parent_id"] == spans["step inside"]["span_id"]


def test_a_stream_that_is_closed_early_is_cancelled_not_failed():
    @oa.llm(model="m")
    def stream():
        yield 1
        yield 2

    with capture() as telemetry:
        made = stream()
        next(made)
        made.close()
    (span,) = telemetry.spans
    assert span["status"] == "unset"
    assert span["attributes"]["otel_agents.outcome"] == "cancelled"
    assert span["attributes"]["gen_ai.response.finish_reasons"] == ["error"]


def test_classes_methods_and_properties():
    @oa.agent
    class Writer:
        def run(self, text: str) -> str:
            return self.polish(text) + self.style

        @oa.tool
        def polish(self, text: str) -> str:
            return text.strip()

        @oa.step
        @staticmethod
        def fixed() -> int:
            return 1

        @oa.step
        @classmethod
        def made(cls) -> str:
            return cls.__name__

        @property
        @oa.step
        def style(self) -> str:
            return "!"

    with capture() as telemetry:
        assert Writer().run(" a ") == "a!"
        assert Writer.fixed() == 1
        assert Writer.made() == "Writer"
    assert isinstance(Writer, type)
    assert names(telemetry) == ["execute_tool polish", "step style", "invoke_agent Writer", "step fixed", "step made"]


def test_wrong_options_are_named_with_the_right_ones():
    with pytest.raises(TypeError, match=r"no option 'modle'; did you mean 'model'"):
        oa.agent(modle="x")
    with pytest.raises(ValueError, match=r"action='find'\): it is one of search, create"):
        oa.memory(action="find")
    with pytest.raises(TypeError, match=r"decorates a function, a method or a class, not int"):
        oa.tool()(3)


def test_the_definition_of_a_tool_comes_from_hints_and_docstring():
    @oa.tool
    def book(city: str, nights: int = 2, *, quiet: bool | None = None) -> str:
        """Book a room.

        Args:
            city: where to sleep
            nights: how long
        """
        return city

    assert book.definition == {
        "type": "function",
        "name": "book",
        "description": "Book a room.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "where to sleep"},
                "nights": {"type": "integer", "description": "how long", "default": 2},
                "quiet": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
            },
            "required": ["city"],
        },
    }


def test_without_a_start_nothing_is_recorded_and_current_is_a_noop():
    @oa.agent
    def run():
        oa.current().usage(input_tokens=1)
        oa.current().attributes({"a": object()})
        return oa.current().fields

    assert run() == {}


def test_the_stack_grows_by_one_frame_and_the_exception_is_the_same():
    problem = ValueError("mine")

    @oa.step
    def fail():
        raise problem

    with capture(), pytest.raises(ValueError, match="mine") as caught:
        fail()
    assert caught.value is problem
    assert [entry.name for entry in caught.traceback][1:] == ["wrapper", "fail"]


def test_a_block_that_the_program_ends_itself_leaves_no_context_behind():
    from opentelemetry import trace

    with capture() as telemetry:
        with oa.step("early") as operation:
            operation.stop()
        assert not trace.get_current_span().get_span_context().is_valid
    assert len(telemetry.spans) == 1


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@pytest.mark.parametrize("verb", VERBS)
def test_unsampled_and_unmeasured_functions_behave_as_undecorated(verb, body, monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    decorated = getattr(oa, verb)(body)
    with capture() as telemetry:
        assert drive(decorated) == drive(body)
        with pytest.raises(KeyError):
            drive(decorated, True)
        with getattr(oa, verb)() as operation:
            operation.attributes({"mine": 1})
            assert drive(decorated) == drive(body)
    assert (telemetry.spans, telemetry.events, telemetry.metrics) == ([], [], {})
