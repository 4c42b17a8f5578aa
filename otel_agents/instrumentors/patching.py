"""How a library is patched: an import hook that waits for its modules, `wrap()`, and a ledger from which every patch can be undone.

The hook is the first finder in `sys.meta_path` and costs one dictionary lookup per import. It leaves finding the module to the other finders and replaces
`exec_module` once, on that one loader instance: `__loader__` and `__spec__` stay as they are.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_agents.telemetry.guard import guard

if TYPE_CHECKING:
    from otel_agents.telemetry.calls import Call, Plan

logger = logging.getLogger("otel_agents")

ABSENT = object()


class ImportHooks:
    """A finder for `sys.meta_path` that loads nothing itself; it runs actions once a module they wait for has been imported."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[Callable[[], None]]] = {}
        self.ledgers: dict[str, Patches] = {}

    def when(self, module: str, action: Callable[[], None]) -> None:
        """Run `action` as soon as `module` has been imported; at once if it already is."""
        if module in sys.modules:
            action()
        else:
            self.waiting.setdefault(module, []).append(action)

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Called by the import system. Returns None unless an action waits for this module."""
        if name not in self.waiting:
            return None
        spec = next(_found(name, path, target, self), None)
        if spec is not None and spec.loader is not None:
            with guard(f"find {name}"):
                self._hook_loader(spec.loader, name)
        return spec

    def stop(self) -> None:
        """Stop waiting for modules and undo every patch."""
        self.waiting.clear()
        for patches in reversed(list(self.ledgers.values())):
            patches.undo()

    def imported(self, name: str) -> None:
        """Run the actions that waited for this module."""
        for action in self.waiting.pop(name, ()):
            with guard(f"import of {name}"):
                action()

    def _hook_loader(self, loader: Any, name: str) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            ours = module.__name__ == name  # one loader may serve many modules (zipimport)
            if ours:
                vars(loader).pop("exec_module", None)
            execute(module)
            if ours:
                self.imported(name)

        if hasattr(loader, "__dict__") and not isinstance(loader, type):
            loader.exec_module = exec_module
        else:
            logger.debug("otel-agents: the loader of %s can't be hooked: %s", name, type(loader).__name__)


def _found(name: str, path: Any, target: ModuleType | None, ours: ImportHooks) -> Iterator[ModuleSpec]:
    for finder in list(sys.meta_path):
        find = getattr(finder, "find_spec", None)
        if finder is not ours and find is not None:
            spec = find(name, path, target)
            if spec is not None:
                yield spec


class Patch(NamedTuple):
    """One replaced attribute; `original` is ABSENT where the owner only inherited it."""

    owner: Any
    name: str
    original: Any
    replacement: Any


class Patches:
    """The ledger of one library: what was replaced, what this version of it lacks, and which names the program had bound before the patch."""

    def __init__(self, library: str, package: str, hooks: ImportHooks) -> None:
        self.library = library
        self.why: str | None = "not imported yet"
        self.missed: list[str] = []
        self.absent: list[str] = []
        self._package = package
        self._hooks = hooks
        self._was_imported = package in sys.modules
        self._ledger: list[Patch] = []
        self._moved: dict[int, Patch] = {}

    def wrap(self, target: str, plan: Plan) -> None:
        """Wrap the function at `module:attribute` or `module:Class.method` with `plan`, as soon as its module has been imported."""
        from otel_agents.telemetry.calls import around

        self.replace(target, lambda function: around(function, plan))

    def wrap_returned(self, target: str, plan: Callable[[Call], Plan | None]) -> None:
        """Wrap the functions that the factory at `target` returns, if `plan` returns a plan for the call that created them."""
        self.replace(target, lambda make: _wrapping_returned(make, plan))

    def end_with(self, target: str, attribute: str) -> None:
        """Let the close method at `target` also end the observed stream that its instance holds as `attribute`."""
        self.replace(target, lambda close: _closing(close, attribute))

    def replace(self, target: str, change: Callable[[Any], Any]) -> None:
        """Replace the function at `target` with `change(function)`. A target that this version of the library lacks is recorded as absent."""
        module, _, path = target.partition(":")
        arrived = module in sys.modules

        def act() -> None:
            with guard(f"patch {target}"):
                self._put(sys.modules[module], path, target, change)
                if not arrived:
                    self.rebind()

        self._hooks.when(module, act)

    def rebind(self) -> None:
        """Rebind every name in the library's own modules that refers to a replaced function. Names in the program's modules are only recorded as missed."""
        moved, self._moved = self._moved, {}
        originals = {key: patch.original for key, patch in moved.items()}
        for module, name, value in _bound(originals, "" if self._was_imported else self._package):
            if _is_inside(module, self._package):
                self._ledger.append(Patch(sys.modules[module], name, value, moved[id(value)].replacement))
                setattr(sys.modules[module], name, moved[id(value)].replacement)
            else:
                self.missed.append(f"{module}.{name}")

    def undo(self) -> None:
        """Restore every original, except where somebody else has replaced ours since. Names that the library has bound to ours meanwhile are restored too."""
        for patch in reversed(self._ledger):
            if patch.replacement in (vars(patch.owner).get(patch.name), getattr(patch.owner, patch.name, None)):
                delattr(patch.owner, patch.name) if patch.original is ABSENT else setattr(patch.owner, patch.name, patch.original)
        moved = {id(patch.replacement): patch for patch in self._ledger if isinstance(patch.owner, ModuleType)}
        for module, name, value in _bound({key: patch.replacement for key, patch in moved.items()}, self._package):
            setattr(sys.modules[module], name, moved[id(value)].original)
        self._ledger.clear()

    def _put(self, module: ModuleType, path: str, target: str, change: Callable[[Any], Any]) -> None:
        *owners, name = path.split(".")
        owner: Any = module
        for part in owners:
            owner = getattr(owner, part, ABSENT)
        original = _raw(owner, name)
        if original is ABSENT and isinstance(owner, type):  # a metaclass may provide it, and store a replacement where it belongs
            original = getattr(owner, name, ABSENT)
        if original is ABSENT:
            self.absent.append(target)
            logger.debug("otel-agents: %s has no %s in this version", self.library, target)
        elif not any(patch.replacement is original for patch in self._ledger):
            self._set(owner, name, original, _like(original, change))

    def _set(self, owner: Any, name: str, original: Any, replacement: Any) -> None:
        earlier = self._moved.get(id(original))
        patch = Patch(owner, name, original if name in vars(owner) else ABSENT, earlier.replacement if earlier else replacement)
        setattr(owner, name, patch.replacement)
        self._ledger.append(patch)
        if isinstance(owner, ModuleType):
            self._moved[id(original)] = patch


def _bound(wanted: dict[int, Any], package: str) -> Iterator[tuple[str, str, Any]]:
    """Every module-level name, in one package or in all (""), that is bound to one of the wanted objects."""
    for module_name, module in sys.modules.copy().items() if wanted else ():  # copying is atomic; other threads may import
        if issubclass(type(module), ModuleType) and _is_inside(module_name, package):  # some only pretend to be modules (cffi)
            namespace = object.__getattribute__(module, "__dict__")  # does not trigger a lazy module
            for name, value in namespace.copy().items():
                if id(value) in wanted and value is wanted[id(value)]:
                    yield module_name, name, value


def _is_inside(module: str, package: str) -> bool:
    return not package or module == package or module.startswith(package + ".")


def _raw(owner: Any, name: str) -> Any:
    """The attribute as it is stored, so that a staticmethod or classmethod object is not unwrapped."""
    homes = owner.__mro__ if isinstance(owner, type) else (owner,)
    return next((vars(home)[name] for home in homes if name in getattr(home, "__dict__", ())), ABSENT)


def _wrapping_returned(make: Any, plan: Callable[[Call], Plan | None]) -> Any:
    from otel_agents.telemetry.calls import Call, around

    @functools.wraps(make)
    def factory(*args: Any, **kwargs: Any) -> Any:
        made = make(*args, **kwargs)
        with guard("patch a returned function"):
            chosen = plan(Call(args, kwargs))
            return made if chosen is None else around(made, chosen)
        return made

    return factory


def _closing(close: Any, attribute: str) -> Any:
    @functools.wraps(close)
    def closing(instance: Any, *args: Any, **kwargs: Any) -> Any:
        with guard("close stream"):
            followed = getattr(vars(instance).get(attribute), "_self_followed", None)
            if followed is not None:
                followed.stop("cancelled")
        return close(instance, *args, **kwargs)

    return closing


def _like(original: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(original, (staticmethod, classmethod)):
        return type(original)(change(original.__func__))
    return change(original)
