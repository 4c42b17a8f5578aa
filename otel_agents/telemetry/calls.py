"""Wraps functions so that each call is an operation. A wrapper is what it wraps: a plain function, coroutine function, generator function or async one.

The function is never called inside a guard, and a traceback gains one frame. The operation's context is current only while the function's body runs: once for
a coroutine, at each step for a generator, where the context that the body leaves at a `yield` is restored at the next step.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from dataclasses import dataclass
from types import AsyncGeneratorType, CodeType, CoroutineType, FunctionType, GeneratorType, MethodType
from typing import TYPE_CHECKING, Any, Protocol

from otel_agents import semconv as names
from otel_agents.telemetry.context import attach, get_current, reset_if_current, reset_token, set_current
from otel_agents.telemetry.engine import engine
from otel_agents.telemetry.guard import guard
from otel_agents.telemetry.kinds import KINDS
from otel_agents.telemetry.operations import Operation, begin, would_begin

if TYPE_CHECKING:
    from otel_agents.telemetry.seams import Chunks

Function = Callable[..., Any]


class Call:
    """The arguments of one call, for a method with the instance first."""

    __slots__ = ("args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs

    @property
    def instance(self) -> Any:
        """The object whose method is called."""
        return self.args[0]

    def get(self, name: str, position: int | None = None, default: Any = None) -> Any:
        """An argument by keyword, else by position, where the instance counts as 0."""
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[position] if position is not None and position < len(self.args) else default


class Plan(Protocol):
    """How a function is observed. Neither method may raise."""

    def begin(self, call: Call) -> Operation | None:
        """Start the operation; None if this call is not observed."""

    def end(self, operation: Operation, call: Call, result: Any) -> Any:
        """Read the result and end the operation. Returns what the caller gets: the result, or a stream that ends the operation later."""


def around(function: Function, plan: Plan) -> Function:
    """The function wrapped by the plan, with the same signature and name, as lazy or asynchronous as before."""
    make, flag = _wrapper_for(function)
    observed = make(function, plan)
    observed.__name__, observed.__qualname__ = _names(function)
    wrapper = functools.update_wrapper(_checking_arguments(observed, function, flag) if flag else observed, function)
    for name in FORWARDED.get(type(function), ()):
        setattr(wrapper, name, getattr(function, name))
    return wrapper


def _names(function: Any) -> tuple[str, str]:
    """The names that its coroutine or generator would have: those of a partial's function, of a callable object's `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    call = function if hasattr(function, "__qualname__") else type(function).__call__
    return getattr(call, "__name__", "call"), getattr(call, "__qualname__", "call")


def _wrapper_for(function: Function) -> tuple[Callable[[Function, Plan], Function], int]:
    """What wraps functions of this sort, and the flag that their code has (0 for plain functions)."""
    call = function if isinstance(function, FunctionType | functools.partial) else getattr(type(function), "__call__", function)  # noqa: B004 - the method itself
    return next(((make, flag) for is_one, make, flag in WRAPPERS if is_one(function) or is_one(call)), (_plain, 0))


def _checking_arguments(observed: Function, function: Function, flag: int) -> Function:
    """Check arguments at the call as a lazy function does, not at the first step of the coroutine or generator."""
    check = _signature_check(function) if type(function) is FunctionType else _accept_anything

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not engine.on:
            return function(*args, **kwargs)
        check(*args, **kwargs)
        return observed(*args, **kwargs)

    wrapper.__name__ = observed.__name__
    return _with_flag(wrapper, flag)


def _accept_anything(*args: Any, **kwargs: Any) -> None:
    """For callables whose signature is not known from code."""


def _signature_check(function: FunctionType) -> FunctionType:
    """An empty function with the same signature, so that Python itself raises the same TypeError for wrong arguments."""
    code = function.__code__
    starred = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred.bit_count()]
    counts = {name: getattr(code, name) for name in ("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_name", "co_qualname")}
    flags = _empty.__code__.co_flags | starred
    check = FunctionType(
        _empty.__code__.replace(**counts, co_varnames=names, co_nlocals=len(names), co_flags=flags), {}, function.__name__, function.__defaults__
    )
    check.__kwdefaults__, check.__qualname__ = function.__kwdefaults__, function.__qualname__
    return check


def _empty() -> None:
    return None


def _plain(function: Function, plan: Plan) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not engine.on:
            return function(*args, **kwargs)
        call = Call(args, kwargs)
        operation = plan.begin(call)
        if operation is None:
            return function(*args, **kwargs)
        ours = operation.context
        before = set_current(ours)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            reset_if_current(before, ours)
            operation.fail(error)
            raise
        reset_if_current(before, ours)
        return settle(operation, plan, call, result)

    return wrapper


def _coroutine(function: Function, plan: Plan) -> Function:
    async def observed(*args: Any, **kwargs: Any) -> Any:
        call = Call(args, kwargs)
        operation = plan.begin(call)
        if operation is None:
            return await function(*args, **kwargs)
        ours = operation.context
        before = set_current(ours)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            reset_if_current(before, ours)
            operation.fail(error)
            raise
        reset_if_current(before, ours)
        return plan.end(operation, call, result)

    return observed


def _generator(function: Function, plan: Plan) -> Function:
    def observed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = Call(args, kwargs)
        operation = plan.begin(call)
        if operation is None:
            return (yield from function(*args, **kwargs))
        saved = operation.context
        resume, sent = function(*args, **kwargs).send, None
        while True:
            before = set_current(saved)
            try:
                value = resume(sent)
            except StopIteration as stop:
                set_current(before)
                return plan.end(operation, call, stop.value)
            except BaseException as error:
                set_current(before)
                operation.fail(error)
                sent = None  # an exception that was thrown in has a traceback that holds this frame: a reference cycle
                raise
            saved = set_current(before)
            operation.chunk()
            try:
                sent = yield value
                resume = resume.__self__.send
            except BaseException as error:
                resume, sent = resume.__self__.throw, error

    awaitable = type(function) is FunctionType and function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE
    return _with_flag(observed, inspect.CO_ITERABLE_COROUTINE) if awaitable else observed


def _async_generator(function: Function, plan: Plan) -> Function:
    async def observed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = Call(args, kwargs)
        operation = plan.begin(call)
        saved = operation.context if operation is not None else get_current()
        inner = function(*args, **kwargs)
        resume: Callable[[Any], Any] = inner.asend
        sent: Any = None
        while True:
            before = get_current()
            token = attach(saved)
            try:
                value = await resume(sent)
                if inner.ag_frame is None:  # the event loop has closed it already, and `athrow` then returns None
                    raise sent
            except StopAsyncIteration:
                set_current(before)
                if operation is not None:
                    plan.end(operation, call, None)
                return
            except BaseException as error:
                reset_token(token)  # not set_current: the garbage collector may close the generator in any context
                if operation is not None:
                    operation.fail(error)
                sent = None
                raise
            saved = set_current(before)
            if operation is not None:
                operation.chunk()
            try:
                sent = yield value
                resume = inner.asend
            except BaseException as error:
                resume, sent = inner.athrow, error

    return observed


WRAPPERS: tuple[tuple[Callable[[Any], bool], Callable[[Function, Plan], Function], int], ...] = (
    (inspect.iscoroutinefunction, _coroutine, inspect.CO_COROUTINE),
    (inspect.isgeneratorfunction, _generator, inspect.CO_GENERATOR),
    (inspect.isasyncgenfunction, _async_generator, inspect.CO_ASYNC_GENERATOR),
)
FORWARDED: Mapping[type, tuple[str, ...]] = {  # attributes that programs read from callables other than functions
    type(functools.cache(len)): ("cache_info", "cache_clear"),
    functools.partial: ("func", "args", "keywords"),
    MethodType: ("__self__", "__func__"),
}


def _with_flag(wrapper: FunctionType | Function, flag: int) -> Function:
    """The same function with this code flag, by which `inspect` knows what it returns; costs nothing per call."""
    assert isinstance(wrapper, FunctionType)
    code: CodeType = wrapper.__code__.replace(co_flags=wrapper.__code__.co_flags | flag)
    return FunctionType(code, wrapper.__globals__, wrapper.__name__, wrapper.__defaults__, wrapper.__closure__)


# ------------------------------------------------------------------------------------------------ coroutines and generators that plain functions return


def settle(operation: Operation, plan: Plan, call: Call, result: Any) -> Any:
    """End the operation with the result, or, if that is a coroutine or generator, when it has finished."""
    kind = type(result)
    follow = LAZY.get(kind) if type(kind) is type else None  # a metaclass may define `__hash__`
    return follow(operation, plan, call, result) if follow is not None else plan.end(operation, call, result)


class _BegunPlan:
    """The plan for what a plain function returned: its operation has begun already."""

    __slots__ = ("_operation", "_plan")

    def __init__(self, operation: Operation, plan: Plan) -> None:
        self._operation = operation
        self._plan = plan

    def begin(self, call: Call) -> Operation | None:
        return self._operation

    def end(self, operation: Operation, call: Call, result: Any) -> Any:
        return self._plan.end(operation, call, result)


class _Unstarted:
    """Returns what a plain function returned, once; if it is never asked for, the operation ends when this is garbage collected."""

    __slots__ = ("_operation", "_result")

    def __init__(self, operation: Operation, result: Any) -> None:
        self._operation, self._result = operation, result

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result, self._result = self._result, None
        return result

    def __del__(self) -> None:
        if self._result is not None:
            self._operation.stop("cancelled")
            if type(self._result) is CoroutineType:
                self._result.close()  # "was never awaited" is warned of the outer coroutine alone


def _follow(wrap: Callable[[Function, Plan], Function]) -> Callable[[Operation, Plan, Call, Any], Any]:
    def follow(operation: Operation, plan: Plan, call: Call, result: Any) -> Any:
        followed = wrap(_Unstarted(operation, result), _BegunPlan(operation, plan))(*call.args, **call.kwargs)
        followed.__name__, followed.__qualname__ = result.__name__, result.__qualname__
        return followed

    return follow


LAZY: Mapping[type, Callable[[Operation, Plan, Call, Any], Any]] = {
    CoroutineType: _follow(_coroutine),
    GeneratorType: _follow(_generator),
    AsyncGeneratorType: _follow(_async_generator),
}


# ------------------------------------------------------------------------------------------------ calls of client libraries


def _is_value(call: Call, result: Any) -> str:
    return "value"


@dataclass(frozen=True, slots=True)
class Extractor:
    """Extracts attributes from the calls of one method of a client library: pure functions (None in a mapping: absent).

    operation: a row of the table of kinds; request: attributes known before the call, the provider too if it varies; response: attributes of the (accumulated)
    response; input, output: content, called only if content is captured; chunks: makes an accumulator for a streamed response;
    shape: "value" | "stream" | "async_stream" | "opaque" (must not be read).
    """

    operation: str
    request: Callable[[Call], dict[str, Any]]
    response: Callable[[Any], dict[str, Any]]
    input: Callable[[Call], dict[str, Any]]
    output: Callable[[Any], dict[str, Any]]
    chunks: Callable[[Call], Chunks] | None = None
    shape: Callable[[Call, Any], str] = _is_value


@dataclass(frozen=True, slots=True)
class Inference:
    """The plan for a method of a client library."""

    provider: str
    reading: Extractor

    def begin(self, call: Call) -> Operation | None:
        """Start the operation with the request's attributes."""
        with guard("read request"):
            kind = KINDS[self.reading.operation]
            if not would_begin(kind):  # a client called by another client: no need to read the request
                return None
            operation = begin(kind, {names.PROVIDER_NAME: self.provider, **self.reading.request(call)})
            if operation is not None and engine.policy is not None and engine.policy.captures:
                with guard("read input"):
                    operation.capture(self.reading.input(call))
            return operation
        return None

    def end(self, operation: Operation, call: Call, result: Any) -> Any:
        """Read the response, or return a proxy of the stream that reads it along with the program."""
        with guard("read response"):
            shape = self.reading.shape(call, result)
            if shape in ("stream", "async_stream") and self.reading.chunks is not None:
                from otel_agents.telemetry import streams  # importing wrapt takes 36 ms, and only streams need it

                return streams.follow(shape, result, operation, self.reading.chunks(call), self.read)
            if shape == "value":
                self.read(operation, result)
        operation.stop()
        return result

    def read(self, operation: Operation, response: Any) -> None:
        """Set the response's attributes, and capture its content if the policy allows."""
        with guard("read response"):
            operation.set(self.reading.response(response))
            if engine.policy is not None and engine.policy.captures:
                operation.capture(self.reading.output(response))


def inference(provider: str, reading: Extractor) -> Plan:
    """Observe a method of a client library that calls a model."""
    return Inference(provider, reading)
