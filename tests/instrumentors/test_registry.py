"""The table of instrumentors: what is asked for, what is supported, what `doctor` is told, what it costs before the library comes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from otel_agents.instrumentors import registry


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    registry.uninstall()


def row(library: str) -> dict[str, object]:
    return next(row for row in registry.status() if row["library"] == library)


@pytest.mark.parametrize(("version", "numbers"), [("1.74.0.post2", (1, 74, 0)), ("2.0.0rc1", (2, 0, 0)), ("3", (3,)), ("v1", ()), ("2!1.0", (2,))])
def test_numbers_of_a_version(version: str, numbers: tuple[int, ...]) -> None:
    assert registry.release(version) == numbers


def test_supported_versions() -> None:
    ours = registry.Instrumentor("shop", "shop", "1.26", "4", "shop_file")
    assert ours.supported == ">=1.26,<4"
    answers = {version: ours.supports(version) for version in ("1.26.0", "1.25.9", "3.99", "4.0.0b1", "0.28.1", None)}
    assert answers == {"1.26.0": True, "1.25.9": False, "3.99": True, "4.0.0b1": False, "0.28.1": False, None: True}


def test_an_unknown_name_is_an_error_that_names_it_and_the_fix() -> None:
    with pytest.raises(ValueError, match=r"no instrumentor for 'opnai'; known libraries are litellm, openai: correct or remove the name"):
        registry.install(["opnai"])
    with pytest.raises(ValueError, match=r"no instrumentor for 'opnai'"):
        registry.install(None, ["opnai"])


def test_a_library_asked_for_by_name_must_be_there_and_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "installed_version", lambda library: None)
    with pytest.raises(ValueError, match=r"'openai' was asked for but is not installed: run `pip install openai` or remove the name"):
        registry.install(["openai"])
    monkeypatch.setattr(registry, "installed_version", lambda library: "0.28.1")
    with pytest.raises(ValueError, match=r"openai 0\.28\.1 can't be instrumented: run `pip install 'openai>=1\.26,<4'` or remove the name"):
        registry.install(["openai"])


def test_status_before_and_after_start() -> None:
    assert row("openai")["why"] == "otel-agents has not been started in this process"
    import openai  # noqa: F401 - an imported library is patched at once

    registry.install(["openai"])
    assert (row("openai")["patched"], row("openai")["why"], row("openai")["supported"]) == (True, None, ">=1.26,<4")
    assert row("litellm")["why"] == "disabled by the settings"
    registry.uninstall()
    assert row("openai")["patched"] is False


def test_a_library_outside_the_range_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import openai

    create = openai.resources.Embeddings.create
    monkeypatch.setattr(registry, "installed_version", lambda library: "9.9")
    registry.install()
    assert openai.resources.Embeddings.create is create
    assert row("openai")["why"] == "version 9.9 is outside >=1.26,<4"


def test_install_and_status_import_no_library() -> None:
    program = """
import sys
from otel_agents.instrumentors import registry
registry.install()
rows = registry.status()
assert {row["why"] for row in rows} == {"not imported yet"}, rows
heavy = {"openai", "litellm", "wrapt", "pydantic", "httpx", "httpx2", "opentelemetry.sdk"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True)
