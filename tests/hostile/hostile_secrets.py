"""Credentials of providers and services, and a program that lets one out in every place there is."""

from __future__ import annotations

import base64
import dataclasses
import logging
import random
import string
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from issued_credentials import ISSUED, UNSHAPED, run
from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags, TraceState

import otel_agents as oa

QUIET = logging.Logger("program", logging.DEBUG)
QUIET.addHandler(logging.NullHandler())
logging.getLogger("program").addHandler(logging.NullHandler())


class Secret(NamedTuple):
    """A credential: who issued it or which name it bears, a text that it stands in, and a mapping as programs hold it."""

    name: str
    text: str
    value: str
    named: dict[str, str]


# The other kinds of RELIABILITY.md: how they stand in a text, and what of it is secret.
CARRIED: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "Authorization: Bearer": lambda rng: (f"Authorization: Bearer {(token := run(rng, 32))}\nAccept: */*", token),
    "Authorization: Basic": lambda rng: (f"Authorization: Basic {(token := base64.b64encode(run(rng, 24).encode()).decode())}\nAccept: */*", token),
    "cookie": lambda rng: (f"Cookie: session={(token := run(rng, 30))}; theme=dark\nAccept: */*", token),
    "URL user-info": lambda rng: (f"postgresql://bob:{(word := run(rng, 12))}@db.example.com:5432/shop", word),
    "URL query": lambda rng: (f"https://api.example.com/v1?city=Rome&api_key={(word := run(rng, 20))}&n=1", word),
    "signed URL": lambda rng: (f"https://x.blob.example.com/c?sv=2024&sig={(word := run(rng, 43))}%3D&se=1", word),
    "AWS pair": lambda rng: (f"AKIA{''.join(rng.choices(string.ascii_uppercase, k=16))} {(word := 'aB1' + run(rng, 37, string.ascii_letters + '+/'))}", word),
    "command line": lambda rng: (f"deploy --password {(word := run(rng, 14))} --verbose", word),
}
PERSONAL: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "e-mail": lambda rng: (f"write to {(word := run(rng, 9))}@example.com today", f"{word}@example.com"),
    "card": lambda rng: (f"pay with {(number := card(rng))} today", number),
    "SSN": lambda rng: (f"hers is {(number := f'{rng.randint(101, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}')} today", number),
}
KEY_LIKE = ("ACME_API_KEY", "acme_token", "acmeSecret", "x-acme-api-key", "acme.password", "ACME_ACCESS_KEY", "service_credential", "acme_auth_token")


def card(rng: random.Random) -> str:
    """A number with the right check digit."""
    digits = [4, *(rng.randint(0, 9) for _ in range(14))]
    doubled = [digit if place % 2 else sum(divmod(2 * digit, 10)) for place, digit in enumerate(digits)]
    return "".join(map(str, [*digits, -sum(doubled) % 10]))


def secrets() -> Iterator[Secret]:
    """One of each: by its shape, beside a name that gives it away, in what carries it."""
    rng = random.Random(20261125)
    for issuer, make in ISSUED.items():
        secret = make(rng)
        yield Secret(issuer, text := f"it is {secret} today", secret, {"note": text})
    for name, make in UNSHAPED.items():
        secret = make(rng)
        yield Secret(name, f'{{"{name}": "{secret}", "n": 1}}', secret, {name: secret})
    for name, carry in CARRIED.items():
        text, secret = carry(rng)
        yield Secret(name, text, secret, {"note": text})


def personal() -> Iterator[Secret]:
    """What goes in every mode but `full`."""
    rng = random.Random(5)
    for name, carry in PERSONAL.items():
        text, secret = carry(rng)
        yield Secret(name, text, secret, {"note": text})


def entropic() -> Iterator[Secret]:
    """Random words under names that end like a key's, in the ways that texts have to say so."""
    rng = random.Random(3)
    for name in KEY_LIKE:
        for text in ("{}={}", '{{"{}": "{}"}}', "{}: {}", "--{} {} -v", "{} = '{}'"):
            secret = "a1B" + run(rng, 29)
            yield Secret(name, text.format(name, secret), secret, {name: secret})


# ------------------------------------------------------------------------------------------------ the program


@dataclasses.dataclass
class Client:
    """What a program calls its client: it holds the key."""

    key_: str
    base: str = "https://api.example.com"

    @oa.tool
    def fetch(self, city: str) -> str:
        return city


class Plain:
    def __init__(self, secret: Secret) -> None:
        self.text, self.named = secret.text, secret.named

    def __repr__(self) -> str:
        return f"Plain({self.text!r}, {self.named!r})"

    __str__ = __repr__


