"""The context is propagated to threads, pools, tasks and processes; generators, tasks and threads never leak theirs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.context import get_current
from processes import ran

import otel_agents as oa
from otel_agents.testing import Telemetry, capture

Work = Callable[[], Any]


@pytest.fixture(autouse=True)
def nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Every test leaves the context unchanged, and OpenTelemetry logs no warning."""
    before = get_current()
    with caplog.at_level(logging.DEBUG):
        yield
    assert get_current() is before
    assert [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry")] == []


@oa.step
def child() -> Any:
    return oa.current()


def parents(telemetry: Telemetry) -> dict[str, str]:
    names = {span["span_id"]: span["name"] for span in telemetry.spans}
    return {span["name"]: names.get(span["parent_id"], span["parent_id"]) for span in telemetry.spans}


# ------------------------------------------------------------------------------------------------ the twelve channels (RELIABILITY R13)


def submit(work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def mapped(work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        list(pool.map(lambda _: work(), [1]))


def thread(work: Work) -> None:
    one = threading.Thread(target=work)
    one.start()
    one.join()


class Subclass(threading.Thread):
    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work = work

    def run(self) -> None:
        self.work()


def thread_subclass(work: Work) -> None:
    one = Subclass(work)
    one.start()
    one.join()
    assert "run" not in vars(one)


def timer(work: Work) -> None:
    one = threading.Timer(0.001, work)
    one.start()
    one.join()


def warm_pool(work: Work) -> None:
    with WARM[0] as pool:
        pool.submit(work).result()


WARM: list[ThreadPoolExecutor] = []
THREADED = {"submit": submit, "map": mapped, "Thread": thread, "subclass": thread_subclass, "Timer": timer, "warm pool": warm_pool}


@pytest.mark.parametrize("channel", THREADED)
def test_over_threads(telemetry: Telemetry, channel: str) -> None:
    WARM[:] = [ThreadPoolExecutor(1)]
    with oa.agent("earlier"):
        WARM[0].submit(int).result()
    with oa.session("talk"), oa.agent("parent"):
        THREADED[channel](child)
    WARM[0].shutdown()
    assert parents(telemetry)["step child"] == "invoke_agent parent"
    assert telemetry.span("step child")["attributes"]["gen_ai.conversation.id"] == "talk"


async def awork() -> None:
    child()


async def create_task(work: Work) -> None:
    await asyncio.create_task(awork())


async def gathered(work: Work) -> None:
    await asyncio.gather(awork())


async def task_group(work: Work) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(awork())


async def call_soon(work: Work) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(lambda: (work(), done.set()))
    await done.wait()


async def call_later(work: Work) -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, lambda: (work(), done.set()))
    await done.wait()


async def call_soon_threadsafe(work: Work) -> None:
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    thread(lambda: loop.call_soon_threadsafe(lambda: (work(), done.set())))
    await done.wait()


async def run_in_executor(work: Work) -> None:
    await asyncio.get_running_loop().run_in_executor(None, work)


async def to_thread(work: Work) -> None:
    await asyncio.to_thread(work)


async def coroutine_from_a_thread(work: Work) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(lambda: asyncio.run_coroutine_threadsafe(awork(), loop).result(5))


ASYNC: list[Callable[[Work], Awaitable[None]]] = [
    create_task, gathered, task_group, call_soon, call_later, call_soon_threadsafe, run_in_executor, to_thread, coroutine_from_a_thread,
]  # fmt: skip


@pytest.mark.parametrize("channel", ASYNC)
async def test_over_tasks(telemetry: Telemetry, channel: Callable[[Work], Awaitable[None]]) -> None:
    async with oa.session("talk"), oa.agent("parent"):
        await channel(child)
    assert parents(telemetry)["step child"] == "invoke_agent parent"
    assert telemetry.span("step child")["attributes"]["gen_ai.conversation.id"] == "talk"


def test_operations_without_a_parent_are_roots(telemetry: Telemetry) -> None:
    """A worker that was started within an operation serves others too; a thread whose starter has no operation has none."""
    pool = ThreadPoolExecutor(1)
    with oa.agent("earlier"):
        pool.submit(int).result()
    pool.submit(child).result()
    pool.shutdown()
    assert parents(telemetry)["step child"] == ""


async def test_a_task_outlives_its_parent(telemetry: Telemetry) -> None:
    release = asyncio.Event()

    async def later() -> None:
        await release.wait()
        child()

    with oa.agent("parent"):
        task = asyncio.create_task(later())
    release.set()
    await task
    assert parents(telemetry)["step child"] == "invoke_agent parent"


async def test_tasks_beside_each_other_do_not_meet(telemetry: Telemetry) -> None:
    async def one(number: int) -> None:
        async with oa.session(f"talk-{number}"), oa.agent(f"agent-{number}"):
            for step in range(3):
                await asyncio.sleep(0)
                with oa.step(f"step-{number}-{step}"):
                    await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(10)))
    for name, parent in parents(telemetry).items():
        if name.startswith("step"):
            number = name.split("-")[1]
            assert parent == f"invoke_agent agent-{number}"
            assert telemetry.span(name)["attributes"]["gen_ai.conversation.id"] == f"talk-{number}"


