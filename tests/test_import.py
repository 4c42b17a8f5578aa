"""What an import costs and who may know whom: `import otel_agents` stays light, every library has its home, imports point down."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import otel_agents
from otel_agents.instrumentors.registry import INSTRUMENTORS

PACKAGE = Path(otel_agents.__file__).parent
ROOT = PACKAGE.parent
HEAVY = ("pydantic", "pydantic_settings", "wrapt", "duckdb", "opentelemetry.sdk", "litellm", "openai", "orjson", "yaml", "rich", "grpc", "requests")
HOMES = {
    "opentelemetry.sdk": ("runtime.", "testing", "journal.", "sdk.", "exporters."),
    "opentelemetry.exporter": ("runtime.direct", "exporters."),
    "prometheus_client": ("exporters.",),
    "opentelemetry.proto": ("journal.",),
    "google": ("journal.",),
    "pydantic": ("config.definitions", "config.model", "verbs.tool_schema"),
    "pydantic_core": ("config.parsers",),
    "pydantic_settings": ("config.model",),
    "typing_extensions": ("config.definitions", "verbs.tool_schema"),
    "genai_prices": ("telemetry.prices",),
    "docstring_parser": ("verbs.tool_schema",),
    "annotationlib": ("verbs.tool_schema",),  # of the standard library from 3.14 on
    "platformdirs": ("config.paths",),
    "yaml": ("config.files", "dashboards.render", "stack.cluster", "stack.board_queries"),
    "wrapt": ("instrumentors.patching", "telemetry.streams"),
    "rich": ("cli.",),
    "grpc": ("journal.wire_grpc", "runtime.direct"),
    "pytest": ("testing",),
    **{instrumentor.module: (instrumentor.file.removeprefix("otel_agents."), "cli.") for instrumentor in INSTRUMENTORS},
}
STANDARD = frozenset(sys.stdlib_module_names)
EVERYWHERE = ("otel_agents", "opentelemetry", "orjson")


def loaded(code: str) -> set[str]:
    show = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    return set(subprocess.run([sys.executable, "-I", "-c", show], capture_output=True, text=True, check=True).stdout.split())


def heavy(modules: set[str]) -> set[str]:
    return {name for name in modules if name in HEAVY or name.startswith(tuple(f"{one}." for one in HEAVY))}


def test_the_package_imports_nothing_at_all() -> None:
    assert loaded("import otel_agents") == {"otel_agents"}


@pytest.mark.parametrize("name", [name for name in otel_agents.__all__ if name not in ("start", "flush", "shutdown")])
def test_a_verb_imports_nothing_heavy(name: str) -> None:
    assert heavy(loaded(f"import otel_agents; otel_agents.{name}")) <= {"orjson", "orjson.orjson"}


def test_starting_with_the_variable_imports_nothing_heavy() -> None:
    assert heavy(loaded("from otel_agents.bootstrap import _begin; _begin()")) <= {"orjson", "orjson.orjson"}


RECORDS = """
import os
os.environ.clear()
os.environ.update(OTEL_AGENTS_JOURNAL_DIR={folder!r}, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
import otel_agents as oa
oa.start()
with oa.step("one"):
    pass
oa.shutdown()
"""
SELDOM = {"importlib.metadata", "tempfile", "urllib.request", "gzip", "yaml", "pydantic", "google.protobuf", "grpc", "requests"}


def test_recording_and_sending_import_nothing_that_is_seldom_needed(tmp_path: Path) -> None:
    """Each of these costs a process milliseconds of its start or its end."""
    assert loaded(RECORDS.format(folder=str(tmp_path / "journal"))) & SELDOM == set()


def test_every_public_name_is_there_and_no_other() -> None:
    assert sorted(otel_agents.__all__) == sorted(name for names in otel_agents.HOMES.values() for name in names)
    assert {name for name in otel_agents.__all__ if not callable(getattr(otel_agents, name))} == set()
    assert set(otel_agents.__all__) <= set(dir(otel_agents))
    typed = next(node for node in ast.parse((PACKAGE / "__init__.py").read_text()).body if isinstance(node, ast.If))
    assert sorted(alias.name for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names) == sorted(otel_agents.__all__)


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(AttributeError, match=r"'otel_agents' has no attribute 'trace'; it has .*agent.*workflow"):
        otel_agents.trace  # noqa: B018 - the access is what is tested


# ------------------------------------------------------------------------------------------------ homes


@cache
def imports(file: Path) -> frozenset[str]:
    return frozenset(imported(ast.parse(file.read_text())))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "import_module" and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def module(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


FILES = sorted(PACKAGE.rglob("*.py"))


def is_inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("library", HOMES)
def test_every_library_has_its_home(library: str) -> None:
    strangers = {
        module(file)
        for file in FILES
        if not module(file).startswith(tuple(home for home in HOMES[library] if home.endswith("."))) and module(file) not in HOMES[library]
        for name in imports(file)
        if is_inside(name, library)
    }
    assert strangers == set()


def test_no_library_is_without_a_home() -> None:
    named = {name.split(".")[0] for file in FILES for name in imports(file)}
    assert named - STANDARD - {home.split(".")[0] for home in HOMES} - set(EVERYWHERE) == set()


def test_a_library_is_imported_only_inside_the_hook_that_its_import_triggers() -> None:
    for instrumentor in INSTRUMENTORS:
        file = PACKAGE.joinpath(*instrumentor.file.split(".")[1:]).with_suffix(".py")
        top = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
        found = [name for node in top for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])]
        assert not [name for name in found if is_inside(name, instrumentor.module)]


def test_imports_point_down() -> None:
    """The ranks of [tool.importlinter], in which every module has one."""
    done = subprocess.run([Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
