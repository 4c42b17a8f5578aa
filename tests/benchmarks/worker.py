"""The measured program: one JSON object of options in, one of figures out. `side`: "ours", "plain", "full" (the plain SDK with all that ours has), "bare".

What is measured is the CPU time of the whole process, all threads, export included, from after the warm-up to after the last item is sent.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from turns import SECONDS, Plain, ours

Json = dict[str, Any]


class SDK:
    """The plain SDK, set up as its documentation does: batch processors and a periodic reader over OTLP/HTTP, to the endpoint in the environment."""

    def __init__(self) -> None:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.traces, self.logs = TracerProvider(), LoggerProvider()
        self.traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        self.metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
        self.tracer = self.traces.get_tracer("app")

    def plain(self, work: Callable[[], None], *, full: bool) -> Callable[[], Any]:
        return Plain(self.tracer, self.metrics.get_meter("app"), self.logs.get_logger("app"), work, full=full).turn

    def flush(self) -> None:
        for provider in (self.traces, self.logs, self.metrics):
            provider.force_flush()


@contextmanager
def turn_of(side: str, work: Callable[[], None]) -> Iterator[tuple[Callable[[], Any], Callable[[], Any]]]:
    """A turn of this side, and what sends all that it left."""
    if side == "bare":
        yield Plain(*nobody(), work).turn, lambda: None
    elif side == "ours":
        import otel_agents as oa

        oa.start()
        yield ours(work), lambda: oa.flush(10)
        oa.shutdown()
    else:
        sdk = SDK()
        yield sdk.plain(work, full=side == "full"), sdk.flush


def nobody() -> tuple[Any, Any, Any]:
    """The API's own no-operation tracer, meter and logger."""
    from opentelemetry._logs import NoOpLogger
    from opentelemetry.metrics import NoOpMeter
    from opentelemetry.trace import NoOpTracer

    return NoOpTracer(), NoOpMeter("app"), NoOpLogger("app")


def spent(act: Callable[[], Any]) -> float:
    """CPU seconds of the process for `act`."""
    gc.collect()
    began = time.process_time()
    act()
    return time.process_time() - began


# ------------------------------------------------------------------------------------------------ the loads


def turns(side: str, count: int, pause: float = 0.002, **_: Any) -> Json:
    """So many turns with a short rest after each, so that the batch processor keeps up and loses nothing."""
    with turn_of(side, lambda: None) as (turn, flush):
        for _each in range(20):
            turn()
        flush()

        def run() -> None:
            for _each in range(count):
                turn()
                time.sleep(pause)
            flush()

        return {"us": spent(run) / count * 1e6}


def flat_out(side: str, count: int, **_: Any) -> Json:
    """So many spans as fast as they go, then a flush; the sink knows how many came."""
    if side == "ours":
        import otel_agents as oa

        oa.start()

        @oa.step
        def one() -> None:
            return None

        def run() -> None:
            for _each in range(count):
                one()
            oa.flush(2.5)

        return {"us": spent(run) / count * 1e6}
    sdk = SDK()

    def plainly() -> None:
        for _each in range(count):
            with sdk.tracer.start_as_current_span("step one", attributes={"otel_agents.operation.name": "step", "otel_agents.step.name": "one"}):
                pass
        sdk.flush()

    return {"us": spent(plainly) / count * 1e6}


