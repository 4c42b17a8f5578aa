"""The documentation: it builds without a warning and without a network, names what exists, and the walk of one span is the walk that a span takes."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from otlp_server import http_receiver
from processes import run, written

import otel_agents

ROOT = Path(__file__).parents[1]
PACKAGE = Path(otel_agents.__file__).parent
DOCS = ROOT / "docs"
ARCHITECTURE = (DOCS / "architecture.md").read_text()
PLACES = re.findall(r"`([\w/]+\.py):([\w.]+)`", ARCHITECTURE)
SECTIONS = {title: re.findall(r"^\|[^|]*\| `([\w/]+\.py):([\w.]+)` \|", text, re.M) for title, text in re.findall(r"### (.*)\n((?:(?!##).*\n)*)", ARCHITECTURE)}


# ------------------------------------------------------------------------------------------------ the pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    words = ["-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    done = subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_documentation_builds_without_a_warning(site: Path) -> None:
    pages = {str(path.parent.relative_to(site)) for path in site.rglob("index.html")}
    assert pages >= {".", "architecture", "reliability", "reference/verbs", "reference/operation", "reference/settings", "reference/testing"}


def test_its_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r"<(?:script|img|iframe)[^>]*\ssrc=\"?([^\"> ]+)", text)
        linked = [tag for tag in re.findall(r"<link[^>]*>", text) if re.search(r"rel=\"?(stylesheet|preconnect|icon)", tag)]
        assert [each for each in (*loaded, *linked) if "//" in each] == [], page


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    text = "".join(path.read_text() for path in (site / "reference").rglob("*.html"))
    documented = {identifier.rpartition(".")[2] for identifier in re.findall(r'id="(otel_agents\.[\w.]+)"', text)}
    assert {"Setters" if name == "Operation" else name for name in otel_agents.__all__} - documented == set()


# ------------------------------------------------------------------------------------------------ what they name


def test_every_file_and_function_that_architecture_names_exists() -> None:
    assert len(PLACES) > 20
    for file, name in PLACES:
        scope: object = ast.parse((PACKAGE / file).read_text())
        for part in name.split("."):
            found = [node for node in getattr(scope, "body", []) if getattr(node, "name", None) == part]
            assert found, f"{file}:{name}"
            scope = found[0]


def paths_named(text: str) -> Iterator[str]:
    for quoted in re.findall(r"`([\w./-]+(?:\.py|\.md|\.toml|/))`", text):
        yield from [quoted] if "<" not in quoted else []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_that_a_page_names_exists(page: str) -> None:
    roots = (ROOT, PACKAGE, PACKAGE / "cli", PACKAGE / "verbs", ROOT / "tests" / "instrumentors")
    missing = [path for path in paths_named((ROOT / page).read_text()) if not any((root / path).exists() for root in roots)]
    assert missing == []
    linked = [target for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text()) if not (ROOT / page).parent.joinpath(target).exists()]
    assert linked == []


PROGRAM = """
    import json, sys, threading, time

    PACKAGE, walks = {package!r}, {{}}

    def note(frame, event, argument):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            walks.setdefault(threading.current_thread().name, {{}}).setdefault((code.co_filename.removeprefix(PACKAGE), code.co_qualname))

    import otel_agents as oa

    @oa.step
    def rank(answers: str) -> str:
        return answers

    threading.setprofile(note)  # of threads that begin from now on
    with oa.agent("researcher"):
        rank("tides")  # builds the pipeline, which is not part of the walk
        sys.setprofile(note)
        rank("waves")
        sys.setprofile(None)
    deadline = time.monotonic() + 20
    while ("journal/ship.py", "Shipper._remember") not in walks.get("otel-agents", {{}}) and time.monotonic() < deadline:
        time.sleep(0.05)
    print(json.dumps([list(walks["MainThread"]), list(walks["otel-agents"])]))
"""


def test_the_walk_is_the_one_that_a_span_takes(tmp_path: Path) -> None:
    with http_receiver() as endpoint:
        program = written(tmp_path, PROGRAM.format(package=f"{PACKAGE}/"))
        done = run(
            program,
            journal=tmp_path / "journal",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint.url,
            OTEL_AGENTS_SHIP_INTERVAL="0.1",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/json",
        )
    assert (done.status, done.err) == (0, "")
    assert set(SECTIONS) == {"In the caller's thread", "In the background thread"}
    for walk, walked in zip(SECTIONS.values(), json.loads(done.out), strict=True):
        taken = [tuple(place) for place in walked]
        assert [place for place in walk if place not in taken] == []
        assert walk == sorted(walk, key=taken.index), "in this order"