@oa.llm(model="m", provider="p")
def ask(prompt: Any) -> Any:
    return prompt


@oa.tool
def use(argument: Any, *more: Any, **named: Any) -> Any:
    return {"said": argument, "more": more}


@oa.step
def step(argument: Any) -> Any:
    oa.current().result(argument)
    return [argument]


@oa.retriever("docs")
def retrieve(query: Any) -> Any:
    return [query, {"content": query}]


@oa.memory("search")
def recall(query: Any) -> Any:
    return [query]


@oa.evaluator
def judge(answer: Any) -> Any:
    return {"score": 1.0, "explanation": answer}


VERBS = (ask, use, step, retrieve, recall, judge)


def in_arguments(secret: Secret) -> None:
    for verb in VERBS:
        verb(secret.text)
        verb({"deep": [secret.named, secret.text.encode()], "raw": bytearray(secret.text.encode())})
        verb([{1: (secret.text,)}, {secret.text}])
    use(1, secret.text, option=secret.text, **secret.named)


def in_self(secret: Secret) -> None:
    Client(secret.text).fetch("Rome")
    for one in (Client(secret.text), Client(secret.named), Plain(secret)):  # type: ignore[arg-type]  # as programs do
        use(one)
        step({"client": one})
        oa.tool(one.__repr__)() if type(one) is Plain else None
        QUIET.warning("with %s, %r", one, one)


def in_attributes(secret: Secret) -> None:
    with oa.step("s") as running:
        running.attributes({"own": secret.text, "listed": [secret.text, "x"], "nested": {"in": secret.named}, **secret.named})
        running.attributes(blob=secret.text.encode(), url=f"https://host/?q={secret.text}")
        span = trace.get_current_span()
        span.set_attribute("own2", secret.text)
        span.set_attributes({"own3": [secret.text], "own4": secret.text.encode(), **secret.named})
        span.add_event(f"event {secret.text}", {"own": secret.text, "listed": [secret.text], **secret.named})
        span.update_name(secret.text)
        span.set_status(StatusCode.ERROR, secret.text)


def in_keys(secret: Secret) -> None:
    """Where a mapping is turned round."""
    with oa.step("s") as running:
        running.attributes({secret.text: 1, f"x {secret.text}": "y"})
        trace.get_current_span().set_attribute(secret.text, True)
        trace.get_current_span().add_event("event", {secret.text: 1.5})
    use({secret.text: {secret.text: 1}})
    QUIET.warning("using", extra={secret.text: 5, f"x {secret.text}": "y", "held": {secret.text: 1}})
    metrics.get_meter("library").create_counter("library.keys").add(1, {secret.text: 5, f"x {secret.text}": "y"})