def paced(side: str, seconds: float, rate: float, threads: int = 4, **_: Any) -> Json:
    """Turns at a fixed rate over some threads; how long each piece of the program's own work took (wait for an answer, think about it), in milliseconds."""
    pieces: list[float] = []

    def work() -> None:
        began = time.perf_counter()
        time.sleep(0.0005)
        total = 0
        for number in range(1_000):
            total += number
        pieces.append(time.perf_counter() - began)

    with turn_of(side, work) as (turn, flush):
        for _each in range(20):
            turn()
        flush()
        pieces.clear()
        in_threads(threads, lambda: at_rate(turn, rate / threads, seconds))
        ordered = sorted(pieces)
        flush()
    return {name: ordered[int(len(ordered) * part)] * 1e3 for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


def at_rate(act: Callable[[], Any], rate: float, seconds: float) -> None:
    due = time.perf_counter()
    for _each in range(int(seconds * rate)):
        due += 1 / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        act()


def in_threads(count: int, act: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ------------------------------------------------------------------------------------------------ single calls


def body() -> int:
    return 1


async def coroutine() -> int:
    return 1


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> Any:
    yield 1


async def many_awaited(function: Callable[[], Any], count: int) -> None:
    for _each in range(count):
        await function()


async def many_iterated(function: Callable[[], Any], count: int) -> None:
    for _each in range(count):
        async for _item in function():
            pass


def many_called(function: Callable[[], Any], count: int) -> None:
    for _each in range(count):
        function()


def many_drained(function: Callable[[], Any], count: int) -> None:
    for _each in range(count):
        for _item in function():
            pass


COLOURS: dict[str, tuple[Callable[..., Any], Callable[[Callable[..., Any], int], Any]]] = {
    "sync": (body, many_called),
    "coroutine": (coroutine, lambda function, count: asyncio.run(many_awaited(function, count))),
    "generator": (generator, many_drained),
    "async generator": (async_generator, lambda function, count: asyncio.run(many_iterated(function, count))),
}


def non_recording(function: Callable[..., Any], colour: str, tracer: Any) -> Callable[..., Any]:
    """The function in the SDK's span, as its user writes it in each colour."""

    def sync() -> Any:
        with tracer.start_as_current_span("step body"):
            return function()

    async def awaited() -> Any:
        with tracer.start_as_current_span("step body"):
            return await function()

    def drained() -> Any:
        with tracer.start_as_current_span("step body"):
            yield from function()

    async def iterated() -> Any:
        with tracer.start_as_current_span("step body"):
            async for item in function():
                yield item

    return {"sync": sync, "coroutine": awaited, "generator": drained, "async generator": iterated}[colour]


def off(side: str, count: int, **_: Any) -> Json:
    """What a decoration adds to a call while nothing is on, by colour: best of five, less the bare call, in microseconds."""
    return {colour: added_off(side, colour, count) for colour in COLOURS}


def added_off(side: str, colour: str, count: int) -> float:
    function, drive = COLOURS[colour]
    if side == "ours":
        import otel_agents as oa

        observed = oa.step(function)
    else:
        from opentelemetry.sdk.trace import TracerProvider, sampling

        observed = non_recording(function, colour, TracerProvider(sampler=sampling.ALWAYS_OFF).get_tracer("app"))
        count //= 10
    return (best(lambda: drive(observed, count)) - best(lambda: drive(function, count))) / count * 1e6


def best(act: Callable[[], Any]) -> float:
    return min(spent(act) for _each in range(5))


def sampled_out(side: str, count: int, metrics: bool, **_: Any) -> Json:
    """A tool's call that no span is kept of, in microseconds: below an unsampled parent, with none, and six in a step that is the root."""
    step, call = sampled_out_ours() if side == "ours" else sampled_out_plain(metrics)
    turn = step(lambda: many_called(call, 6))
    alone, together = best(lambda: many_called(call, count)), best(lambda: many_called(turn, count // 5))
    return {"root": alone / count * 1e6, "child": below_unsampled(call, count), "turn": together / (count // 5) * 1e6}


def below_unsampled(call: Callable[[], Any], count: int) -> float:
    from opentelemetry.context import attach, detach
    from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

    token = attach(set_span_in_context(NonRecordingSpan(SpanContext(1, 2, is_remote=False))))
    try:
        return best(lambda: many_called(call, count)) / count * 1e6
    finally:
        detach(token)


def sampled_out_ours() -> tuple[Callable[..., Any], Callable[[], Any]]:
    import otel_agents as oa

    oa.start()
    return oa.step(name="turn"), oa.tool(body)


def sampled_out_plain(metrics: bool) -> tuple[Callable[..., Any], Callable[[], Any]]:
    sdk = SDK()
    tool = {"gen_ai.tool.name": "body", "gen_ai.tool.type": "function"}
    meter = sdk.metrics.get_meter("app")
    durations = [meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=SECONDS) for name in ("step.duration", "tool.duration")]

    def silently(name: str, labels: dict[str, str], duration: Any, act: Callable[[], Any]) -> Any:
        with sdk.tracer.start_as_current_span(name, attributes={"gen_ai.operation.name": "execute_tool", **labels}):
            return act()

    def measured(name: str, labels: dict[str, str], duration: Any, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = silently(name, labels, duration, act)
        duration.record(time.perf_counter() - began, labels)
        return result

    observe = measured if metrics else silently
    return (
        lambda act: lambda: observe("step turn", {"otel_agents.step.name": "turn"}, durations[0], act),
        lambda: observe("execute_tool body", tool, durations[1], body),
    )


# ------------------------------------------------------------------------------------------------ litellm


def litellm(side: str, count: int, model_url: str, **_: Any) -> Json:
    """Three completions of the real client against a model server elsewhere, so many times; microseconds a three."""
    import litellm as client

    flush = litellm_side(side, client)

    def three() -> None:
        for _each in range(3):
            answer = client.completion(model="openai/gpt-4o", api_base=model_url, api_key="sk-test", messages=[{"role": "user", "content": "why?"}])
            assert answer.choices[0].message.content

    for _each in range(5):
        three()
    settle()
    flush()

    def run() -> None:
        for _each in range(count):
            three()
        settle()
        flush()

    return {"us": spent(run) / count * 1e6}


def litellm_side(side: str, client: Any) -> Callable[[], Any]:
    if side in ("plain", "full"):
        client.callbacks = ["otel"]
        from opentelemetry import trace

        return lambda: trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
    if side == "ours":
        import otel_agents as oa

        return lambda: oa.flush(5)
    return lambda: None


def settle() -> None:
    """Let litellm's executor, which runs its callbacks after the call, come to its end."""
    from litellm.litellm_core_utils.thread_pool_executor import executor

    ran = threading.Event()
    executor.submit(ran.set)
    ran.wait(10)
    time.sleep(0.3)


# ------------------------------------------------------------------------------------------------ start


def start(side: str, **_: Any) -> Json:
    """One span and out; what is measured is the whole process, from outside."""
    if side == "ours":
        import otel_agents as oa

        with oa.step("one"):
            pass
    elif side == "plain":
        sdk = SDK()
        with sdk.tracer.start_as_current_span("step one"):
            pass
    return {}


LOADS: dict[str, Callable[..., Json]] = {
    "turns": turns, "flat out": flat_out, "paced": paced, "off": off, "sampled out": sampled_out, "litellm": litellm, "start": start,
}  # fmt: skip

if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    print(json.dumps(LOADS[options.pop("load")](**options)))
    sys.stdout.flush()
