"""Asking a server over HTTP, and reading what it serves at /metrics."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any, NamedTuple

SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Sample = tuple[str, dict[str, str], float]


class Answer(NamedTuple):
    """An HTTP status (0: none came) and what was said."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def ask(url: str, body: bytes | None = None, timeout: float = 10.0, **headers: str) -> Answer:
    """GET, or POST a body; no answer, and no answer in time, are an Answer with status 0."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers} if body is not None else headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy has no business on loopback
    try:
        with opener.open(request, timeout=timeout) as response:
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, refused.read())
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "reason", problem)
        return Answer(0, str(getattr(reason, "strerror", None) or reason).lower().encode())


class Refused(Exception):
    """A store did not answer a question; the text says which status and what it said."""


def good(answer: Answer) -> Answer:
    if answer.status != 200:
        raise Refused(f"HTTP {answer.status}: {answer.text[:500]}" if answer.status else answer.text)
    return answer


def samples(base: str) -> list[Sample]:
    """What a server's /metrics says now: name, labels, value of each sample; empty when it does not answer."""
    answer = ask(f"{base}/metrics")
    return list(map(sample_of, SAMPLE.finditer(answer.text))) if answer.status == 200 else []


def sample_of(found: re.Match[str]) -> Sample:
    return found["name"], dict(LABEL.findall(found["labels"] or "")), float(found["value"])
