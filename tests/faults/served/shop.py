"""A web application, and a worker of a queue: what gunicorn and Celery run in the tests beside this folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import otel_agents as oa


@oa.agent(name="shop")
def serve(item: str) -> str:
    with oa.step("work"):
        oa.current().attributes({"item": item})
    return item


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """One run for each request; the path names the item."""
    item = serve(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{item} {os.getpid()}".encode()]


if "CELERY_BROKER" in os.environ:
    from celery import Celery  # type: ignore[import-untyped]  # it has no types

    queue = Celery("shop", broker=os.environ["CELERY_BROKER"], backend=os.environ["CELERY_BROKER"])
    queue.conf.update(worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)

    @queue.task(name="sell")
    def sell(item: str) -> int:
        serve(item)
        return os.getpid()