def test_threads_and_pools_are_as_before() -> None:
    """Arguments, results, exceptions and cancelled work; nothing is added to a program that leaves us off."""
    with capture():
        with ThreadPoolExecutor(1) as pool, oa.step("work"):
            assert pool.submit(divmod, 7, 2).result() == (3, 1)
            assert pool.submit(dict, a=1).result() == {"a": 1}
            failed = pool.submit(int, "x")
            wait([failed])
            assert isinstance(failed.exception(), ValueError)
        one = threading.Thread(target=int)
        one.start()
        with pytest.raises(RuntimeError, match="threads can only be started once"):
            one.start()
        one.join()
    assert threading.Thread.start.__module__ == "threading"


# ------------------------------------------------------------------------------------------------ sessions


async def test_sessions_nest_and_end(telemetry: Telemetry) -> None:
    with oa.session("outer", user="ann", tenant="acme"):
        async with oa.session("inner"):
            child()
        with oa.session(user="bob"), oa.step("second"):
            pass
    with oa.step("third"):
        pass
    names = ("gen_ai.conversation.id", "user.id", "tenant")
    found = {span["name"]: tuple(span["attributes"].get(name) for name in names) for span in telemetry.spans}
    assert found == {"step child": ("inner", "ann", "acme"), "step second": ("outer", "bob", "acme"), "step third": (None, None, None)}


async def test_sessions_decorate_every_colour(telemetry: Telemetry) -> None:
    talk = oa.session("talk")

    @talk
    def plain(value: int) -> int:
        child()
        return value

    @talk
    async def coroutine(value: int) -> int:
        await asyncio.sleep(0)
        child()
        return value

    @talk
    def generator(value: int) -> Iterator[int]:
        child()
        yield value
        child()

    @talk
    async def async_generator(value: int) -> AsyncIterator[int]:
        child()
        yield value
        child()

    assert (plain(1), await coroutine(2), list(generator(3)), [value async for value in async_generator(4)]) == (1, 2, [3], [4])
    child()
    assert [span["attributes"].get("gen_ai.conversation.id") for span in telemetry.spans] == ["talk"] * 6 + [None]
    assert plain.__name__ == "plain"


async def test_one_session_object_may_be_entered_again_and_beside_itself(telemetry: Telemetry) -> None:
    talk = oa.session("talk")

    async def one(first: asyncio.Event, then: asyncio.Event) -> None:
        async with talk:
            first.set()
            await then.wait()
            child()
        assert "gen_ai.conversation.id" not in str(dict(get_current()))

    left, right = asyncio.Event(), asyncio.Event()
    await asyncio.gather(one(left, right), one(right, left))
    with talk, talk:
        child()
    child()
    assert [span["attributes"].get("gen_ai.conversation.id") for span in telemetry.spans] == ["talk"] * 3 + [None]


