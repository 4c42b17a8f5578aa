"""Nothing that calls out is forgotten: every method that posts or opens a socket is observed or excluded with a reason.

Reads the sources of the libraries without importing them; test_versions.py runs it at both ends of the version ranges.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from otel_agents.instrumentors import litellm as litellm_table
from otel_agents.instrumentors import openai as openai_table

POSTS = {"_post", "_get", "_put", "_patch", "_delete", "_get_api_list", "_request"}
CONNECTS = re.compile(r"(^|[._])connect(_websocket|_ws)?$")
NOT_API_CALLS = {"proxy", "llms", "integrations"}  # litellm's server, its transports and its callbacks


def test_every_method_of_openai_that_calls_out() -> None:
    folder = source("openai")
    called = {method for file in sorted((folder / "resources").rglob("*.py")) for method in calling_methods(file, module(file, folder))}
    assert len(called) > 60
    observed = {target.format(colour) for target, _ in openai_table.CALLS for colour in ("", "Async")}
    forgotten = {method for method in called if not is_observed(method, observed) and not reasons(method, openai_table.EXCLUDED)}
    assert forgotten == set()
    assert {method for method in called if is_observed(method, observed) and reasons(method, openai_table.EXCLUDED)} == set()


def test_every_function_of_litellm_that_calls_out() -> None:
    folder = source("litellm")
    files = [file for file in sorted(folder.rglob("*.py")) if file.relative_to(folder).parts[0] not in NOT_API_CALLS]
    called = {function for file in files for function in decorated_functions(file, module(file, folder))}
    assert len(called) >= 15
    observed = {target.partition(":")[2] for target, _ in litellm_table.FUNCTIONS}
    seen = {function for function in called if function.partition(":")[2] in observed and function.split(":")[0] in ("litellm.main", "litellm.responses.main")}
    assert {function for function in called - seen if not reasons(function, litellm_table.EXCLUDED)} == set()
    assert {function for function in seen if reasons(function, litellm_table.EXCLUDED)} == set()


def source(library: str) -> Path:
    spec = importlib.util.find_spec(library)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def module(file: Path, folder: Path) -> str:
    return ".".join((folder.name, *file.relative_to(folder).with_suffix("").parts))


def calling_methods(file: Path, name: str) -> Iterator[str]:
    for owner in ast.walk(ast.parse(file.read_text())):
        if isinstance(owner, ast.ClassDef):
            methods = [node for node in owner.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
            yield from (f"{name}:{owner.name}.{method.name}" for method in methods if calls_out(method))


def calls_out(method: ast.AST) -> bool:
    called = [node.func for node in ast.walk(method) if isinstance(node, ast.Call)]
    posts = any(isinstance(function, ast.Attribute) and ast.unparse(function.value) == "self" and function.attr in POSTS for function in called)
    return posts or any(CONNECTS.search(ast.unparse(function)) for function in called)


def decorated_functions(file: Path, name: str) -> Iterator[str]:
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "client" in {ast.unparse(decorator) for decorator in node.decorator_list}:
            yield f"{name}:{node.name}"


def is_observed(method: str, observed: set[str]) -> bool:
    """A class may live in a module below the one it is hooked in."""
    home, _, path = method.partition(":")
    return any(path == target.partition(":")[2] and f"{home}.".startswith(f"{target.partition(':')[0]}.") for target in observed)


def reasons(method: str, excluded: tuple[tuple[str, str], ...]) -> list[str]:
    return [reason for pattern, reason in excluded if re.fullmatch(pattern.replace(".", r"\.").replace("*", ".*"), method)]
