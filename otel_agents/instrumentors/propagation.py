"""Context propagation through threading, concurrent.futures, multiprocessing and subprocess.

asyncio propagates context by itself. A thread gets the context of the thread that starts it. A pool's worker thread gets none: each submitted function brings
the context it was submitted in. Other processes receive it as W3C trace context and baggage: in the submitted call, in the pickled process object, or in the
environment of a child process that is observed too (TRACEPARENT, TRACESTATE, BAGGAGE: OpenTelemetry's environment variable carriers).
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import propagate

from otel_agents.instrumentors.patching import Patches
from otel_agents.instrumentors.registry import installed_hooks
from otel_agents.telemetry.context import Context, get_current, set_current
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import guard

CARRIED = "_otel_agents_carried"
LEDGER = "python"
VARIABLES = {"traceparent": "TRACEPARENT", "tracestate": "TRACESTATE", "baggage": "BAGGAGE"}
MEMBER = re.compile(r"\s*[!#$%&'*+.^_`|~\w-]+\s*=\s*[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*\s*(;[\x20-\x7e]*)?", re.ASCII)
SWITCH = "OTEL_AGENTS_ENABLED"

Function = Callable[..., Any]


def run_in(context: Context, function: Function, /, *args: Any, **kwargs: Any) -> Any:
    """Call the function with this context as the current one."""
    before = set_current(context)
    try:
        return function(*args, **kwargs)
    finally:
        set_current(before)


def run_from(carried: Mapping[str, str], function: Function, /, *args: Any, **kwargs: Any) -> Any:
    """Call the function in the context that another process has sent."""
    return run_in(extracted(carried), function, *args, **kwargs)


def injected() -> dict[str, str]:
    """The current context as W3C headers; empty without one."""
    carried: dict[str, str] = {}
    with guard("send context"):
        propagate.inject(carried)
    return carried


def extracted(carried: Mapping[str, str]) -> Context:
    """The current context extended by what the W3C headers carry."""
    with guard("receive context"):
        return propagate.extract({header: well_formed(value) if header == "baggage" else value for header, value in carried.items()}, get_current())
    return get_current()


def well_formed(baggage: str) -> str:
    """The members that match W3C's grammar: the official propagator would log a warning about any other."""
    return ",".join(member for member in baggage[:8192].split(",") if MEMBER.fullmatch(member))


def from_environment() -> None:
    """Continue the context of the parent process, if the environment carries one."""
    carried = {header: os.environ[variable] for header, variable in VARIABLES.items() if variable in os.environ}
    if "traceparent" in carried:
        set_current(extracted(carried))


# ------------------------------------------------------------------------------------------------ what is replaced


def _thread_start(start: Function) -> Function:
    @functools.wraps(start)
    def carrying(self: Any, *args: Any, **kwargs: Any) -> Any:
        context = get_current()
        if engine.on and context and not _is_worker(self):
            _give(self, context)
        return start(self, *args, **kwargs)

    return carrying


def _is_worker(thread: Any) -> bool:
    """Whether the thread is a pool's worker, or ours: it does not run on behalf of the code that happened to start it."""
    target = vars(thread).get("_target")
    return getattr(target, "__module__", None) in ("concurrent.futures.thread", "concurrent.futures.process", "otel_agents.journal.keeper")


def _give(thread: Any, context: Context) -> None:
    run = thread.run

    def carried() -> None:
        vars(thread).pop("run", None)
        run_in(context, run)

    thread.run = carried


def _thread_submit(submit: Function) -> Function:
    @functools.wraps(submit)
    def carrying(self: Any, fn: Function, /, *args: Any, **kwargs: Any) -> Any:
        return submit(self, run_in, get_current(), fn, *args, **kwargs) if engine.on else submit(self, fn, *args, **kwargs)

    return carrying


def _process_submit(submit: Function) -> Function:
    @functools.wraps(submit)
    def carrying(self: Any, fn: Function, /, *args: Any, **kwargs: Any) -> Any:
        carried = injected() if engine.on else {}
        return submit(self, run_from, carried, fn, *args, **kwargs) if carried else submit(self, fn, *args, **kwargs)

    return carrying


def _process_start(start: Function) -> Function:
    @functools.wraps(start)
    def carrying(self: Any, *args: Any, **kwargs: Any) -> Any:
        carried = injected() if engine.on else {}
        if carried:
            setattr(self, CARRIED, carried)
        return start(self, *args, **kwargs)

    return carrying


def _process_bootstrap(bootstrap: Function) -> Function:
    @functools.wraps(bootstrap)
    def carried(self: Any, *args: Any, **kwargs: Any) -> Any:
        brought = vars(self).pop(CARRIED, None)
        if brought:
            set_current(extracted(brought))
        return bootstrap(self, *args, **kwargs)

    return carried


def _popen(init: Function) -> Function:
    @functools.wraps(init)
    def carrying(self: Any, *args: Any, **kwargs: Any) -> Any:
        if engine.on and get_current():
            kwargs = _with_environment(args, kwargs)
        return init(self, *args, **kwargs)

    return carrying


def _with_environment(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Popen's keywords, with the context added to the environment if the child is observed too; otherwise unchanged."""
    given = kwargs.get("env")
    base = os.environ if given is None else given
    if len(args) > 10 or type(base) not in (dict, type(os.environ)) or not base.get(SWITCH) or "TRACEPARENT" in (given or ()):
        return kwargs
    carried = {VARIABLES[header]: value for header, value in injected().items() if header in VARIABLES}
    return {**kwargs, "env": {**base, **carried}} if carried else kwargs


TABLE = (
    ("threading:Thread.start", _thread_start),
    ("concurrent.futures.thread:ThreadPoolExecutor.submit", _thread_submit),
    ("concurrent.futures.process:ProcessPoolExecutor.submit", _process_submit),
    ("multiprocessing.process:BaseProcess.start", _process_start),
    ("multiprocessing.process:BaseProcess._bootstrap", _process_bootstrap),
    ("subprocess:Popen.__init__", _popen),
)


def carry() -> None:
    """Propagate the context from now on, as long as the import hooks are installed, and continue the one this process was given."""
    hooks = installed_hooks()
    if hooks is not None and LEDGER not in hooks.ledgers:
        patches = hooks.ledgers[LEDGER] = Patches(LEDGER, "threading", hooks)
        for target, change in TABLE:
            patches.replace(target, change)
    from_environment()
