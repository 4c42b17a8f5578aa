"""Delivers the lines of one signal to one endpoint: joined into requests, split when something is rejected, backing off when asked to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from otel_agents.journal.batches import joined
from otel_agents.journal.protobuf import message, request
from otel_agents.journal.sizes import shrunk
from otel_agents.journal.tally import Tally, Warnings
from otel_agents.journal.wire import Answer, Http
from otel_agents.journal.wire_grpc import Grpc
from otel_agents.otlp.signals import HEAD, OUTER, TAIL_START

if TYPE_CHECKING:
    from otel_agents.config.settings import Endpoint

CLIENTS: dict[str, Any] = {"http/json": Http, "http/protobuf": Http, "grpc": Grpc}
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds between attempts, doubling
SERVER_ERROR = "HTTP 500"
PATIENCE = 4  # after so many HTTP 500 in a row, one of the lines may be the cause
HOPELESS = 16  # items refused one by one before the endpoint, not the items, is taken to be at fault
SMALLER = (4, 16, 64)  # an item that is too large by itself is cut to these fractions of its size

FAILING = "failing "  # prefix of that warning's key
BEGAN = "otel-agents: can't send %s to %s: %s. They are kept in the journal and sent later."
OVER = "otel-agents: %s are sent to %s again."
SWITCHED = "otel-agents: %s does not take OTLP/JSON (%s); sending protobuf from now on. Set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf to skip the attempt."
REJECTED = "otel-agents: %s rejected %s (%s); such items are dropped and counted."


@dataclass(slots=True)
class Trial:
    """A search for the items that an endpoint rejects; proven: the endpoint has accepted something, so the items are at fault."""

    proven: bool
    accepted: int = 0
    suspects: int = 0

    def suspect(self) -> int:
        self.suspects += 1
        return 1

    def is_hopeless(self) -> bool:
        return not self.proven and not self.accepted and self.suspects >= HOPELESS


class SignalSender:
    """Sends one signal to its endpoint, and remembers how the endpoint behaves."""

    def __init__(self, signal: str, endpoint: Endpoint, tally: Tally, warnings: Warnings) -> None:
        self.signal, self.endpoint, self._tally, self._warnings = signal, endpoint, tally, warnings
        self.protocol = endpoint.protocol or "http/json"
        self.client = CLIENTS[self.protocol](signal, endpoint, self.protocol)
        self.last_error: str | None = None
        self.last_success: float | None = None  # seconds since the epoch
        self._not_before, self._failures = 0.0, 0
        self._trusted = False  # the endpoint has accepted a request, so a 400 is about the items
        self.deadline: float | None = None  # monotonic seconds; set while the process is exiting

    def is_due(self) -> bool:
        return time.monotonic() >= self._not_before

    def is_failing(self) -> bool:
        return self._failures > 0

    def deliver(self, lines: Sequence[bytes]) -> int:
        """How many of the lines, from the first on, are done: accepted by the endpoint, or dropped and counted."""
        if not lines or (self.deadline is not None and time.monotonic() >= self.deadline):
            return 0
        answer = self._send(lines)
        if answer.what == SERVER_ERROR and self._failures >= PATIENCE:
            return self._isolate(lines, answer, Trial(proven=False))
        return ON[answer.verdict](self, lines, answer)

    def _send(self, lines: Sequence[bytes]) -> Answer:
        if self.protocol == "http/json":
            return self._post(joined(self.signal, lines))
        body, unreadable = request(self.signal, lines, self._rest)
        answer = self._post(body)
        return Answer("accepted", "", rejected=answer.rejected + unreadable) if answer.verdict == "accepted" else answer

    def _post(self, body: bytes) -> Answer:
        left = self.endpoint.timeout if self.deadline is None else min(self.endpoint.timeout, self.deadline - time.monotonic())
        answer: Answer = self.client.post(body, left) if left > 0 else Answer("later", "no time left")
        return answer

    def _rest(self) -> None:
        """Yield the processor to the program between two items, unless the program is waiting for us to exit."""
        if self.deadline is None:
            time.sleep(0.00005)

    def _accepted(self, lines: Sequence[bytes], answer: Answer) -> int:
        self._warnings.over(self._failing_name(), OVER, self.signal, self._place())
        self._failures, self._trusted, self.last_success, self.last_error = 0, True, time.time(), None
        if answer.rejected:
            self._reject(min(answer.rejected, len(lines)) if self.signal != "metrics" else answer.rejected, "a partial success")
        return len(lines)

    def _failed(self, lines: Sequence[bytes], answer: Answer) -> int:
        self._failures += 1
        self.last_error = answer.what
        self._not_before = time.monotonic() + (backoff(self._failures) if answer.retry_after is None else answer.retry_after)
        if self.deadline is None:  # an exiting process gives less time than an endpoint may need
            self._warnings.once(self._failing_name(), BEGAN, self.signal, self._place(), answer.what)
        return 0

    def _not_taken(self, lines: Sequence[bytes], answer: Answer) -> int:
        """415, 404, or 400 even for an empty request: unless a protocol was set, the endpoint may not accept JSON."""
        may_switch = self.endpoint.protocol is None and self.protocol == "http/json" and not self._trusted
        return self._switch(lines, answer) if may_switch else self._failed(lines, answer)

    def _switch(self, lines: Sequence[bytes], answer: Answer) -> int:
        self._warnings.once("protobuf" + self.signal, SWITCHED, self._place(), answer.what)
        self.close()
        self.protocol = "http/protobuf"
        self.client = Http(self.signal, self.endpoint, self.protocol)
        return self.deliver(lines)

    def _poisoned(self, lines: Sequence[bytes], answer: Answer) -> int:
        """The endpoint rejects something in the request, if it accepts an empty one."""
        if self._takes_requests():
            return self._isolate(lines, answer, Trial(proven=True))
        return self._isolate(lines, answer, Trial(proven=False)) if self._trusted else self._not_taken(lines, answer)

    def _isolate(self, lines: Sequence[bytes], answer: Answer, trial: Trial) -> int:
        """Find the rejected items by bisection, so that nothing else is lost. Unless the endpoint accepts something, nothing is dropped."""
        done = self._halves(lines, lambda half: self._try(half, trial)) if len(lines) > 1 else trial.suspect()
        if not (trial.proven or trial.accepted):
            return self._failed(lines, answer)
        self._reject(trial.suspects, answer.what)
        return done

    def _try(self, lines: Sequence[bytes], trial: Trial) -> int:
        if trial.is_hopeless():
            return 0
        answer = self._send(lines)
        if answer.verdict == "poison" or answer.what == SERVER_ERROR:
            return self._halves(lines, lambda half: self._try(half, trial)) if len(lines) > 1 else trial.suspect()
        done = ON[answer.verdict](self, lines, answer)
        trial.accepted += done
        return done

    def _takes_requests(self) -> bool:
        """Whether the endpoint accepts a request without items."""
        if self.protocol == "http/json":
            return self._post(OUTER[self.signal] + b"]}").verdict == "accepted"
        return self._post(message(self.signal, "Request").SerializeToString()).verdict == "accepted"

    def _too_large(self, lines: Sequence[bytes], answer: Answer) -> int:
        return self._halves(lines, self.deliver) if len(lines) > 1 else self._cut(lines[0], answer)

    def _halves(self, lines: Sequence[bytes], deliver: Callable[[Sequence[bytes]], int]) -> int:
        half = len(lines) // 2
        done = deliver(lines[:half])
        return done if done < half else done + deliver(lines[half:])

    def _cut(self, line: bytes, answer: Answer) -> int:
        for part in SMALLER:
            smaller = cut_line(self.signal, line, len(line) // part)
            answer = self._send([smaller])
            if answer.verdict != "too_large":
                return ON[answer.verdict](self, [smaller], answer)
        self._tally.count(self.signal, "too_large", 1)
        return 1

    def _reject(self, items: int, what: str) -> None:
        self._tally.count(self.signal, "rejected", items)
        self._warnings.once("rejected" + self.signal, REJECTED, self._place(), self.signal, what)

    def _failing_name(self) -> str:
        return FAILING + self.signal

    def _place(self) -> str:
        host, port = self.client.address()
        return f"{host}:{port}"

    def close(self) -> None:
        self.client.close()

    def forget(self) -> None:
        self.client.forget()


def backoff(failures: int) -> float:
    """Seconds until the next attempt: exponential, with jitter so that many processes do not retry at once."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 10)) * random.uniform(0.5, 1.0)


def cut_line(signal: str, line: bytes, size: int) -> bytes:
    """The line with its item cut to about `size` bytes."""
    at = line.rfind(TAIL_START)
    if at < 0 or not line.startswith(HEAD[signal]):
        return line
    return HEAD[signal] + shrunk(orjson.loads(line[len(HEAD[signal]) : at]), size) + line[at:]


ON: dict[str, Callable[[SignalSender, Sequence[bytes], Answer], int]] = {
    "accepted": SignalSender._accepted,
    "later": SignalSender._failed,
    "refused": SignalSender._failed,
    "unsupported": SignalSender._not_taken,
    "poison": SignalSender._poisoned,
    "too_large": SignalSender._too_large,
}
