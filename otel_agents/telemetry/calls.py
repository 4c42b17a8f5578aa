"""Around a function, in its own colour: begin, let the program's code run as if nobody watched, end.

The function never stands inside a guard, and the stack grows by one frame. The operation's context is current only while the function's body runs: through a
coroutine once, through a generator at each step, where what the body had made current comes back with the next step.
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
    """The arguments of one call, the instance first where it is a method."""

    __slots__ = ("args", "kwargs")

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs

    @property
    def instance(self) -> Any:
        """The object whose method is called."""
        return self.args[0]

    def get(self, name: str, position: int | None = None, default: Any = None) -> Any:
        """An argument by keyword, else by position, counted with the instance as 0."""
        if name in self.kwargs:
            return self.kwargs[name]
        return self.args[position] if position is not None and position < len(self.args) else default


class Plan(Protocol):
    """How a function is observed. Neither method may raise."""

    def begin(self, call: Call) -> Operation | None:
        """Start its operation; None: let the call through unobserved."""

    def end(self, operation: Operation, call: Call, result: Any) -> Any:
        """Read the result and end the operation; gives what the caller gets: the result, or a stream that ends the operation later."""


def around(function: Function, plan: Plan) -> Function:
    """The function, observed by the plan: same colour, signature, name and laziness."""
    make, flag = _colour(function)
    observed = make(function, plan)
    observed.__name__, observed.__qualname__ = _names(function)
    wrapper = functools.update_wrapper(_behind_door(observed, function, flag) if flag else observed, function)
    for name in SHOWN.get(type(function), ()):
        setattr(wrapper, name, getattr(function, name))
    return wrapper


def _names(function: Any) -> tuple[str, str]:
    """What a call's coroutine or generator would be called: a partial has no name, and an object's call has its own."""
    while isinstance(function, functools.partial):
        function = function.func
    call = function if hasattr(function, "__qualname__") else type(function).__call__
    return getattr(call, "__name__", "call"), getattr(call, "__qualname__", "call")


def _colour(function: Function) -> tuple[Callable[[Function, Plan], Function], int]:
    """How functions of this colour are observed, and the flag that the code of such a function has."""
    call = function if isinstance(function, FunctionType | functools.partial) else getattr(type(function), "__call__", function)  # noqa: B004 - the method itself
    return next(((make, flag) for is_one, make, flag in COLOURS if is_one(function) or is_one(call)), (_plain, 0))


def _behind_door(observed: Function, function: Function, flag: int) -> Function:
    """What lazy functions do at once: they refuse wrong arguments at the call, not when somebody begins what it gave."""
    door = _door(function) if type(function) is FunctionType else _open_door

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not engine.on:
            return function(*args, **kwargs)
        door(*args, **kwargs)
        return observed(*args, **kwargs)

    wrapper.__name__ = observed.__name__
    return _flagged(wrapper, flag)


def _open_door(*args: Any, **kwargs: Any) -> None:
    """Takes anything."""


def _door(function: FunctionType) -> FunctionType:
    """A function that takes the same arguments and refuses the same ones in the same words, and does nothing."""
    code = function.__code__
    starred = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + starred.bit_count()]
    takes = {name: getattr(code, name) for name in ("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_name", "co_qualname")}
    flags = _nothing.__code__.co_flags | starred
    door = FunctionType(
        _nothing.__code__.replace(**takes, co_varnames=names, co_nlocals=len(names), co_flags=flags), {}, function.__name__, function.__defaults__
    )
    door.__kwdefaults__, door.__qualname__ = function.__kwdefaults__, function.__qualname__
    return door


def _nothing() -> None:
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
                sent = None  # what was thrown in has a traceback that holds this frame: a circle
                raise
            saved = set_current(before)
            operation.chunk()
            try:
                sent = yield value
                resume = resume.__self__.send
            except BaseException as error:
                resume, sent = resume.__self__.throw, error

    awaitable = type(function) is FunctionType and function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE
    return _flagged(observed, inspect.CO_ITERABLE_COROUTINE) if awaitable else observed


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
                if inner.ag_frame is None:  # the loop has closed it before us, and `athrow` then gives None
                    raise sent
            except StopAsyncIteration:
                set_current(before)
                if operation is not None:
                    plan.end(operation, call, None)
                return
            except BaseException as error:
                reset_token(token)  # not by force: the collector closes it wherever it happens to run
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


COLOURS: tuple[tuple[Callable[[Any], bool], Callable[[Function, Plan], Function], int], ...] = (
    (inspect.iscoroutinefunction, _coroutine, inspect.CO_COROUTINE),
    (inspect.isgeneratorfunction, _generator, inspect.CO_GENERATOR),
    (inspect.isasyncgenfunction, _async_generator, inspect.CO_ASYNC_GENERATOR),
)
SHOWN: Mapping[type, tuple[str, ...]] = {  # what programs ask of callables that are no functions
    type(functools.cache(len)): ("cache_info", "cache_clear"),
    functools.partial: ("func", "args", "keywords"),
    MethodType: ("__self__", "__func__"),
}


def _flagged(wrapper: FunctionType | Function, flag: int) -> Function:
    """The same function, whose code also says what its calls return: `inspect` then sees the colour of what it wraps, at no cost a call."""
    assert isinstance(wrapper, FunctionType)
    code: CodeType = wrapper.__code__.replace(co_flags=wrapper.__code__.co_flags | flag)
    return FunctionType(code, wrapper.__globals__, wrapper.__name__, wrapper.__defaults__, wrapper.__closure__)


# ------------------------------------------------------------------------------------------------ what a plain function returned


def settle(operation: Operation, plan: Plan, call: Call, result: Any) -> Any:
    """End the operation with the result, or, where that is a coroutine or a generator, when that has run."""
    kind = type(result)
    follow = FOLLOWED.get(kind) if type(kind) is type else None  # another metaclass brings its own `__hash__`
    return follow(operation, plan, call, result) if follow is not None else plan.end(operation, call, result)


class _Running:
    """A plan whose operation has begun already: what a plain function returned is followed to its end."""

    __slots__ = ("_operation", "_plan")

    def __init__(self, operation: Operation, plan: Plan) -> None:
        self._operation = operation
        self._plan = plan

    def begin(self, call: Call) -> Operation | None:
        return self._operation

    def end(self, operation: Operation, call: Call, result: Any) -> Any:
        return self._plan.end(operation, call, result)


class _Pending:
    """What a plain function gave away, until somebody begins it; where nobody ever does, its operation ends with it."""

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
                self._result.close()  # that it was never awaited is said of the one around it


def _follow(colour: Callable[[Function, Plan], Function]) -> Callable[[Operation, Plan, Call, Any], Any]:
    def follow(operation: Operation, plan: Plan, call: Call, result: Any) -> Any:
        made = colour(_Pending(operation, result), _Running(operation, plan))(*call.args, **call.kwargs)
        made.__name__, made.__qualname__ = result.__name__, result.__qualname__
        return made

    return follow


FOLLOWED: Mapping[type, Callable[[Operation, Plan, Call, Any], Any]] = {
    CoroutineType: _follow(_coroutine),
    GeneratorType: _follow(_generator),
    AsyncGeneratorType: _follow(_async_generator),
}


# ------------------------------------------------------------------------------------------------ a client library's calls


def _whole(call: Call, result: Any) -> str:
    return "value"


@dataclass(frozen=True, slots=True)
class Extractor:
    """How one method of a client library is read: pure functions from its objects to attributes (None: absent).

    operation: a row of the table of kinds; request: attributes known before the call, also the provider where it isn't always the same; response: of the
    (folded) response; input, output: content, asked for only where it may be captured; chunks: a fresh folder for a streamed response;
    shape: "value" | "stream" | "async_stream" | "opaque" (nobody may read it).
    """

    operation: str
    request: Callable[[Call], dict[str, Any]]
    response: Callable[[Any], dict[str, Any]]
    input: Callable[[Call], dict[str, Any]]
    output: Callable[[Any], dict[str, Any]]
    chunks: Callable[[Call], Chunks] | None = None
    shape: Callable[[Call, Any], str] = _whole


@dataclass(frozen=True, slots=True)
class Inference:
    """The plan of a client library's method."""

    provider: str
    reading: Extractor

    def begin(self, call: Call) -> Operation | None:
        """Start the operation from what the request says."""
        with guard("read request"):
            kind = KINDS[self.reading.operation]
            if not would_begin(kind):  # a client inside a client: its request need not be read
                return None
            operation = begin(kind, {names.PROVIDER_NAME: self.provider, **self.reading.request(call)})
            if operation is not None and engine.policy is not None and engine.policy.captures:
                with guard("read input"):
                    operation.capture(self.reading.input(call))
            return operation
        return None

    def end(self, operation: Operation, call: Call, result: Any) -> Any:
        """Read the response, or hand out a stream that is read as the program reads it."""
        with guard("read response"):
            shape = self.reading.shape(call, result)
            if shape in ("stream", "async_stream") and self.reading.chunks is not None:
                from otel_agents.telemetry import streams  # wrapt takes 36 ms to import, and only streams need it

                return streams.follow(shape, result, operation, self.reading.chunks(call), self.read)
            if shape == "value":
                self.read(operation, result)
        operation.stop()
        return result

    def read(self, operation: Operation, response: Any) -> None:
        """Take what the response says, and its content where that may be captured."""
        with guard("read response"):
            operation.set(self.reading.response(response))
            if engine.policy is not None and engine.policy.captures:
                operation.capture(self.reading.output(response))


def inference(provider: str, reading: Extractor) -> Plan:
    """Observe a method of a client library that calls a model."""
    return Inference(provider, reading)
