"""R13: over every channel a child finds its parent, whatever decorates it, and what must be a root is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import test_context as channels

import otel_agents as oa
from otel_agents.testing import Telemetry, capture

VERBS = ("agent", "workflow", "step", "tool", "llm", "embedding", "retriever", "memory", "plan", "evaluator", "guardrail")
THREADED = {name: channels.THREADED[name] for name in ("submit", "map", "Thread", "Timer", "warm pool")}
ASYNC = {
    "create_task": channels.create_task,
    "gather": channels.gathered,
    "TaskGroup": channels.task_group,
    "call_soon": channels.call_soon,
    "run_in_executor": channels.run_in_executor,
    "to_thread": channels.to_thread,
}


def over_threads(channel: Callable[[Any], Any], child: Callable[[], Any]) -> None:
    channels.WARM[:] = [ThreadPoolExecutor(1)]
    with oa.agent("earlier"):
        channels.WARM[0].submit(int).result()
    with oa.agent("parent"):
        channel(child)
    channels.WARM[0].shutdown()


def over_tasks(channel: Callable[[Any], Any], child: Callable[[], Any]) -> None:
    async def main() -> None:
        before, channels.child = channels.child, child
        try:
            async with oa.agent("parent"):
                await channel(child)
        finally:
            channels.child = before

    asyncio.run(main())


def as_root(channel: Any, child: Callable[[], Any]) -> None:
    """In a worker that was started within an operation, for somebody who has none."""
    with ThreadPoolExecutor(1) as pool:
        with oa.agent("earlier"):
            pool.submit(int).result()
        pool.submit(child).result()


def parent_of_child(telemetry: Telemetry) -> str:
    names = {span["span_id"]: span["name"] for span in telemetry.spans}
    [child] = [span for span in telemetry.spans if span["name"] not in ("invoke_agent earlier", "invoke_agent parent")]
    return names.get(child["parent_id"], child["parent_id"])


def test_twelve_of_twelve(figure: Any) -> None:
    ways = [
        *((name, over_threads, channel, "invoke_agent parent") for name, channel in THREADED.items()),
        *((name, over_tasks, channel, "invoke_agent parent") for name, channel in ASYNC.items()),
        ("must be root", as_root, None, ""),
    ]
    wrong: dict[str, list[str]] = {}
    for name, over, channel, parent in ways:
        for verb in VERBS:

            def child() -> None:
                return None

            with capture() as telemetry:
                over(channel, getattr(oa, verb)(child))  # type: ignore[operator]  # each takes its own kind of channel
            if (found := parent_of_child(telemetry)) != parent:
                wrong.setdefault(name, []).append(f"{verb}: {found!r}")
    assert wrong == {}
    figure("R13", "parentage, every decorator", f"{len(ways) - len(wrong)} of {len(ways)} channels", "6 to 12 of 12")
