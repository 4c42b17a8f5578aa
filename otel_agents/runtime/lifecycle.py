"""start(), flush() and shutdown(). The pipeline is built once per process, for the first item, and not before."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from otel_agents.config import import_lock
from otel_agents.redaction.messages import logger
from otel_agents.runtime.process import gc_paused
from otel_agents.telemetry.context import suppress_instrumentation
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import guard

if TYPE_CHECKING:
    from typing import Unpack

    from otel_agents.config.arguments import Arguments


class Process:
    """The state of this process: the settings that were passed and, from the first item on, the pipeline."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.overrides: dict[str, Any] = {}
        self.started = False
        self.pipeline: Any = None
        self.watch: Any = None
        self.hooked = False
        self.held: list[Any] = []
        self.builder: int | None = None
        self.replaced: list[tuple[Any, str, Any]] = []


process = Process()


def start(**settings: Unpack[Arguments]) -> None:
    """Observe this program from now on: libraries that it has imported or will import, its log records, its decorated functions.

    No thread, file or connection is made before the first item is recorded. Calling it again changes nothing.

    Args:
        settings: any of the settings; they win over environment variables, and those over the file. None counts as not given.

    Raises:
        SettingsError: values that can't be used; each of its lines names one, and what to write instead.
    """
    from otel_agents.config.settings import load

    chosen = load(**settings)
    if chosen.enabled:
        _check_exporters(chosen)
        begin(dict(settings), chosen.instrument, chosen.disable)


def _check_exporters(chosen: Any) -> None:
    """Raise SettingsError if an exporter was asked for by name and is not installed."""
    if "prometheus" in (chosen.exporters("metrics") or ()):
        from otel_agents.config.settings import SettingsError
        from otel_agents.exporters.prometheus import problem

        found = problem()
        if found is not None:
            raise SettingsError([found])


def begin(settings: dict[str, Any], instrument: Any = None, disable: Any = ()) -> None:
    """Install the hooks into libraries, logging and global providers. Creates no provider, thread, file or connection yet."""
    from otel_agents.instrumentors.registry import install

    with process.lock:
        if process.started:
            return
        install(instrument, disable)
        process.started, process.overrides = True, settings
        engine.switch_on(prepare)
    _install_hooks()


def _install_hooks() -> None:
    """Hook what may produce items: logging, context propagation, global providers, and tracers that were created before any provider was set."""
    import concurrent.futures.thread  # noqa: F401 - the SDK needs it, and importing it registers a fork hook, which must not happen while a fork waits for the pipeline

    from otel_agents.instrumentors import propagation
    from otel_agents.runtime import log_capture
    from otel_agents.runtime.global_providers import Watch

    process.watch = Watch(_join)
    process.watch.start()
    log_capture.observe()
    propagation.carry()
    _hook_proxies()
    if not process.hooked:
        process.hooked = True
        atexit.register(_at_exit)
        os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def _at_exit() -> None:
    """Shut down at exit. A second Ctrl-C ends that; if one ended the program, its exit status still says so."""
    interrupted = getattr(sys, "last_type", None) is KeyboardInterrupt
    with suppress(KeyboardInterrupt):
        shutdown()
    if interrupted:
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")  # Python only exits as interrupted if the last code it ran was; our imports run code of their own


def _before_fork() -> None:
    """Wait, at most 2 s each, until no other thread builds the pipeline or imports a module: in the child that would never be finished."""
    process.held = [lock for lock in (process.lock, import_lock.imports) if lock.acquire(timeout=2.0)]
    if process.pipeline is not None:
        process.pipeline.before_fork()


def _after_fork_in_parent() -> None:
    for lock in process.held:
        lock.release()
    if process.pipeline is not None:
        process.pipeline.after_fork_in_parent()


def _after_fork_in_child() -> None:
    process.lock = threading.RLock()
    import_lock.renew()
    engine.forked_at = time.perf_counter_ns()


def _follow_forks(pipeline: Any) -> None:
    """Renew this pipeline in forked children. Registered after the SDK's own fork hooks, which set a random instance id and must run first."""
    reference = weakref.ref(pipeline)

    def renew() -> None:
        alive = reference()
        if alive is not None and alive is process.pipeline:
            alive.after_fork_in_child()

    os.register_at_fork(after_in_child=renew)


def _hook_proxies() -> None:
    """Build the pipeline as soon as a tracer or logger that was created before any provider was set records its first item."""
    from otel_agents.sdk.internals import proxies

    for owner, name in proxies():
        original = vars(owner)[name]
        process.replaced.append((owner, name, original))
        setattr(owner, name, _prepared_first(original))


def _prepared_first(original: Any) -> Any:
    """The same property or method; it builds the pipeline before it is first used."""
    ask: Any = original.fget if isinstance(original, property) else original

    def prepared(self: Any, *args: Any, **kwargs: Any) -> Any:
        if engine.on and engine.spans is None and not is_building():
            prepare()
        return ask(self, *args, **kwargs)

    return property(prepared) if isinstance(original, property) else prepared


def is_building() -> bool:
    """Whether this thread is building the pipeline: what the SDK does meanwhile is not an item of the program."""
    return process.builder == threading.get_ident()


def prepare() -> None:
    """Build the pipeline for the first item. If that fails, switch off and log it once."""
    with process.lock:
        if process.pipeline is not None or not engine.on:
            return
        process.builder = threading.get_ident()
        try:
            with guard("build the pipeline"), gc_paused():
                process.pipeline = _build()
                _follow_forks(process.pipeline)
        finally:
            process.builder = None
            if process.pipeline is None:
                engine.on = False
                logger.warning("otel-agents: the telemetry pipeline could not be built; this program runs unobserved. `otel-agents doctor` says why.")


def _build() -> Any:
    from otel_agents.config.settings import load_forgiving
    from otel_agents.runtime.direct import pipeline_for

    settings, problems = load_forgiving(**process.overrides)
    for line in (*problems, *settings.notices):
        logger.warning("otel-agents: %s", line)
    with suppress_instrumentation():
        pipeline = pipeline_for(settings)(settings, process.watch)
        pipeline.start()
    return pipeline


def _join(signal: str, provider: Any) -> None:
    """The program has set a provider of its own: add our processors to it, and record with it from now on."""
    with process.lock:
        if process.pipeline is not None:
            process.pipeline.join(signal, provider)


def flush(timeout: float = 2.5) -> bool:
    """Send what is waiting in the journal now.

    Args:
        timeout: the longest time to wait for it, in seconds.

    Returns:
        Whether everything was sent; what was not stays in the journal and is sent later.
    """
    pipeline = process.pipeline
    return True if pipeline is None else bool(pipeline.flush(timeout))


def shutdown(*, forget: bool = False) -> None:
    """Collect the metrics once more, send what can be sent at once, and stop; called at exit by itself.

    What could not be sent stays in the journal and goes out with the next program.

    Args:
        forget: also take back every hook and patch, so that `start()` can be called again; for tests.
    """
    pipeline = process.pipeline
    if pipeline is not None:
        with guard("shut down"):
            pipeline.shutdown()
    if forget:
        _undo_hooks()


def _undo_hooks() -> None:
    from otel_agents.instrumentors.registry import uninstall
    from otel_agents.runtime import log_capture

    engine.reset()
    uninstall()
    log_capture.release()
    if process.pipeline is not None:
        process.pipeline.leave()
    if process.watch is not None:
        process.watch.remove_ours()
        process.watch.stop()
    for owner, name, original in process.replaced:
        setattr(owner, name, original)
    process.replaced.clear()
    process.started, process.pipeline, process.watch = False, None, None
