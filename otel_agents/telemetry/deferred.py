"""A dict that is made when it is first read: what costs an import that most programs never need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from otel_agents.config import import_lock

READS = (
    *("__contains__", "__delitem__", "__eq__", "__getitem__", "__ior__", "__iter__", "__len__", "__ne__", "__or__", "__repr__", "__reversed__", "__ror__"),
    *("__setitem__", "clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"),
)


class NotReadYet:
    """Stands for what is still to be made. Serializers that read a dict behind its methods (orjson) stop at it: give them `dict(…)` of it."""


class Deferred(dict[str, Any]):
    """`known` until somebody reads it by any of a dict's methods; from then on what `make` gives."""

    def __init__(self, known: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> None:
        super().__init__(known, parameters=NotReadYet())
        self._make: Callable[[], dict[str, Any]] | None = make

    def complete(self) -> None:
        if self._make is None:
            return
        with import_lock.imports:
            if self._make is not None:
                whole = self._make()
                dict.clear(self)
                dict.update(self, whole)
                self._make = None

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def completed(method: str) -> Callable[..., Any]:
    """A method of dict, before which everything is made."""
    of_dict = getattr(dict, method)

    @wraps(of_dict)
    def read(self: Deferred, *arguments: Any, **named: Any) -> Any:
        self.complete()
        return of_dict(self, *arguments, **named)

    return read


for _method in READS:
    setattr(Deferred, _method, completed(_method))
