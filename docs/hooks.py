"""What mkdocs does beyond its configuration: the first page is README, and links to files of the repository lead to the page that shows them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\[([^\]]+)\]\((?!https?://|#)([^)#]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The text of a page, with README in place of the first one's."""
    text = (ROOT / "README.md").read_text() if page.file.src_uri == "index.md" else markdown
    return LINK.sub(relinked, text) if page.file.src_uri == "index.md" else text


def relinked(link: re.Match[str]) -> str:
    """A page of the documentation under its place there; another file of the repository by its name alone."""
    label, target, anchor = link[1], link[2], link[3] or ""
    return f"[{label}]({target.removeprefix('docs/')}{anchor})" if target.startswith("docs/") else f"{label} (`{target}`)"
