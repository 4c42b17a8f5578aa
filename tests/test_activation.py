"""One variable switches a program on, however Python starts it; without it nothing is there. Every case is a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
from otlp_server import closed_port, grpc_receiver, http_receiver
from packaged import fresh_environment, installed
from processes import Done, environment, ran, run, written

OURS = "otel-agents"

STEP = """
    import otel_agents as oa
    with oa.step("{0}"):
        pass
"""


@pytest.fixture
def python(fresh: Path) -> Path:
    return fresh


@pytest.fixture
def start(python: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def started(*words: str | Path, **more: str | None) -> Done:
        return run(*words, journal=tmp_path / "journal", python=python, cwd=tmp_path, **more)

    return started


# ------------------------------------------------------------------------------------------------ on


def test_the_installed_package_is_the_wheels(python: Path, start) -> None:
    done = start("-c", "import otel_agents; print(otel_agents.__file__)")
    assert done.out.startswith(str(python.parent.parent))


def test_the_version_that_items_name_is_the_wheels(start) -> None:
    code = "from importlib.metadata import version as v; from otel_agents.runtime.process import version; print(v('otel-agents') == version() != '')"
    done = start("-c", code)
    assert done.out == "True\n"


STARTS = [("program.py",), ("-m", "program"), ("-I", "program.py"), ("-m", "package"), (".",), ("-X", "dev", "-W", "error", "program.py")]


@pytest.mark.parametrize("words", STARTS)
def test_however_python_is_started(start, tmp_path: Path, words: tuple[str, ...]) -> None:
    for name in ("program.py", "__main__.py", "package/__main__.py"):
        (tmp_path / "package").mkdir(exist_ok=True)
        written(tmp_path, STEP.format("here"), name)
    done = start(*words)
    assert (done.said, done.spans) == ((0, "", ""), ["step here"])


def test_console_scripts(start, python: Path, tmp_path: Path) -> None:
    script = written(tmp_path, f"#!{python}\nimport sys\nfrom program import main\nsys.exit(main())\n", "a-command")
    script.chmod(0o755)
    written(tmp_path, "import otel_agents as oa\n@oa.step\ndef main():\n    return 3\n")
    done = subprocess.run([script], env=environment(tmp_path / "journal"), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert start("-c", "").spans == ["step main"]


CHILDREN = """
    import multiprocessing, os, subprocess, sys
    from concurrent.futures import ProcessPoolExecutor
    import otel_agents as oa

    @oa.step
    def child(number):
        return number + 1

    if __name__ == "__main__":
        how = sys.argv[1]
        with oa.session("talk", user="ann", tenant="acme"), oa.agent("parent"):
            if how == "subprocess":
                subprocess.run([sys.executable, "-c", "import program; program.child(1)"], check=True)
            elif how == "os.fork":
                if not (pid := os.fork()):
                    child(1)
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
            elif how.startswith("pool-"):
                with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(how[5:])) as pool:
                    assert pool.submit(child, 1).result() == 2
            else:
                process = multiprocessing.get_context(how).Process(target=child, args=(1,))
                process.start()
                process.join()
                assert process.exitcode == 0
"""


@pytest.mark.own_attributes("tenant")
@pytest.mark.parametrize("how", ["spawn", "forkserver", "fork", "pool-spawn", "pool-forkserver", "pool-fork", "subprocess", "os.fork"])
def test_children_are_observed_below_their_parent(start, tmp_path: Path, how: str) -> None:
    written(tmp_path, CHILDREN)
    done = start("-W", "error", "program.py", how)
    assert (done.said, done.parents) == ((0, "", ""), {"invoke_agent parent": "", "step child": "invoke_agent parent"})
    parent, child = done.telemetry.span("invoke_agent parent"), done.telemetry.span("step child")
    session = {"gen_ai.conversation.id": "talk", "user.id": "ann", "tenant": "acme"}
    assert session.items() <= parent["attributes"].items()
    assert session.items() <= child["attributes"].items()
    assert parent["resource"]["service.instance.id"] != child["resource"]["service.instance.id"]


@pytest.mark.own_attributes("tenant")
@pytest.mark.parametrize("how", ["spawn", "forkserver", "fork", "pool-spawn", "pool-fork", "subprocess"])
def test_childrens_counts_arrive_from_zero(start, tmp_path: Path, how: str) -> None:
    written(tmp_path, CHILDREN)
    metrics = start("program.py", how).telemetry.metrics
    assert [point["count"] for point in metrics["otel_agents.step.duration"]] == [1]


def test_editable_installs(tmp_path: Path) -> None:
    """This environment's own: `pip install -e .`, as README has it for the suite."""
    done = ran(tmp_path, STEP.format("here"))
    assert (done.said, done.spans) == ((0, "", ""), ["step here"])


