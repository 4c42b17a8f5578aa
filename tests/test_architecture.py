"""There are no import cycles, neither of modules nor of packages; imports for types only and imports inside functions count."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import otel_agents

PACKAGE = Path(otel_agents.__file__).parent
Graph = Mapping[str, set[str]]


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


FILES = {name_of(file): file for file in PACKAGE.rglob("*.py")}


def named(tree: ast.AST) -> Iterator[str]:
    """Every name that is imported, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "import_module":
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def module_in(name: str) -> str:
    """The module that an imported name is or stands in; empty for other packages'."""
    while name and name not in FILES:
        name = name.rpartition(".")[0]
    return name


def graph() -> Graph:
    found = {name: {module_in(each) for each in named(ast.parse(file.read_text()))} for name, file in FILES.items()}
    return {name: imported - {name, "", "otel_agents"} for name, imported in found.items()}


def room_of(module: str) -> str:
    """The package below otel_agents that the module is in, or the module itself."""
    return ".".join(module.split(".")[:2])


def reachable(start: str, imports: Graph) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        new = imports[ahead.pop()] - seen
        seen |= new
        ahead += new
    return seen


def cycles(imports: Graph) -> set[frozenset[str]]:
    """The groups of modules that import one another."""
    below = {name: reachable(name, imports) for name in imports}
    return {frozenset(other for other in below[name] if name in below[other]) for name in imports if name in below[name]}


def test_there_are_no_import_cycles() -> None:
    assert {tuple(sorted(cycle)) for cycle in cycles(graph())} == set()


def test_packages_import_one_another_in_one_direction_only() -> None:
    imports: dict[str, set[str]] = {}
    for name, imported in graph().items():
        imports.setdefault(room_of(name), set()).update({room_of(each) for each in imported} - {room_of(name)})
    assert {tuple(sorted(cycle)) for cycle in cycles(imports)} == set()


def test_a_cycle_would_be_found() -> None:
    imports = {**graph(), "one": {"two"}, "two": {"three", "otel_agents.semconv"}, "three": {"one"}}
    assert cycles(imports) - cycles(graph()) == {frozenset({"one", "two", "three"})}


def test_imports_inside_functions_and_for_types_only_count() -> None:
    assert "otel_agents.telemetry.prices" in graph()["otel_agents.telemetry.kinds"]
    assert "otel_agents.telemetry.seams" in graph()["otel_agents.telemetry.engine"]
