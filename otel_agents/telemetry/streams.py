"""Transparent proxies, sync and async, that read a streamed response along with the program and end the operation with it.

A stream that is exhausted, closed early, broken by an error or dropped unread ends its operation exactly once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import wrapt

from otel_agents import semconv as names
from otel_agents.telemetry.context import reset_if_current, set_current
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.operations import Operation

if TYPE_CHECKING:
    from otel_agents.telemetry.context import Context
    from otel_agents.telemetry.seams import Chunks

Read = Callable[[Operation, Any], None]


class Followed:
    """The operation of one stream: accumulates chunks, ends once."""

    __slots__ = ("chunks", "operation", "read")

    def __init__(self, operation: Operation, chunks: Chunks, read: Read) -> None:
        self.operation = operation
        self.chunks = chunks
        self.read = read

    def add(self, chunk: Any) -> None:
        with guard("read chunk"):
            self.operation.chunk()
            self.chunks.add(chunk)

    def stop(self, outcome: str = "ok") -> None:
        if not self.operation.ended:
            self._read()
            self.operation.stop("ok" if self._is_complete() else outcome)

    def _is_complete(self) -> bool:
        """Whether every choice has a finish reason: closing the stream then cuts nothing off."""
        reasons = self.operation.fields.get(names.RESPONSE_FINISH_REASONS)
        return reasons is not None and len(reasons) > 0 and "error" not in reasons

    def end(self, before: Context, ours: Context, error: BaseException) -> None:
        """The iterator has raised: it is exhausted or has failed."""
        reset_if_current(before, ours)
        if isinstance(error, StopIteration | StopAsyncIteration):
            self.stop()
        else:
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        if not self.operation.ended:
            self._read()
            self.operation.fail(error)

    def _read(self) -> None:
        with guard("read stream"):
            self.read(self.operation, self.chunks.response())


class _Proxy(wrapt.ObjectProxy):  # type: ignore[type-arg]  # generic for type checkers only
    """What both proxies share: everything except iteration goes to the library's own object."""

    def __init__(self, wrapped: Any, followed: Followed) -> None:
        super().__init__(wrapped)
        self._self_followed = followed

    def __del__(self) -> None:
        followed = getattr(self, "_self_followed", None)
        if followed is not None:
            followed.stop("cancelled")

    def _end(self, error: BaseException | None = None) -> None:
        """The program closes the stream; without effect if it has ended."""
        if error is None:
            self._self_followed.stop("cancelled")
        else:
            self._self_followed.fail(error)


class Stream(_Proxy):
    """A synchronous stream."""

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        followed = self._self_followed
        ours = followed.operation.context
        before = set_current(ours)
        try:
            chunk = next(self.__wrapped__)
        except BaseException as error:
            followed.end(before, ours, error)
            raise
        reset_if_current(before, ours)
        followed.add(chunk)
        return chunk

    def __enter__(self) -> Any:
        self.__wrapped__.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        self._end(error)
        return self.__wrapped__.__exit__(kind, error, trace)

    def close(self, *args: Any, **kwargs: Any) -> Any:
        self._end()
        return self.__wrapped__.close(*args, **kwargs)


class AsyncStream(_Proxy):
    """An asynchronous stream."""

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        followed = self._self_followed
        ours = followed.operation.context
        before = set_current(ours)
        try:
            chunk = await self.__wrapped__.__anext__()
        except BaseException as error:
            followed.end(before, ours, error)
            raise
        reset_if_current(before, ours)
        followed.add(chunk)
        return chunk

    async def __aenter__(self) -> Any:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> Any:
        self._end(error)
        return await self.__wrapped__.__aexit__(kind, error, trace)

    async def close(self, *args: Any, **kwargs: Any) -> Any:
        self._end()
        return await self.__wrapped__.close(*args, **kwargs)

    async def aclose(self, *args: Any, **kwargs: Any) -> Any:
        self._end()
        return await self.__wrapped__.aclose(*args, **kwargs)


PROXIES = {"stream": Stream, "async_stream": AsyncStream}


def follow(shape: str, stream: Any, operation: Operation, chunks: Chunks, read: Read) -> Any:
    """A proxy of the stream that ends the operation with it; `read` is given the accumulated response."""
    return PROXIES[shape](stream, Followed(operation, chunks, read))
