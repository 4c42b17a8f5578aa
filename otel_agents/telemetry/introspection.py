"""Introspection of objects and classes without running their code.

Look-ups use the descriptors of `type` itself and the namespaces of the MRO; classes are compared by identity. No property, no `__getattribute__` and no
`__eq__`, `__hash__` or `mro` of a metaclass is called.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any

from otel_agents.redaction.surrogates import well_formed

MAX_ENTRIES = 2048  # entries of one object that are read
LONGEST_NAME = 256
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement or a C module with multi-phase initialisation; others are static types
FIELDS = ("__dataclass_fields__", "__pydantic_fields__", "model_fields", "__fields__")  # dataclasses; pydantic from 2.10, 2.0, 1
FIELD_TYPES = (("dataclasses", "Field"), ("pydantic.fields", "FieldInfo"))

mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
namespace: Callable[[type], Mapping[str, Any]] = type.__dict__["__dict__"].__get__
QUALNAME: Callable[[type], str] = type.__dict__["__qualname__"].__get__
MODULE: Callable[[type], str] = type.__dict__["__module__"].__get__
FLAGS: Callable[[type], int] = type.__dict__["__flags__"].__get__


def type_name(thing: object) -> str:
    """The name of a class, or of an object's class, as `error.type` has it: `module.Qualified.name`, for built-in ones without the module."""
    kind: Any = thing if is_class(thing) else type(thing)
    name, module = short(QUALNAME(kind)), module_of(kind)
    return name if module == "builtins" else f"{module}.{name}"


def module_of(kind: type) -> str:
    if not FLAGS(kind) & HEAP_TYPE:
        return MODULE(kind)
    found = namespace(kind).get("__module__")
    return short(found) if type(found) is str else "?"


def short(name: str) -> str:
    return well_formed(str.__str__(name)[:LONGEST_NAME])


def exact(value: object) -> type:
    """The value's type if it is safe as a dictionary key, else `object`: a metaclass other than `type` may define `__hash__` and `__eq__`."""
    kind = type(value)
    return kind if type(kind) is type else object


def is_class(value: object) -> bool:
    return is_any(type, mro(type(value)))


def is_any(kind: type, kinds: Iterable[type]) -> bool:
    return any(each is kind for each in kinds)


def is_original(kind: type) -> bool:
    """Whether this is the class that its module has under its name, not one that only claims to be."""
    return loaded((module_of(kind), short(QUALNAME(kind)))) is kind


def loaded(name: tuple[str, str]) -> Any:
    """A module's attribute by (module, name); None unless the module is imported."""
    module = sys.modules.get(name[0])
    return module.__dict__.get(name[1]) if type(module) is ModuleType else None


def stored(value: object, name: str, default: Any = None) -> Any:
    """The value of an attribute in a slot or in the object's own `__dict__`, without calling the object's code."""
    for kind in mro(type(value)):
        slot = namespace(kind).get(name)
        if type(slot) is MemberDescriptorType:
            try:
                return slot.__get__(value)
            except AttributeError:  # not set
                return default
    return own_dict(value).get(name, default)


def own_dict(value: object) -> dict[str, Any]:
    """A copy of the object's own `__dict__`; empty if a property of that name hides it."""
    for kind in mro(type(value)):
        slot = namespace(kind).get("__dict__")
        if slot is not None:
            return dict(own_items(slot.__get__(value))) if type(slot) is GetSetDescriptorType else {}
    return {}


def own_items(held: object) -> list[tuple[Any, Any]]:
    """The entries whose keys are exact strings. By iteration, never by look-up, which would call the `__eq__` of other keys."""
    return [pair for pair in head(dict.items(held), MAX_ENTRIES) if type(pair[0]) is str] if is_any(dict, mro(type(held))) else []  # type: ignore[arg-type]  # a dict


def fields(ancestors: tuple[type, ...]) -> dict[str, Any] | None:
    """The declared fields if these are the base classes of a dataclass or pydantic model."""
    for kind in ancestors:
        declared = namespace(kind)
        for marker in FIELDS:
            if type(declared.get(marker)) is dict:
                return dict(own_items(declared[marker]))
    return None


def head(values: Iterable[Any], count: int) -> list[Any]:
    """The first elements, copied in one step: another thread may be changing the container."""
    try:
        return list(islice(values, max(count, 0)))
    except RuntimeError:  # changed during that step
        return []
