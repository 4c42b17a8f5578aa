"""Secrets leave a text before it is written: credentials always, personal data unless content is `full`.

A text that was seen before is not scanned again: a turn repeats its whole history. What is remembered is the text's 64-bit hash, which Python keeps in the
string anyway (keyed at random in each process), never the text. Long texts are remembered in pieces, so that one that only grew is scanned where it grew.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agents.redaction.by_name import LONGEST_NAME, claim_of, kind_of
from otel_agents.redaction.by_shape import credential_free
from otel_agents.redaction.personal import without_personal

PIECE = 4096
OVERLAP = 512  # more than the least that any pattern needs to be recognised, names and headers included
REMEMBERED = 16384  # texts; a generation
HELD = 2**21  # characters of redacted texts kept to be handed out again; a generation
PASSES = 4  # a replacement may uncover another: until nothing changes, and at most so often
DECLARED = frozenset({"user.id", "user.name", "user.email", "enduser.id"})  # who the program itself says its user is


class Redactor:
    """`redact(text) -> str`, thread-safe: the same text, or with `[redacted:<kind>]` where a secret stood.

    `mode` is the content mode (`none`, `metadata`, `hashed`, `redacted`, `full`); in `full` personal data stays, credentials never do.
    """

    __slots__ = ("harmless", "held", "old", "personal", "young")

    def __init__(self, mode: str = "none", *, personal: bool | None = None) -> None:
        self.personal = mode != "full" if personal is None else personal
        self.young: dict[int, str | None] = {}
        self.old: dict[int, str | None] = {}
        self.held = 0
        self.harmless: set[str] = set()

    def __call__(self, text: str, name: str = "", /) -> str:
        """The text fit to be written; `name` is the key or field it stands under, which alone may give a credential away."""
        if name and name not in self.harmless and (told := self.by_name(text, name)) is not None:
            return told
        key = hash(text)
        try:
            seen = self.young[key]
        except KeyError:
            return self.unseen(text, key)
        return text if seen is None else seen

    def by_name(self, text: str, name: str) -> str | None:
        """What the name decides alone; None where it decides nothing. Names that never do are remembered."""
        if kind := kind_of(name, text):
            return f"[redacted:{kind}]"
        if name in DECLARED:
            return credential_free(text)
        if len(name) <= LONGEST_NAME and claim_of(name) is None and len(self.harmless) < REMEMBERED:
            self.harmless.add(name)
        return None

    def unseen(self, text: str, key: int) -> str:
        seen = self.old[key] if key in self.old else self.scanned(text)
        self.remember(key, None if seen is None or seen == text else seen)
        return text if seen is None else seen

    def scanned(self, text: str) -> str:
        return text if len(text) > 2 * PIECE and all(self(piece) is piece for piece in pieces(text)) else self.fixpoint(text)

    def fixpoint(self, text: str) -> str:
        for _ in range(PASSES):
            before, text = text, self.once(text)
            if text == before:
                break
        return text

    def once(self, text: str) -> str:
        text = credential_free(text)
        return without_personal(text) if self.personal else text

    def remember(self, key: int, seen: str | None) -> None:
        """Two generations: when the young one is full it becomes the old one; what is used again moves over."""
        if len(self.young) >= REMEMBERED or self.held > HELD:
            self.young, self.old, self.held = {}, self.young, 0
        self.held += len(seen or "")
        self.young[key] = seen


def pieces(text: str) -> Iterator[str]:
    """Overlapping pieces of a long text, the same ones again when the text has grown at its end; cut at spaces: half a number may look like a card's."""
    start = 0
    while start < len(text):
        yield text[start : at_space(text, start + PIECE + OVERLAP)]
        start = at_space(text, start + PIECE)


def at_space(text: str, place: int) -> int:
    space = text.rfind(" ", place - OVERLAP // 2, place)
    return space + 1 if space >= 0 and place < len(text) else place
