"""Where the journal lives when nobody says: the user's state folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def journal_folder(environ: Mapping[str, str]) -> Path:
    """The state folder of this user, or a folder of theirs in the temporary one where they have no home that can be written."""
    found = next((place for place in state_folders(environ) if can_be_made(place)), None)
    return (found or temporary()) / "journal"


def state_folders(environ: Mapping[str, str]) -> list[Path]:
    """Candidates in order; XDG's must be absolute (its specification)."""
    places = [Path(environ["XDG_STATE_HOME"]) / "otel-agents"] if os.path.isabs(environ.get("XDG_STATE_HOME", "")) else []
    if sys.platform == "win32" and environ.get("LOCALAPPDATA"):
        return [*places, Path(environ["LOCALAPPDATA"]) / "otel-agents"]
    home = os.path.expanduser("~")  # left as it is when neither HOME nor the user database knows
    return [*places, Path(home) / state_of_platform() / "otel-agents"] if os.path.isabs(home) else places


def state_of_platform() -> str:
    return "Library/Application Support" if sys.platform == "darwin" else ".local/state"


def can_be_made(place: Path) -> bool:
    """Whether the nearest folder that exists lets us write: service users have homes that don't exist or aren't theirs."""
    nearest = next(folder for folder in (place, *place.parents) if os.path.exists(folder))
    return os.access(nearest, os.W_OK | os.X_OK)


def temporary() -> Path:
    """A folder of this user alone; one that somebody else made under the name is not used."""
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
