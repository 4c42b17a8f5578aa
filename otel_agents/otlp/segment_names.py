"""What the files of a journal are called: `<signal>-<owner>-<number>.jsonl`, and `<signal>-<owner>-<number>.sent.jsonl` once they were sent."""

from __future__ import annotations

import re
from pathlib import Path

OWNER = r"\d+-[0-9a-f]+-[0-9a-f]+"  # pid, start, a random part
SEGMENT = re.compile(rf"(?P<signal>traces|logs|metrics)-(?P<owner>{OWNER})-(?P<number>\d+)(?P<sent>\.sent)?\.jsonl")


def segment_name(signal: str, owner: str, number: int) -> str:
    """The name of a process's segment, numbered from 1 up by signal."""
    return f"{signal}-{owner}-{number}.jsonl"


def as_sent(path: Path) -> Path:
    """The same segment, once it was sent."""
    return path.with_name(path.name.removesuffix(".jsonl") + ".sent.jsonl")


def stem(path: Path) -> str:
    """What its name says whether it was sent or not."""
    return path.name.removesuffix(".jsonl").removesuffix(".sent")


def owner_of(path: Path) -> str:
    """The process that wrote the segment; empty where the file is not a segment."""
    parts = SEGMENT.fullmatch(path.name)
    return parts["owner"] if parts is not None else ""