def test_foreign_spans_belong_to_the_session_too(telemetry: Telemetry) -> None:
    from opentelemetry import trace

    with oa.session("talk", user="ann"), trace.get_tracer("theirs").start_as_current_span("theirs"):
        pass
    assert telemetry.span("theirs")["attributes"] == {"gen_ai.conversation.id": "talk", "user.id": "ann"}


# ------------------------------------------------------------------------------------------------ generators and coroutines that end elsewhere


@oa.step
def numbers() -> Iterator[int]:
    with oa.step("inside"):
        for number in range(3):
            child()
            yield number


@oa.step
async def later_numbers() -> AsyncIterator[int]:
    with oa.step("inside"):
        for number in range(3):
            child()
            yield number
            await asyncio.sleep(0)


def test_a_block_around_a_yield_keeps_its_children(telemetry: Telemetry) -> None:
    with oa.agent("caller"):
        for _ in numbers():
            with oa.step("between"):
                pass
    found = {(span["name"], parents(telemetry)[span["name"]]) for span in telemetry.spans}
    assert found == {
        ("step child", "step inside"), ("step inside", "step numbers"), ("step numbers", "invoke_agent caller"),
        ("step between", "invoke_agent caller"), ("invoke_agent caller", ""),
    }  # fmt: skip


def close_in_a_thread(generator: Iterator[int]) -> None:
    thread(generator.close)  # type: ignore[attr-defined]  # a generator


def drop(generator: Iterator[int]) -> None:
    del generator
    gc.collect()


@pytest.mark.parametrize("end", [close_in_a_thread, drop, list, lambda generator: contextvars.copy_context().run(generator.close)])
def test_generators_that_end_elsewhere(telemetry: Telemetry, end: Callable[[Iterator[int]], Any]) -> None:
    before = get_current()
    with oa.agent("caller"):
        generator = numbers()
        assert next(generator) == 0
    assert get_current() is before
    end(generator)
    del generator
    gc.collect()
    assert get_current() is before
    assert {"step numbers", "step inside", "invoke_agent caller"} <= {span["name"] for span in telemetry.spans}
    with oa.step("next"):
        pass
    assert parents(telemetry)["step next"] == ""


async def close_in_a_task(generator: Any) -> None:
    await asyncio.create_task(generator.aclose())


async def close_here(generator: Any) -> None:
    await generator.aclose()


async def finish_in_a_task(generator: Any) -> None:
    async def rest() -> None:
        async for _ in generator:
            pass

    await asyncio.create_task(rest())


@pytest.mark.parametrize("end", [close_in_a_task, close_here, finish_in_a_task])
async def test_async_generators_that_end_elsewhere(telemetry: Telemetry, end: Callable[[Any], Awaitable[None]]) -> None:
    before = get_current()
    with oa.agent("caller"):
        generator = later_numbers()
        assert await anext(generator) == 0  # type: ignore[call-overload]  # a generator
    assert get_current() is before
    await end(generator)
    assert get_current() is before
    assert {"step later_numbers", "step inside", "invoke_agent caller"} <= {span["name"] for span in telemetry.spans}
    with oa.step("next"):
        pass
    assert parents(telemetry)["step next"] == ""


def test_an_async_generator_that_its_loop_closes(telemetry: Telemetry) -> None:
    """The loop's own shutdown closes it, in a context of its own."""

    async def main() -> None:
        generator = later_numbers()
        await anext(generator)  # type: ignore[call-overload]  # a generator
        KEPT.append(generator)

    for _ in range(8):  # in what order the loop closes them is chance
        asyncio.run(main())
    KEPT.clear()
    assert [span["name"] for span in telemetry.spans].count("step later_numbers") == 8
    assert {"step later_numbers", "step inside"} <= {span["name"] for span in telemetry.spans}


KEPT: list[Any] = []


class Never:
    def __await__(self) -> Iterator[None]:
        yield


