"""Where the journal lives unless somebody says: the user's state folder."""

from __future__ import annotations

import os
from pathlib import Path


def journal_folder() -> Path:
    """In this user's state folder, or in the temporary folder where they have no home that can be written."""
    state = state_folder()
    return (state if can_be_made(state) else temporary()) / "journal"


def state_folder() -> Path:
    """XDG_STATE_HOME, ~/.local/state, or what the platform has instead; imported late: only programs that name no folder need it."""
    from platformdirs import user_state_path

    return user_state_path("otel-agents", appauthor=False)


def can_be_made(place: Path) -> bool:
    """Whether it is absolute and the nearest folder that exists lets us write: service users have homes that do not exist or are not theirs."""
    nearest = next(folder for folder in (place, *place.parents) if os.path.exists(folder))
    return place.is_absolute() and os.access(nearest, os.W_OK | os.X_OK)


def temporary() -> Path:
    """A folder of this user alone; one that another user made under the same name is not used."""
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    place = writable_folder() / f"otel-agents-{user}"
    theirs = place.exists() and hasattr(os, "getuid") and place.stat().st_uid != user
    return Path(f"{place}-{os.getpid()}") if theirs else place


def writable_folder() -> Path:
    from tempfile import gettempdir

    try:
        return Path(gettempdir())
    except FileNotFoundError:  # nothing can be written anywhere: the journal will say so
        return Path(os.sep, "tmp")
