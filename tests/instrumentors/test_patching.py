"""Import hooks, replacing, rebinding and undoing, over libraries made for the test."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from otel_agents.instrumentors.patching import ImportHooks, Patches
from otel_agents.telemetry.engine import engine

Write = Callable[[dict[str, str]], None]

SHOP = {
    "shop/__init__.py": "from shop.till import pay\nfrom shop.counter import Counter",
    "shop/till.py": "def pay(amount): return amount",
    "shop/counter.py": """
from shop.till import pay as settle
def take(amount): return settle(amount)
class Base:
    def greet(self): return "hello"
class Counter(Base):
    def sell(self): return "sold"
    @staticmethod
    def tax(amount): return amount
    @classmethod
    def name(cls): return cls.__name__
    ring = sell
""",
    "shop/cellar.py": "def pour(amount): return amount",
}


@pytest.fixture
def hooks() -> Iterator[ImportHooks]:
    finder = ImportHooks()
    sys.meta_path.insert(0, finder)
    yield finder
    sys.meta_path.remove(finder)


def loud(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: ("seen", function(*args, **kwargs))


def test_an_action_runs_once_its_module_is_imported(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    seen: list[bool] = []
    hooks.when("shop.counter", lambda: seen.append(hasattr(sys.modules["shop.counter"], "Counter")))
    assert seen == []
    shop = importlib.import_module("shop")
    assert seen == [True]
    assert shop.__loader__ is shop.__spec__.loader
    assert "exec_module" not in vars(sys.modules["shop.counter"].__loader__)
    hooks.when("shop", lambda: seen.append(False))
    assert seen == [True, False]


def test_looking_for_a_module_does_not_count_as_importing_it(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    seen: list[str] = []
    hooks.when("shop", lambda: seen.append("shop"))
    assert importlib.util.find_spec("shop") is not None
    assert importlib.util.find_spec("shop") is not None
    assert seen == []
    importlib.import_module("shop")
    assert seen == ["shop"]


def test_a_lazily_loaded_module_is_hooked_when_it_loads(hooks: ImportHooks, library: Write) -> None:
    library({"slow.py": "value = 1"})
    seen: list[str] = []
    hooks.when("slow", lambda: seen.append("slow"))
    spec = importlib.util.find_spec("slow")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["slow"] = module
    spec.loader.exec_module(module)
    assert seen == []
    assert module.value == 1
    assert seen == ["slow"]


def test_a_library_that_fails_to_import_is_hooked_when_it_succeeds(hooks: ImportHooks, library: Write) -> None:
    library({"frail.py": "import sys\nif not hasattr(sys, 'frail_works'): raise RuntimeError('not yet')"})
    seen: list[str] = []
    hooks.when("frail", lambda: seen.append("frail"))
    with pytest.raises(RuntimeError, match="not yet"):
        importlib.import_module("frail")
    sys.frail_works = True  # type: ignore[attr-defined] # the library made for this test looks there
    importlib.import_module("frail")
    del sys.frail_works  # type: ignore[attr-defined]
    assert seen == ["frail"]


def test_a_hook_that_fails_does_not_fail_the_import(hooks: ImportHooks, library: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("a hook of ours")

    library(SHOP)
    monkeypatch.setattr(engine, "strict", False)
    monkeypatch.setattr(engine, "failures", {})
    seen: list[str] = []
    hooks.when("shop", fail)
    hooks.when("shop", lambda: seen.append("shop"))
    assert importlib.import_module("shop").pay(1) == 1
    assert seen == ["shop"]
    assert engine.failures == {"import of shop": 1}


class Odd:
    """A finder with a loader that lets nobody set attributes."""

    class Loader:
        __slots__ = ()

        def create_module(self, spec: ModuleSpec) -> None:
            return None

        def exec_module(self, module: ModuleType) -> None:
            module.value = 1  # type: ignore[attr-defined] # this is how a loader fills a module

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self.Loader()) if name == "an_odd_one" else None


def test_a_loader_that_cannot_be_watched_still_loads(hooks: ImportHooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Odd()])
    hooks.when("an_odd_one", lambda: None)
    module = importlib.import_module("an_odd_one")
    del sys.modules["an_odd_one"]
    assert module.value == 1


def test_nothing_is_patched_after_the_stop(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    seen: list[str] = []
    hooks.when("shop", lambda: seen.append("shop"))
    spec = importlib.util.find_spec("shop")
    hooks.stop()
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shop"] = module
    spec.loader.exec_module(module)
    assert seen == []


def test_every_name_of_the_library_is_rebound_and_put_back(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    patches = Patches("shop", "shop", hooks)
    patches.replace("shop:pay", loud)
    patches.replace("shop.till:pay", loud)
    hooks.when("shop", patches.rebind)
    shop = importlib.import_module("shop")
    assert shop.pay(1) == shop.till.pay(1) == shop.counter.take(1) == ("seen", 1)
    patches.undo()
    assert shop.pay(1) == shop.till.pay(1) == shop.counter.take(1) == 1


def test_methods_of_every_kind(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    patches = Patches("shop", "shop", hooks)
    shop = importlib.import_module("shop")
    original = dict(vars(shop.Counter))
    for name in ("sell", "tax", "name", "greet", "missing"):
        patches.replace(f"shop.counter:Counter.{name}", loud)
    counter = shop.Counter()
    assert (counter.sell(), shop.Counter.tax(2), shop.Counter.name(), counter.greet()) == (
        ("seen", "sold"),
        ("seen", 2),
        ("seen", "Counter"),
        ("seen", "hello"),
    )
    assert patches.absent == ["shop.counter:Counter.missing"]
    patches.undo()
    assert dict(vars(shop.Counter)) == original


def test_a_module_imported_later_is_patched_then(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    patches = Patches("shop", "shop", hooks)
    importlib.import_module("shop")
    patches.replace("shop.cellar:pour", loud)
    assert importlib.import_module("shop.cellar").pour(3) == ("seen", 3)


def test_names_the_program_bound_before_are_reported_not_touched(hooks: ImportHooks, library: Write) -> None:
    library({**SHOP, "program.py": "from shop import pay"})
    program = importlib.import_module("program")
    patches = Patches("shop", "shop", hooks)
    patches.replace("shop:pay", loud)
    patches.rebind()
    assert patches.missed == ["program.pay"]
    assert program.pay(1) == 1
    assert sys.modules["shop"].pay(1) == ("seen", 1)


def test_what_another_tool_replaced_since_stays(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    patches = Patches("shop", "shop", hooks)
    shop = importlib.import_module("shop")
    patches.replace("shop.counter:Counter.sell", loud)
    ours = shop.Counter.sell
    shop.Counter.sell = lambda self: ours(self)
    patches.undo()
    assert shop.Counter().sell() == ("seen", "sold")


def test_the_same_function_is_wrapped_once(hooks: ImportHooks, library: Write) -> None:
    library(SHOP)
    patches = Patches("shop", "shop", hooks)
    importlib.import_module("shop")
    for _ in range(2):
        patches.replace("shop.till:pay", loud)
        patches.replace("shop:pay", loud)
        patches.rebind()
    assert sys.modules["shop"].pay(1) == ("seen", 1)