def in_logs(secret: Secret) -> None:
    text, named = secret.text, secret.named
    QUIET.warning(text)
    QUIET.warning("using %s", text)
    QUIET.warning("using %s%s", text[: len(text) // 2], text[len(text) // 2 :])
    QUIET.warning("using %(what)s and %(named)s", {"what": text, "named": named})
    QUIET.warning("using", extra={"own": text, "blob": text.encode(), "nested": named, **named})
    QUIET.warning("in a stack", stack_info=True)
    try:
        raise KeyError(text)
    except KeyError:
        QUIET.exception("failed")
    logging.getLogger(f"program.at {text}").warning("using %r", named)
    worker = threading.Thread(target=QUIET.warning, args=("from %s", named), name=text)
    worker.start()
    worker.join()


def raised(error: BaseException) -> None:
    @oa.llm(model="m")
    def failing() -> None:
        raise error

    try:
        failing()
    except BaseException as came:
        QUIET.error("again", exc_info=came)


def in_exceptions(secret: Secret) -> None:
    text = secret.text
    raised(ValueError(text))
    raised(KeyError(text, secret.named))
    raised(OSError(2, text, text))
    noted = RuntimeError("with a note")
    noted.add_note(text)
    raised(noted)
    chained = RuntimeError("caused")
    chained.__cause__ = ValueError(text)
    raised(chained)
    met = RuntimeError("met")
    met.__context__ = KeyError(text)
    raised(met)
    raised(type("OwnError", (Exception,), {"__str__": lambda self: text})(text))
    raised(ExceptionGroup(text, [ValueError(text), ExceptionGroup("deeper", [KeyError(text)])]))
    with oa.step("recorded"):
        trace.get_current_span().record_exception(ValueError(text), {"own": text})


def in_names(secret: Secret) -> None:
    """Names of agents, tools and models become names of spans and labels of metrics."""
    text = secret.text
    with oa.session(text[:200], user=text, tenant=text), oa.agent(f"agent {text}", description=text), oa.workflow(text), oa.tool(text):
        oa.current().model(text[:200], text[:200])
        QUIET.warning("inside")
    with oa.llm(model=text) as call:
        call.response(id=text[:200], model=text[:200], finish_reasons=[text[:200]])
        call.usage(input_tokens=1, output_tokens=1)
    with oa.retriever(text), oa.guardrail(text), oa.memory("search", store=text, record=text), oa.evaluator(text):
        pass


def in_other_libraries(secret: Secret) -> None:
    text, named = secret.text, secret.named
    unit = text if len(text) < 64 else "s"
    state = TraceState([("vendor", text if len(text) < 200 and not {",", "=", "\n"} & {*text} else "x")])
    beside = SpanContext(5, 6, True, TraceFlags(1), state)
    tracer = trace.get_tracer(f"library {text}", text, schema_url=f"https://schemas.example.com/{text}", attributes={"own": text})
    above = trace.set_span_in_context(trace.NonRecordingSpan(beside))
    with tracer.start_as_current_span(text, above, attributes={"own": text, "listed": [text], **named}) as span:
        span.add_event(text, {"own": text})
        span.set_status(StatusCode.ERROR, text)
        span.record_exception(ValueError(text))
        with tracer.start_as_current_span("linked", links=[Link(beside, {"own": text, **named})]):
            pass
    told: Any = {"own": text, "blob": text.encode(), "deep": {"in": [named, text.encode()]}, **named}
    for body in (text, text.encode(), told, [text, named]):
        get_logger(f"library {text}").emit(
            LogRecord(timestamp=1, severity_number=SeverityNumber.INFO, severity_text=text, body=body, attributes=told, event_name=text)
        )
    meter = metrics.get_meter(f"library {text}")
    meter.create_counter("library.count", unit, text).add(1, {"own": text, **named})
    meter.create_histogram("library.times", unit, text).record(1, {"own": text, **named})


LIMIT = 2048  # characters of content, in the test that has secrets cut


def at_the_cut(secret: Secret) -> None:
    """Half a key is still a key."""
    for tenth in range(1, 10, 2):
        room = LIMIT - len(secret.text) * tenth // 10
        text = ("word " * LIMIT)[: room - 1] + " " + secret.text + " word" * LIMIT
        use(text)
        use({"before": "x" * (room // 2), "then": [text]})
        with oa.step("s") as running:
            running.attributes({"own": text, "listed": [text], "blob": text.encode()})
        QUIET.warning("using %s", text, extra={"own": text})
        raised(ValueError(text))


def in_pairs(secret: Secret) -> None:
    """The name beside the value, not before it: headers, command lines, tables of names and values."""
    for name, value in secret.named.items():
        for verb in VERBS:
            verb([(name, value), ("accept", "*/*")])
            verb({"env": [{"name": name, "value": value}]})
            verb({"argv": ["deploy", f"--{name}", value, "-v"], "joined": f"--{name}={value}"})
        QUIET.warning("running", extra={"argv": ["deploy", f"--{name}", value], "headers": [(name.encode(), value.encode())]})
        with trace.get_tracer("library").start_as_current_span("run", attributes={"process.command_args": ["deploy", f"--{name}", value]}):
            pass


PLACES: dict[str, Callable[[Secret], None]] = {
    "prompts, arguments and results": in_arguments,
    "self": in_self,
    "attributes and span events": in_attributes,
    "keys of mappings": in_keys,
    "logs": in_logs,
    "exceptions, notes, chains, groups": in_exceptions,
    "names and labels of metrics": in_names,
    "other libraries": in_other_libraries,
}


PART = 12  # characters of a secret that are enough to give it away


def traces_of(secret: str) -> set[bytes]:
    """What would give the secret away, in small letters: a part of it, and its base64 at any place."""
    raw = secret.encode()
    shifted = (base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3))
    return {one.lower() for text in (raw, *shifted) for one in (parts(text, step=6) or {text}) if len(one) >= min(len(raw), PART)}


def parts(text: bytes, step: int = 1) -> set[bytes]:
    return {text[start : start + PART] for start in range(0, len(text) - PART + 1, step)}


class Written:
    """All that a program has let out: which secrets are in it?"""

    def __init__(self, *everything: bytes) -> None:
        self.words = {word for text in everything for word in text.lower().split(b'"')}  # the same ones come again and again
        self.text = b"\n".join(self.words)
        self.parts = {part for word in self.words for part in parts(word)}

    def leaks(self, secret: str) -> list[bytes]:
        """The traces of the secret."""
        return [one for one in traces_of(secret) if (one in self.parts if len(one) == PART else one in self.text)]
