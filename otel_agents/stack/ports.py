"""The ports that the servers listen on: the usual ones, or free ones."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from otel_agents.stack.problem import Problem
from otel_agents.stack.servers import PORTS, SERVERS

LOOPBACK = "127.0.0.1"
TAKEN = (
    "port {port} ({what}) is taken by another program. Stop that one (`ss -ltnp 'sport = :{port}'` names it), or take others: otel-agents stack up --free-ports"
)


def free_ports(names: Iterable[str] = PORTS) -> dict[str, int]:
    """A port for each name on which nobody listens: all are held until each has its own."""
    with ExitStack() as held:
        return {name: held.enter_context(bound(0)).getsockname()[1] for name in names}


def bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do: what waits for old connections to end is no neighbour
    try:
        made.bind((LOOPBACK, port))
    except OSError:
        made.close()
        raise
    return made


def is_taken(port: int) -> bool:
    try:
        bound(port).close()
    except OSError:
        return True
    return False


def check(ports: Mapping[str, int], servers: Iterable[str]) -> None:
    """Raise a Problem that names the first port of these servers on which somebody else listens."""
    for server in SERVERS:
        for name in server.ports if server.name in servers else ():
            if is_taken(ports[name]):
                raise Problem(TAKEN.format(port=ports[name], what=f"{server.name}, {name}" if name != server.name else name))
