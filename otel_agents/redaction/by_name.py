"""Credentials found by the name that precedes them: in assignments, JSON, YAML, reprs, headers, query strings, command-line flags and tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

compiled = lru_cache(maxsize=None)(re.compile)  # on first use: compiling all of them would add 20 ms to every program's start


class Claim(NamedTuple):
    """Names that suggest a credential, and what a value must look like to be redacted, quoted and unquoted."""

    kind: str
    name: str
    quoted: Callable[[str], bool]
    bare: Callable[[str], bool]


class Span(NamedTuple):
    start: int
    end: int
    kind: str


def without_assignments(text: str) -> str:
    """The text, with every value that follows a credential's name redacted."""
    lowered = lower(text)
    if not has_anchor(lowered):
        return text
    if "bearer" in lowered:
        text = compiled(BEARER).sub(lambda found: f"{found['scheme']}[redacted:bearer]", text)
        lowered = lower(text)
    spans = list(spans_of(text, lowered))
    return with_redactions(text, spans) if spans else text


def kind_of(name: str, value: str) -> str:
    """The kind of credential that the value of this key is; empty if it is none."""
    claim = claim_of(name[-2 * LONGEST_NAME :])
    return claim.kind if claim and claim.quoted(value) else ""


def name_beside(previous: object, value: object) -> str:
    """The list element before a value, if it names a credential and the value is one: a flag, a header's name, or any name before a random string."""
    name = previous if type(previous) is str else as_text(previous, LONGEST_NAME)
    claim = claim_of(name) if 0 < len(name) <= LONGEST_NAME else None
    if claim is None:
        return ""
    content = as_text(value, LONGEST)
    return name if len(content) >= SHORTEST and claim.quoted(content) and is_telling(name, content) else ""


def named_by(pairs: Iterable[tuple[Any, Any]], name: str) -> str:
    """The name that applies to a value: in `{"name": "password", "value": …}` it is the sibling's."""
    if name not in VALUE_KEYS:
        return name
    return next((held for key, held in pairs if type(key) is str and key in NAME_KEYS and type(held) is str), name)


def as_text(value: object, longest: int) -> str:
    """The value as text if it is a str or bytes of at most this length; otherwise empty."""
    if type(value) is bytes and len(value) <= longest:
        return value.decode("latin-1")
    return value if type(value) is str and len(value) <= longest else ""


def is_telling(name: str, value: str) -> bool:
    """Whether a preceding element really names the value: in a list of words, `password` may precede anything."""
    return name.startswith("-") or bool(compiled(HEADER_NAME).fullmatch(name.lower()) or compiled(ENTROPIC).fullmatch(value))


@lru_cache(maxsize=8192)
def claim_of(name: str) -> Claim | None:
    lowered = name.lower()
    if not has_anchor(lowered):
        return None
    return next((claim for claim in CLAIMS if compiled(claim.name).search(lowered)), None)


def has_anchor(lowered: str) -> bool:
    for anchor in ANCHORS:  # noqa: SIM110 - any() takes twice as long
        if anchor in lowered:
            return True
    return False