DISTRIBUTION = {
    "METADATA": "Metadata-Version: 2.1\nName: a-distribution\nVersion: 1\n",
    "entry_points.txt": "[opentelemetry_configurator]\nconfigurator = opentelemetry.sdk._configuration:_OTelSDKConfigurator\n",
}

COUNTED = """
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    import otel_agents as oa
    provider = trace.get_tracer_provider()
    print(type(provider) is TracerProvider)
    with trace.get_tracer("theirs").start_as_current_span("theirs"), oa.step("ours"):
        pass
    print(trace.get_tracer_provider() is provider)
"""


@pytest.mark.parametrize("automatic", [True, False])
def test_opentelemetry_instrument_comes_first_and_we_join(python: Path, tmp_path: Path, automatic: bool) -> None:
    """Its configurator sets the providers when it starts; both sides see everything, once."""
    for name, text in DISTRIBUTION.items():
        (tmp_path / "a_distribution-1.dist-info").mkdir(exist_ok=True)
        written(tmp_path / "a_distribution-1.dist-info", text, name)
    with http_receiver() as endpoint:
        more = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint.url, "OTEL_METRICS_EXPORTER": "none", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "none"}
        given = {"PYTHONPATH": str(tmp_path), "OTEL_PYTHON_CONFIGURATOR": "configurator", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", **more}
        program = written(tmp_path, COUNTED)
        launcher = ["-c", "from opentelemetry.instrumentation.auto_instrumentation import run; run()", python]
        done = run(*(launcher if automatic else []), program, journal=tmp_path / "journal", python=python, **given)
        assert done.said == (0, f"{automatic}\n{automatic}\n", "")
        assert endpoint.names("traces") == ["step ours", "theirs"]
    assert done.spans == ["step ours", "theirs"]
    assert done.parents["step ours"] == "theirs"


# ------------------------------------------------------------------------------------------------ layouts whose .pth files nobody reads


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    folder = tmp_path_factory.mktemp("target")
    installed(folder, wheel, "--target", str(folder))
    return folder


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, dependencies: Path) -> Path:
    """An environment with our dependencies and without us."""
    folder = tmp_path_factory.mktemp("bare")
    fresh_environment(folder, dependencies)
    return folder / "bin" / "python"


def layered(bare: Path, tmp_path: Path, *folders: Path, code: str = STEP.format("here"), **more: str | None) -> Done:
    """A program with these folders on PYTHONPATH, of which no .pth file is read; a folder that has the package comes behind its layer."""
    folders = tuple(each for folder in folders for each in (folder / "otel_agents" / "layer", folder) if each.exists())
    return run(written(tmp_path, code), journal=tmp_path / "journal", python=bare, PYTHONPATH=os.pathsep.join(map(str, folders)), **more)


def test_pip_target_with_pythonpath(bare: Path, target: Path, tmp_path: Path) -> None:
    done = layered(bare, tmp_path, target, code="import otel_agents.telemetry.engine as e, sys; print(e.engine.on, sys.modules['sitecustomize'].__file__)")
    assert done.said == (0, f"True {target / 'otel_agents' / 'layer' / 'sitecustomize.py'}\n", "")
    assert layered(bare, tmp_path, target).spans == ["step here"]


def test_the_command_prints_the_layer(bare: Path, target: Path, tmp_path: Path) -> None:
    for words, said in (((), f"{target / 'otel_agents' / 'layer'}\n"), (("--json",), f'{{\n  "layer": "{target}/otel_agents/layer"\n}}\n')):
        done = run("-m", "otel_agents", "layer", *words, journal=tmp_path, python=bare, cwd=tmp_path, PYTHONPATH=str(target))
        assert done.said == (0, said, "")


def test_the_root_of_the_wheel_has_no_start_up_module(wheel: Path) -> None:
    """pip would lay it over a sitecustomize.py of the user's."""
    names = ZipFile(wheel).namelist()
    roots = {name for name in names if "/" not in name}
    assert roots == {"otel_agents.pth", "otel_agents.start"}
    assert "otel_agents/layer/sitecustomize.py" in names


def test_the_layer_beside_a_pth_file_starts_once(start, python: Path, tmp_path: Path) -> None:
    layer = start("-m", "otel_agents", "layer").out.strip()
    done = start(written(tmp_path, STEP.format("here")), PYTHONPATH=layer)
    assert (done.said, done.spans) == ((0, "", ""), ["step here"])


