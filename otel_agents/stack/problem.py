"""What a command says instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Problem(Exception):
    """Something a person can mend; its text says what happened and what to do."""


@contextmanager
def writing() -> Iterator[None]:
    """Say what could not be written, and why."""
    try:
        yield
    except OSError as error:
        raise Problem(f"{error.filename} can't be written: {(error.strerror or str(error)).lower()}") from error
