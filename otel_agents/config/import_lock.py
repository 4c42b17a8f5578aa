"""One lock over every import of ours that comes late: a child forked in the middle of one would wait for that module for ever, so a fork waits for the lock."""

from _thread import RLock

imports = RLock()


def renew() -> None:
    """In a forked child: whoever held it is not there."""
    global imports
    imports = RLock()