def test_a_layer_without_its_package_says_so_and_the_program_runs(bare: Path, target: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    written(theirs, "print('theirs')\n", "sitecustomize.py")
    done = layered(bare, tmp_path, target / "otel_agents" / "layer", theirs, code="print('ran')")
    assert (done.status, done.out) == (0, "theirs\nran\n")
    assert the_line(done) == "otel-agents: not found: put the folder that it is installed in on PYTHONPATH, too, behind this layer"
    assert layered(bare, tmp_path, target / "otel_agents" / "layer", code="print('ran')", OTEL_AGENTS_ENABLED=None).said == (0, "ran\n", "")


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("switch", ["true", None])
def test_another_sitecustomize_is_run_too(bare: Path, target: Path, tmp_path: Path, ours_first: bool, switch: str | None) -> None:
    """Ours runs the one that it hides. Where another hides ours, that one decides, as without us."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    written(theirs, "print('theirs', __name__, __file__)\n", "sitecustomize.py")
    folders = (target, theirs) if ours_first else (theirs, target)
    done = layered(bare, tmp_path, *folders, code="import sys; print('otel_agents' in sys.modules)", OTEL_AGENTS_ENABLED=switch)
    assert done.out.splitlines() == [f"theirs sitecustomize {theirs / 'sitecustomize.py'}", str(bool(switch) and ours_first)]
    assert (done.status, done.err) == (0, "")


def test_a_broken_sitecustomize_behind_ours_is_reported_as_without_us(bare: Path, target: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    written(theirs, "raise RuntimeError('theirs')\n", "sitecustomize.py")
    done = layered(bare, tmp_path, target, theirs, code="print('ran')")
    assert (done.status, done.out) == (0, "ran\n")
    assert "RuntimeError: theirs" in done.err


# ------------------------------------------------------------------------------------------------ off

MODULES = "import sys; print(sorted(name for name in sys.modules if name.startswith(('otel_agents', 'opentelemetry', 'pydantic', 'wrapt', 'orjson'))))"


def test_without_the_variable_nothing_is_imported(start) -> None:
    assert start("-c", MODULES, OTEL_AGENTS_ENABLED=None).out == "[]\n"
    assert start("-c", MODULES, OTEL_AGENTS_ENABLED="").out == "[]\n"


@pytest.mark.parametrize("off", ["0", "false", "False", "no", "off", " "])
def test_off_imports_only_what_reads_the_variable(start, off: str) -> None:
    assert start("-c", MODULES, OTEL_AGENTS_ENABLED=off).out == "['otel_agents', 'otel_agents.activate']\n"


def test_off_costs_no_import_but_two_files_of_ours(start) -> None:
    """Less than a millisecond, as a set of imports, which no busy machine can change."""
    every = "import sys; print(*sorted(sys.modules))"
    off, unset = (set(start("-c", every, OTEL_AGENTS_ENABLED=switch).out.split()) for switch in ("0", None))
    assert off - unset == {"otel_agents", "otel_agents.activate"}


def test_the_sdks_own_switch_wins(start, tmp_path: Path) -> None:
    done = start(written(tmp_path, STEP.format("here")), OTEL_SDK_DISABLED="true")
    assert (done.said, done.spans) == ((0, "", ""), [])
    assert not (tmp_path / "journal").exists()


def test_our_own_commands_are_left_out(start, python: Path, tmp_path: Path) -> None:
    for words in (("-m", "otel_agents"), (python.parent / OURS,)):
        done = start(*words, "config", "show", "--json")
        assert (done.status, done.err) == (0, "")
    assert not (tmp_path / "journal").exists()


@pytest.mark.parametrize("words", [("-m", "pip", "--version"), ("-m", "pytest", "--version"), ("-c", ""), ("-m", "json.tool", "--help")])
def test_pythons_that_record_nothing_leave_nothing(start, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = start(*words)
    assert (done.status, done.err) == (0, "")
    assert not (tmp_path / "journal").exists()


def test_observing_begins_without_thread_file_or_network(start) -> None:
    show = "import os, sys, threading as t; print(t.active_count(), sorted(os.listdir('/proc/self/fd')), {'socket', 'opentelemetry.sdk'} & set(sys.modules))"
    assert start("-c", show).out == start("-c", show, OTEL_AGENTS_ENABLED=None).out


# ------------------------------------------------------------------------------------------------ broken settings: one line, the program unharmed

WORK = STEP.format("here") + "    print('done')\n    raise SystemExit(5)\n"


def broken(start, tmp_path: Path, **more: str) -> Done:
    done = start(written(tmp_path, WORK), **more)
    assert (done.status, done.out) == (5, "done\n")
    return done


def the_line(done: Done) -> str:
    lines = done.err.splitlines()
    assert len(lines) == 1, done.err
    return lines[0]


def test_an_unreadable_file(start, tmp_path: Path) -> None:
    (tmp_path / "otel-agents.yaml").write_text("content: [full\n")
    done = broken(start, tmp_path)
    assert "otel-agents.yaml" in the_line(done)
    assert done.spans == ["step here"]


def test_a_wrong_value(start, tmp_path: Path) -> None:
    done = broken(start, tmp_path, OTEL_AGENTS_CONTENT="everything")
    assert "OTEL_AGENTS_CONTENT='everything'" in the_line(done)
    assert "full" in the_line(done)
    assert done.spans == ["step here"]


def test_an_unknown_library(start, tmp_path: Path) -> None:
    done = broken(start, tmp_path, OTEL_AGENTS_INSTRUMENT="openia")
    assert "'openia'" in the_line(done)
    assert "openai" in the_line(done)
    assert done.spans == ["step here"]


def test_a_missing_library_asked_for_by_name(bare: Path, target: Path, tmp_path: Path) -> None:
    done = layered(bare, tmp_path, target, code=WORK, OTEL_AGENTS_INSTRUMENT="openai", OTEL_AGENTS_DISABLE="litelm")
    assert (done.status, done.out) == (5, "done\n")
    assert "'litelm'" in the_line(done)


def test_an_unwritable_journal_folder(start, tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    done = broken(start, tmp_path, OTEL_AGENTS_JOURNAL_DIR=str(tmp_path / "a-file" / "journal"))
    assert str(tmp_path / "a-file" / "journal") in the_line(done)
    assert "OTEL_AGENTS_JOURNAL_DIR" in the_line(done)


# ------------------------------------------------------------------------------------------------ the standard escape: no journal, but an endpoint

TELLING = """
    import logging
    import otel_agents as oa
    with oa.agent("here"):
        logging.getLogger("app").warning("key sk-proj-%s", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6")
    print("done")
"""


@pytest.mark.parametrize(("receiver", "protocol"), [(http_receiver, "http/protobuf"), (http_receiver, None), (grpc_receiver, "grpc")])
@pytest.mark.parametrize("why", ["off", "unwritable"])
def test_without_a_journal_the_sdks_exporters_send(tmp_path: Path, receiver, protocol: str | None, why: str) -> None:
    (tmp_path / "a-file").touch()
    reason = {"OTEL_AGENTS_JOURNAL": "off"} if why == "off" else {"OTEL_AGENTS_JOURNAL_DIR": str(tmp_path / "a-file" / "journal")}
    with receiver() as endpoint:
        done = ran(tmp_path, TELLING, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint.url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, **reason)
        assert (done.status, done.out) == (0, "done\n")
        assert endpoint.names("traces") == ["invoke_agent here"]
        assert "otel_agents.runs" in endpoint.names("metrics")
        assert [body for item in endpoint.items("logs") if (body := item.get("body", {}).get("stringValue"))] == ["key [redacted:openai-key]"]
    assert not (tmp_path / "journal").exists()
    said = [line for line in done.err.splitlines() if not line.startswith("key ")]
    assert len(said) == (why == "unwritable"), done.err
    assert all(str(tmp_path / "a-file" / "journal") in line and "OTEL_AGENTS_JOURNAL_DIR" in line for line in said)


@pytest.mark.parametrize(("receiver", "protocol"), [(http_receiver, "http/protobuf"), (grpc_receiver, "grpc")])
@pytest.mark.parametrize("journal", ["on", "off"])
def test_a_user_in_the_endpoint_is_sent_as_a_header(tmp_path: Path, receiver, protocol: str, journal: str) -> None:
    with receiver() as endpoint:
        url = endpoint.url.replace("http://", "http://ann:open%20sesame@")
        ran(tmp_path, TELLING, OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, OTEL_AGENTS_JOURNAL=journal)
        sent = {value for request in endpoint.requests for name, value in request.headers.items() if name.lower() == "authorization"}
    assert sent == {"Basic YW5uOm9wZW4gc2VzYW1l"}


def test_no_journal_and_no_endpoint_is_said(tmp_path: Path) -> None:
    done = ran(tmp_path, WORK, OTEL_AGENTS_JOURNAL="off")
    assert (done.status, done.out) == (5, "done\n")
    assert "OTEL_AGENTS_JOURNAL" in the_line(done)


def test_without_a_journal_an_exit_waits_no_longer_than_ours(tmp_path: Path) -> None:
    with closed_port() as url:
        done = ran(tmp_path, TIMED, OTEL_AGENTS_JOURNAL="off", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert done.status == 0
    assert float(done.out) < 3.0


TIMED = """
    import atexit, time
    ended = []
    atexit.register(lambda: print(time.monotonic() - ended[0]))  # runs after ours, which is registered behind it
    import otel_agents as oa
    oa.start()
    with oa.step("here"):
        pass
    ended.append(time.monotonic())
"""
