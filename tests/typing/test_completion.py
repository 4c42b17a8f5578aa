"""What an editor offers between the parentheses: asked of pyright's language server, as an editor asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_overloads

import pytest

from otel_agents.config.arguments import Arguments
from otel_agents.verbs import signatures
from otel_agents.verbs.table import ROWS

pytestmark = pytest.mark.xdist_group("language server")  # one for all
ROOT = Path(__file__).parents[2]
VERBS = [row.verb for row in ROWS]
PROGRAM = "import otel_agents as oa\n" + "".join(f"oa.{verb}()\n" for verb in (*VERBS, "start"))


class Editor:
    """A language server and what is said to it: JSON-RPC with a header line, over standard input and output."""

    def __init__(self, folder: Path) -> None:
        settings = {"typeCheckingMode": "basic", "pythonVersion": "3.11", "extraPaths": [str(ROOT)]}
        (folder / "pyrightconfig.json").write_text(json.dumps(settings))
        self.uri = (folder / "program.py").as_uri()
        environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
        command = [Path(sys.executable).with_name("pyright-langserver"), "--stdio"]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=environment)
        self.asked = 0
        root = {"uri": folder.as_uri(), "name": "program"}
        self.ask("initialize", {"processId": os.getpid(), "rootUri": folder.as_uri(), "capabilities": {}, "workspaceFolders": [root]})
        self.say("initialized", {})
        self.say("textDocument/didOpen", {"textDocument": {"uri": self.uri, "languageId": "python", "version": 1, "text": PROGRAM}})

    def say(self, method: str, params: Any, **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()
        assert self.server.stdin is not None
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.server.stdin.flush()

    def ask(self, method: str, params: Any) -> Any:
        self.asked += 1
        self.say(method, params, id=self.asked)
        return next(message["result"] for message in self.heard() if message.get("id") == self.asked and "method" not in message)

    def heard(self) -> Iterator[Any]:
        stream = self.server.stdout
        assert stream is not None
        while header := stream.readline():
            size = int(header.removeprefix(b"Content-Length: "))
            while stream.readline().strip():
                pass
            yield json.loads(stream.read(size))

    def offered(self, call: str) -> set[str]:
        """The keywords offered inside of the parentheses of a call."""
        line = PROGRAM.splitlines().index(f"{call}()")
        place = {"textDocument": {"uri": self.uri}, "position": {"line": line, "character": len(call) + 1}}
        return {item["label"].removesuffix("=") for item in self.ask("textDocument/completion", place)["items"] if item["label"].endswith("=")}

    def close(self) -> None:
        self.server.kill()
        self.server.communicate()


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    opened = Editor(tmp_path_factory.mktemp("program"))
    yield opened
    opened.close()


@pytest.mark.parametrize("verb", VERBS)
def test_an_editor_offers_the_options_of_each_verb(editor: Editor, verb: str) -> None:
    expected = set(get_overloads(getattr(signatures, verb))[-1].__annotations__) - {"return"}
    assert editor.offered(f"oa.{verb}") == expected


def test_an_editor_offers_every_setting_of_start(editor: Editor) -> None:
    assert editor.offered("oa.start") == set(Arguments.__annotations__)