def lower(text: str) -> str:
    """The text in lower case, with unchanged positions: `str.lower` turns some characters into two."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else re.sub("[A-Z]+", lambda found: found[0].lower(), text)


def spans_of(text: str, lowered: str) -> Iterator[Span]:
    """What to redact, from left to right. If a value is not redacted, the search continues inside it."""
    assigned = compiled(FLAGGED if "--" in text else ASSIGNED)
    found = assigned.search(lowered)
    while found:
        span = span_of(text, found)
        if span:
            yield span
        found = assigned.search(lowered, span.end if span else found.end("anchor"))


def span_of(text: str, found: re.Match[str]) -> Span | None:
    """The value of one assignment, if its name suggests a credential and the value looks like one."""
    start, end = found.span(found.lastgroup or 0)
    name = before(text, found.start()) + text[found.start() : found.end("name")]
    claim = claim_of(name) if end - start >= SHORTEST else None
    if claim is None or not is_accepted(found, name, text[start:end]):
        return None
    if found.lastgroup != "bare":
        return Span(start, end, claim.kind) if claim.quoted(text[start:end]) else None
    if claim.kind in WHOLE_LINE and (line := compiled(LINE).match(text, start)):
        end = line.end()
    value = text[start:end].rstrip(")]}.,;")
    if ":" in found["separator"] and value.isalpha() and not compiled(LINE_END).match(text, start + len(value)):
        return None  # prose: "secret: optional, may be left out"
    return Span(start, start + len(value), claim.kind) if claim.bare(value) else None


def before(text: str, end: int) -> str:
    """The part of the name before its anchor."""
    return compiled(REVERSED_NAME).match(text[max(0, end - LONGEST_NAME) : end][::-1])[0][::-1]  # type: ignore[index]  # always matches, possibly the empty string


def is_accepted(found: re.Match[str], name: str, value: str) -> bool:
    """Some separators between name and value are accepted for some names only."""
    separator = found["separator"]
    if separator == ">":
        return found.lastgroup == "bare" and found.string[: found.start()].endswith("<" + name[: found.start() - found.end("name")].lower())
    if "," in separator:
        return "value" in separator or is_telling(name, value)
    return not separator.isspace() or "\n" in separator or name.startswith("--")


def with_redactions(text: str, spans: list[Span]) -> str:
    parts, done = [], 0
    for start, end, kind in spans:
        if start >= done:
            parts += [text[done:start], f"[redacted:{kind}]"]
            done = end
    return "".join([*parts, text[done:]])


# ---- what a value has to look like ----


def is_value(value: str) -> bool:
    """Whether this is a value at all, and not a placeholder, type, path, template, sentence or variable name."""
    return not (
        compiled(PLACEHOLDER).fullmatch(value) or compiled(VARIABLE_NAME).fullmatch(value) or (" " in value and compiled(SENTENCE).search(f" {value} "))
    )


def is_word(value: str) -> bool:
    """Whether this is an unquoted password: not code, and, if letters only, at least six of them and not a word common in code and prose."""
    if len(value) < 4 or compiled(CODE).match(value):
        return False
    is_prose = value.isalpha() and (len(value) < 6 or value.lower() in WORDS or compiled(CLASS_NAME).fullmatch(value))
    return not is_prose and is_value(value)


def is_opaque(value: str) -> bool:
    """Whether this is one word of at least eight characters with letters and digits, or a longer one of letters or digits only."""
    if len(value) < 8 or not is_value(value) or any(map(str.isspace, value)):
        return False
    if compiled(DIGIT).search(value):
        return any(map(str.isalpha, value)) or len(value) >= 20
    return len(value) >= 12 and (bool(compiled(SYMBOL).search(value)) or (value.isalpha() and len(value) >= (14 if value.islower() else 24)))


def is_opaque_word(value: str) -> bool:
    return len(value) >= 8 and bool(compiled(DIGIT).search(value)) and not compiled(CODE).match(value) and is_opaque(value)


def is_scheme(value: str) -> bool:
    """Whether this is an HTTP authentication scheme with its credentials, or an opaque value alone."""
    scheme, *rest = value.split(maxsplit=2) or [""]
    if not rest:
        return is_opaque(value) and not value.isalpha()
    return scheme.lower() in SCHEMES and is_value(rest[0].strip("`,;.")) and rest[0][0] not in "{<$"


def is_cookie(value: str) -> bool:
    name, _, rest = value.partition("=")
    return len(rest) >= 6 and " " not in name and is_value(rest) and not compiled(CODE).match(rest)


def is_random(value: str) -> bool:
    """Whether this is at least 20 characters of the base64 alphabet, with upper case, lower case and digits."""
    return bool(compiled(RANDOM).fullmatch(value))


# ---- the tables ----

NAME_KEYS, VALUE_KEYS = frozenset({"name", "Name", "key", "Key"}), frozenset({"value", "Value"})
ANCHORS = ("key", "token", "secret", "pass", "pwd", "auth", "cookie", "credential", "bearer", "jwt")
LONGEST_NAME = 48
SHORTEST, LONGEST = 3, 4096
COMMAND_LINE = 256  # list elements that are searched for names; no list of headers or command line has more
WHOLE_LINE = frozenset({"authorization", "cookie"})
LINE = r"[^\r\n\"'\\]{1,4096}"
LINE_END = r"\s*(?:[\r\n]|\Z)"
BEARER = r"(?<![A-Za-z])(?P<scheme>(?:[Bb]earer|BEARER)[ \t:]{1,4})(?=[A-Za-z._~+/=-]{0,200}[0-9])[A-Za-z0-9._~+/=-]{8,4096}"

ANCHOR = rf"(?P<name>(?P<anchor>{'|'.join(ANCHORS)})[\w.-]{{0,48}}+)(?:\\{{0,7}}+[\"'`\]]){{0,2}}+"
SEPARATORS = (
    r"[^\S\n]{0,8}+(?:=>|:=|:|=(?!=)|>)[^\S\n]{0,8}+"
    r"|(?<=[\"'])\s{0,4}+,\s{0,4}+(?:[\"']value[\"']\s{0,4}+:\s{0,4}+)?(?=b?[\"'])"
    r"|\s{1,4}+(?:is|was)[ :]{1,4}+(?=\S{0,200}[0-9])"
    r"|[^\S\n]{0,4}+\n[^\S\n]{0,16}+value:\s{1,4}+"
)
QUOTED = (
    r"\"(?P<double>(?:[^\"\\]|\\.){1,4096}+)\"|'(?P<single>(?:[^'\\]|\\.){1,4096}+)'"
    r"|\\{1,7}[\"'](?P<escaped>[^\"'\\]{1,4096}+)\\{1,7}[\"']|[\"'`](?P<open>[^\"'`\n]{1,4096}+)"
)
BARE = r"(?P<bare>(?:[^\s\"'`<>&;,\\]|[&;,](?!\s?[\w.%-]{1,40}+=)(?!\s|\Z)|\\(?!\\{0,7}[nrt\"'])){1,4096}+)"
VALUE = rf"(?:secret(?:str|bytes)\(|[bfru]{{1,2}}(?=[\"']))?(?:{QUOTED}|{BARE})"
ASSIGNED = rf"{ANCHOR}(?P<separator>{SEPARATORS}){VALUE}"  # matched against lower-case text
FLAGGED = rf"{ANCHOR}(?P<separator>{SEPARATORS}|[ \t]{{1,4}}+){VALUE}"
REVERSED_NAME = r"(?i)(?: (?=(?:ipa|ssecca|terces|etavirp)\b))?[\w.-]*"  # also matches the "api " of "api key"

PLACEHOLDER = (
    r"(?is)[x*.#•_-]{3,}|[\w-]{0,16}(?:\.{3,}|…|[*•]{3,}).{0,8}|<.{0,80}>|\{.{0,200}\}|\[redacted:.*|\[.{0,200}\]|\$\w{1,80}|\$[({].{0,100}|%\w{1,60}%|%s|%\(\w{1,60}\)s"
    r"|(?:your|my|the|some|insert|enter|replace|example|sample|dummy)[-_ ].{0,80}"
    r"|(?:none|null|nil|true|false|undefined|n/a|str|string|int|integer|bytes|bool|boolean|float|number|object|any|optional|required|text|secretstr|self|default"
    r"|password|passwd|secret|token|authorization|bearer|redacted|hidden|masked|placeholder|unknown|unset|empty|missing|invalid|incorrect|wrong|expired|changed|reset|set|correct|valid|weak|strong|ok|yes|no)[.!]?"
    r"|(?:https?|file|s3|gs)://.{0,2000}|(?:~|\.{1,2})?/[\w./~-]{0,400}|-{2,}.{0,80}|\s*"
)
VARIABLE_NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[a-z0-9]+(?:_[a-z0-9]+){0,6}_(?:password|passwd|pwd|token|secret|key|credentials?)"
SENTENCE = r"(?i)\s(?:the|your|my|of|must|is|are|to|for|a|an|and|or|user|enter|please|at|with|in|that|this|not)\s"
CODE = r"[A-Za-z_][\w.]*[(\[{]|[A-Za-z_]\w*(?:\.[A-Za-z_]+)+\Z|[({\[]|_{0,2}[a-z]+\d{0,2}(?:_[a-z]*\d{0,2})+[:,]?\Z|[-+*/=|]\Z|lambda\b|await\b"
CLASS_NAME = r"(?:[A-Z]+[a-z]+){2,}"
HEADER_NAME = r"(?:proxy-)?authorization|(?:set-)?cookie|(?:[a-z]+-)*(?:api-?key|auth-key|subscription-key|token)"
WORDS = frozenset({"password", "passwd", "passphrase", "secret", "secrets", "token", "value", "input", "user", "username", "credentials", "prompt"})
SCHEMES = frozenset({"bearer", "basic", "token", "digest", "apikey", "api-key", "key", "negotiate", "ntlm", "aws4-hmac-sha256", "hmac", "oauth", "jwt", "bot"})
RANDOM = r"(?=[^A-Z]*+[A-Z])(?=[^a-z]*+[a-z])(?=[^0-9]*+[0-9])[A-Za-z0-9+/_=-]{20,4096}"
ENTROPIC = rf"{RANDOM}|[0-9a-f]{{32,4096}}"
DIGIT = r"[0-9]"
SYMBOL = r"[!@#$%^&*+=~]"

ENDS = r"(?:s|[-_.]?(?:value|text|plain|prod|production|dev|staging|test|old|new|current|confirm(?:ation)?|b64|base64|raw|string|default|main|live|\d{1,2}))?$"
KEYS = (
    "api|access|secret|private|account|auth|encryption|signing|shared|storage|subscription|licen[sc]e|master|service|deploy|webhook|rsa|ssh|aes|hmac|admin|session|crypt|sas"
    "|openai|anthropic|claude|gemini|google|azure|mistral|cohere|together|deepgram|groq|fireworks|openrouter|deepseek|voyage|pinecone|tavily|serper|wandb|replicate|stripe|aws"
)
CLAIMS = (
    Claim("authorization", r"authorization$", is_scheme, is_scheme),
    Claim("cookie", r"(?:^|[-_.])cookies?$", is_cookie, is_cookie),
    Claim("password", rf"(?:passw(?:or)?[dt]|passphrase|(?:^|[-_.\d])(?:pwd|pass)|(?:^|[-_.a-z])secret){ENDS}", is_value, is_word),
    Claim("credential", rf"credential{ENDS}", is_opaque, is_opaque_word),
    Claim("api-key", rf"(?:{KEYS})[-_. ]?key{ENDS}", is_opaque, is_opaque_word),
    Claim("token", rf"(?:^|[-_.a-z])(?:token|jwt){ENDS}", is_opaque, is_opaque_word),
    Claim("key", r"(?:^|[-_.])(?:key|auth|bearer)\d{0,2}$", is_random, is_random),
)
