"""The suite's model server in a process of its own; prints its URL and serves until it is ended."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from model_server import ModelServer

if __name__ == "__main__":
    with ModelServer() as server:
        print(server.url, flush=True)
        signal.pause()
