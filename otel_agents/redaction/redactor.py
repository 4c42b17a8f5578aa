"""Redacts a text before it is written: credentials always, personal data unless content is `full`.

A text that was seen before is not scanned again, since every turn repeats the whole history. The cache holds the text's 64-bit hash, which Python stores in the
string anyway (with a random key per process), never the text. Long texts are cached in pieces, so that of one that has grown only the new part is scanned.
"""

from __future__ import annotations

from collections.abc import Iterator

from otel_agents.redaction.by_name import LONGEST_NAME, claim_of, kind_of
from otel_agents.redaction.by_shape import credential_free
from otel_agents.redaction.personal import without_personal

PIECE = 4096
OVERLAP = 512  # more than any pattern needs to be recognised, names and headers included
CACHED_TEXTS = 16384  # texts per generation
CACHED_CHARACTERS = 2**21  # characters of redacted texts that are cached, per generation
PASSES = 4  # a replacement may uncover another secret: repeat until nothing changes, at most this often
DECLARED = frozenset({"user.id", "user.name", "user.email", "enduser.id"})  # set by the program itself to say who its user is


class Redactor:
    """`redact(text) -> str`, thread-safe: the same text, or a copy with `[redacted:<kind>]` in place of each secret.

    `mode` is the content mode (`none`, `metadata`, `hashed`, `redacted`, `full`); in `full` personal data stays, credentials never do.
    """

    __slots__ = ("held", "neutral_names", "old", "personal", "young")

    def __init__(self, mode: str = "none", *, personal: bool | None = None) -> None:
        self.personal = mode != "full" if personal is None else personal
        self.young: dict[int, str | None] = {}
        self.old: dict[int, str | None] = {}
        self.held = 0
        self.neutral_names: set[str] = set()

    def __call__(self, text: str, name: str = "", /) -> str:
        """The redacted text. `name` is the key or field that it is the value of, which alone may give a credential away."""
        if name and name not in self.neutral_names and (decided := self.by_name(text, name)) is not None:
            return decided
        key = hash(text)
        try:
            seen = self.young[key]
        except KeyError:
            return self.unseen(text, key)
        return text if seen is None else seen

    def by_name(self, text: str, name: str) -> str | None:
        """The result if the name alone decides it, else None. Names that never decide anything are cached."""
        if kind := kind_of(name, text):
            return f"[redacted:{kind}]"
        if name in DECLARED:
            return credential_free(text)
        if len(name) <= LONGEST_NAME and claim_of(name) is None and len(self.neutral_names) < CACHED_TEXTS:
            self.neutral_names.add(name)
        return None

    def unseen(self, text: str, key: int) -> str:
        seen = self.old[key] if key in self.old else self.scanned(text)
        self.remember(key, None if seen is None or seen == text else seen)
        return text if seen is None else seen

    def scanned(self, text: str) -> str:
        return text if len(text) > 2 * PIECE and all(self(piece) is piece for piece in pieces(text)) else self.repeated(text)

    def repeated(self, text: str) -> str:
        for _ in range(PASSES):
            before, text = text, self.once(text)
            if text == before:
                break
        return text

    def once(self, text: str) -> str:
        text = credential_free(text)
        return without_personal(text) if self.personal else text

    def remember(self, key: int, seen: str | None) -> None:
        """Two generations: when the young one is full it becomes the old one; entries that are used again move back."""
        if len(self.young) >= CACHED_TEXTS or self.held > CACHED_CHARACTERS:
            self.young, self.old, self.held = {}, self.young, 0
        self.held += len(seen or "")
        self.young[key] = seen


def pieces(text: str) -> Iterator[str]:
    """Overlapping pieces of a long text; the same pieces again after the text has grown at its end. Cut at spaces: half a number may look like a card's."""
    start = 0
    while start < len(text):
        yield text[start : at_space(text, start + PIECE + OVERLAP)]
        start = at_space(text, start + PIECE)


def at_space(text: str, place: int) -> int:
    space = text.rfind(" ", place - OVERLAP // 2, place)
    return space + 1 if space >= 0 and place < len(text) else place
