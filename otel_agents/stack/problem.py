"""What a command says instead of a traceback."""

from __future__ import annotations


class Problem(Exception):
    """Something a person can mend; its text says what happened and what to do."""
