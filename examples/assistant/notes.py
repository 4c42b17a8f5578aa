"""What the assistant remembers of a traveller, found again by the words of a question."""

from __future__ import annotations

import otel_agents as oa


class Notes:
    """A memory of short texts."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    @oa.memory("search", store="notes")
    def search(self, question: str, most: int = 3) -> list[str]:
        """The notes that share words with the question, the best first."""
        wanted = words(question)
        found = [text for text in self.texts if wanted & words(text)]
        return sorted(found, key=lambda text: -len(wanted & words(text)))[:most]

    @oa.memory("upsert", store="notes")
    def keep(self, text: str) -> None:
        """Remember this, once."""
        if text not in self.texts:
            self.texts.append(text)


def words(text: str) -> set[str]:
    return {word.strip(".,?!:").lower() for word in text.split() if len(word) > 3}