def test_a_coroutine_that_is_never_finished(telemetry: Telemetry) -> None:
    @oa.step
    async def waiting() -> None:
        with oa.step("inside"):
            await Never()

    async def main() -> None:
        task = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    loose = waiting()
    contextvars.copy_context().run(loose.send, None)
    loose.close()
    assert [span["name"] for span in telemetry.spans].count("step waiting") == 2
    assert telemetry.spans[1]["attributes"]["otel_agents.outcome"] == "cancelled"
    with oa.step("next"):
        pass
    assert parents(telemetry)["step next"] == ""


def test_interleaved_generators(telemetry: Telemetry) -> None:
    first, second = numbers(), numbers()
    for _ in range(3):
        next(first), next(second)
    for generator in (first, second):
        assert list(generator) == []
    spans = telemetry.spans
    ids = {span["span_id"]: span for span in spans}
    for span in spans:
        if span["name"] == "step child":
            inside = ids[span["parent_id"]]
            assert inside["name"] == "step inside"
            assert ids[inside["parent_id"]]["name"] == "step numbers"
    assert len({span["trace_id"] for span in spans}) == 2


# ------------------------------------------------------------------------------------------------ to other processes

CARRIED = """
    import os, subprocess, sys
    import otel_agents as oa
    SHOW = "import os; print(sorted(n for n in os.environ if n in ('TRACEPARENT', 'TRACESTATE', 'BAGGAGE')))"
    off = {**os.environ, "OTEL_AGENTS_ENABLED": ""}
    given = {**os.environ, "TRACEPARENT": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    with oa.session("talk"), oa.agent("parent"):
        for environment in (None, dict(os.environ), off, {}):
            subprocess.run([sys.executable, "-c", SHOW], env=environment, check=True)
        subprocess.run([sys.executable, "-c", "import os; print(os.environ['TRACEPARENT'])"], env=given, check=True)
    subprocess.run([sys.executable, "-c", SHOW], check=True)
    assert "TRACEPARENT" not in os.environ
"""


def test_only_children_that_are_observed_get_the_variables(tmp_path: Path) -> None:
    done = ran(tmp_path, CARRIED)
    both = "['BAGGAGE', 'TRACEPARENT']"
    assert done.said == (0, "\n".join((both, both, "[]", "[]", f"00-{'1' * 32}-{'2' * 16}-01", "[]", "")), "")


def test_a_program_that_is_given_a_parent_is_below_it(tmp_path: Path) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    code = "import otel_agents as oa\nwith oa.step('here'):\n    pass\n"
    done = ran(tmp_path, code, TRACEPARENT=parent, BAGGAGE="gen_ai.conversation.id=talk")
    span = done.telemetry.span("step here")
    assert (span["trace_id"], span["parent_id"], span["attributes"]["gen_ai.conversation.id"]) == ("a" * 32, "b" * 16, "talk")


def test_an_invalid_parent_is_ignored(tmp_path: Path) -> None:
    done = ran(tmp_path, "import otel_agents as oa\nwith oa.step('here'):\n    pass\n", TRACEPARENT="nonsense", BAGGAGE="%%%,=,")
    assert (done.said, done.parents) == ((0, "", ""), {"step here": ""})


FAR = """
    import subprocess, sys
    import otel_agents as oa
    child = "import otel_agents as oa\\nwith oa.step('child'): pass"
    names = {"a name": "x", "café": "Zoë, = ; \\U0001f600", "long": "x" * 10_000}
    with oa.session("talk\\n", user='a"b', **names), oa.agent("parent"):
        subprocess.run([sys.executable, "-c", child], check=True)
"""


@pytest.mark.own_attributes("a name", "café", "long")
def test_no_session_attribute_causes_a_warning_in_baggage(tmp_path: Path) -> None:
    done = ran(tmp_path, FAR)
    assert done.said == (0, "", "")
    attributes = done.telemetry.span("step child")["attributes"]
    travelled = {"gen_ai.conversation.id": "talk", "user.id": 'a"b', "café": "Zoë, = ; \U0001f600", "a name": "x"}
    assert travelled.items() <= attributes.items()
    assert "long" not in attributes  # too long for a header
