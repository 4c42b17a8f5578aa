"""Every credential goes, in every place it can stand; clean text stays; and neither takes long."""

import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import clean_corpus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issued_credentials import ISSUED, LETTERS, UNSHAPED, run

from otel_agents.redaction.by_name import compiled
from otel_agents.redaction.by_shape import TAIL, tails_of
from otel_agents.redaction.personal import FORMS, IBAN, IBANS, NUMBER, NUMBERS
from otel_agents.redaction.redactor import Redactor
from otel_agents.telemetry.values import as_json, message_of, plain

ANYWHERE = (
    "please use {} for the call",
    "{}",
    'Client(api="{}")',
    "https://api.example.com/v1?x={}&y=2",
    "RuntimeError: 401 for {}: not accepted",
    "| {} | row |",
    "a\n{}\nb",
    "Schlüssel „{}“ gilt",
    "run --with={} now",
)
NAMED = (
    "{name}={value}",
    'export {name}="{value}"',
    "{name}: {value}\nnext: 1",
    '{{"{name}": "{value}", "n": 1}}',
    "{{'{name}': '{value}', 'n': 1}}",
    '"{{\\"{name}\\": \\"{value}\\"}}"',
    "Settings(n=1, {name}='{value}')",
    "https://api.example.com/v1?{name}={value}&y=2",
    "{name} = b'{value}'",
    '{{"name": "{name}", "value": "{value}"}}',
    "failed with {name}={value}, giving up",
    "--{name} {value} --verbose",
    "- name: {name}\n  value: {value}\n",
    "<{name}>{value}</{name}>",
    "SecretStr: {name}=SecretStr('{value}')",
)


def issued(count: int = 8) -> Iterator[tuple[str, str, str]]:
    """(issuer, the text, the secret in it)"""
    rng = random.Random(7)
    for issuer, make in ISSUED.items():
        for _ in range(count):
            for place in ANYWHERE:
                secret = make(rng)
                yield issuer, place.format(secret), secret


def named(count: int = 6) -> Iterator[tuple[str, str, str]]:
    rng = random.Random(8)
    for name, make in UNSHAPED.items():
        for _ in range(count):
            for place in NAMED:
                secret = make(rng)
                yield name, place.format(name=name, value=secret), secret


def leaks(text: str, secret: str) -> bool:
    """Whether a third of the secret, or eight characters of it, can still be read."""
    size = max(4, min(8, len(secret) // 3))
    left = re.sub(r"\[redacted:[a-z-]+\]", "", text)  # some are called as their keys begin
    return any(secret[start : start + size] in left for start in range(len(secret) - size + 1))


@pytest.fixture(scope="module")
def redact() -> Redactor:
    return Redactor("redacted")


def test_recall_and_precision(redact: Redactor, capsys: pytest.CaptureFixture[str], figure: Any) -> None:
    positives = [*issued(), *named()]
    missed = [(what, text) for what, text, secret in positives if leaks(redact(text), secret)]
    clean = list(clean_corpus.texts())
    wrong = [(kind, text, redact(text)) for kind, text in clean if redact(text) != text]
    found = len(positives) - len(missed)
    with capsys.disabled():
        print(f"\nredaction: recall {found / len(positives):.4f} of {len(positives)} secrets ({len(ISSUED)} issuers, {len(UNSHAPED)} names), ", end="")
        print(f"precision {found / (found + len(wrong)):.4f}, false positives {len(wrong) / len(clean):.4%} of {len(clean)} clean texts")
    assert missed[:20] == []
    assert wrong[:5] == []
    assert len(clean) >= 2000
    figure("R15", f"recall, {len(positives):,} texts with a secret of {len(ISSUED)} issuers and {len(UNSHAPED)} names", f"{found / len(positives):.4f}")
    told = f"{len(wrong)}, precision {found / (found + len(wrong)):.4f}"
    figure("R15", f"false positives, {len(clean):,} clean texts of {len({kind for kind, _ in clean})} kinds", told)


HEADERS = (
    ("Authorization: Bearer {}", "Authorization: Bearer [redacted:bearer]"),
    ("GET / HTTP/1.1\r\nAuthorization: Basic {}==\r\nHost: x", "GET / HTTP/1.1\r\nAuthorization: [redacted:authorization]\r\nHost: x"),
    ("{'authorization': 'Token {}', 'a': 'b'}", "{'authorization': '[redacted:authorization]', 'a': 'b'}"),
    ("curl -H 'Proxy-Authorization: Digest {}' https://x", "curl -H 'Proxy-Authorization: [redacted:authorization]' https://x"),
    ("[(b'authorization', b'Basic {}'), (b'a', b'b')]", "[(b'authorization', b'[redacted:authorization]'), (b'a', b'b')]"),
    ("X-API-Key: {}\nAccept: */*", "X-API-Key: [redacted:api-key]\nAccept: */*"),
    ("('x-api-key', '{}')", "('x-api-key', '[redacted:api-key]')"),
    ("Cookie: sid={}; theme=dark\nA: b", "Cookie: [redacted:cookie]\nA: b"),
    ("Set-Cookie: sid={}; Path=/; HttpOnly", "Set-Cookie: [redacted:cookie]"),
    ("curl -u bob:{} https://x", "curl -u [redacted:curl-user] https://x"),
    ("postgresql+asyncpg://bob:{}@db:5432/x?a=b", "postgresql+asyncpg://[redacted:url-user]@db:5432/x?a=b"),
    ("https://user:p@{}@host/x", "https://[redacted:url-user]@host/x"),
    ("https://{}@github.com/a/b.git", "https://[redacted:url-user]@github.com/a/b.git"),
    ("https://hooks.slack.com/services/T00000000/B00000000/{}", "https://hooks.slack.com/[redacted:slack-webhook]"),
    ("https://x.blob.core.windows.net/c?sv=2024&sig={}%3D&se=1", "https://x.blob.core.windows.net/c?sv=2024&sig=[redacted:url-signature]&se=1"),
    ("AccountName=x;AccountKey={}==;EndpointSuffix=y", "AccountName=x;AccountKey=[redacted:api-key];EndpointSuffix=y"),
    ("my password is {}.", "my password is [redacted:password]."),
    ("API key: {}", "API key: [redacted:api-key]"),
    ("the api key is {}, thanks", "the api key is [redacted:api-key], thanks"),
)


@pytest.mark.parametrize(("text", "expected"), HEADERS)
def test_headers_and_urls(redact: Redactor, text: str, expected: str) -> None:
    assert redact(text.replace("{}", "dXNlcjpwYXNzd29yZDEyMw")) == expected


def test_aws_pairs(redact: Redactor) -> None:
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert redact(f"AKIAIOSFODNN7EXAMPLE / {secret}") == "[redacted:aws-key] / [redacted:aws-secret]"
    assert redact(f"commit {secret[:20]}") == f"commit {secret[:20]}"


PEM = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{}\nab12==\n-----END RSA PRIVATE KEY-----"


def test_private_keys_whole_cut_and_escaped(redact: Redactor) -> None:
    body = "\n".join(run(random.Random(n), 64, LETTERS + "+/") for n in range(25))
    whole = PEM.format(body)
    assert redact(f"a {whole} b") == "a [redacted:private-key] b"
    assert redact(json.dumps({"key": whole})) == '{"key": "[redacted:private-key]"}'
    assert redact(whole.replace("Proc-Type: 4,ENCRYPTED\n\n", "")[:900]) == "[redacted:private-key]"
    assert redact("if '-----BEGIN PRIVATE KEY-----' in text: ask the user") == "if '[redacted:private-key]' in text: ask the user"


def test_personal_data_only_where_asked() -> None:
    texts = {
        "mail bob.o'neil+x@example.co.uk now": "[redacted:email]",
        "card 4111 1111 1111 1111.": "[redacted:card]",
        "card 378282246310005": "[redacted:card]",
        "ssn 123-45-6789": "[redacted:ssn]",
        "to DE89 3704 0044 0532 0130 00": "[redacted:iban]",
    }
    assert all(kind in Redactor("redacted")(text) for text, kind in texts.items())
    assert all(Redactor("full")(text) == text for text in texts)
    assert all(kind in Redactor("none")(text) for text, kind in texts.items())
    wrong = (
        "order 4111 1111 1111 1112",
        "000-12-3456 and 123-45-67890",
        "DE89 3704 0044 0532 0130 01",
        "id 1700000000000000000",
        "v1.2.3@latest",
        "@user and a@b",
    )
    assert all(Redactor("redacted")(text) == text for text in wrong)


def test_what_the_program_declares_about_its_user_stays(redact: Redactor) -> None:
    assert redact("bob@example.com", "user.id") == "bob@example.com"
    assert redact("bob@example.com") == redact("bob@example.com", "text") == "[redacted:email]"
    assert redact("sk-ant-api03-abcdefgh1234", "user.id") == "[redacted:anthropic-key]"


def test_the_name_alone_gives_it_away(redact: Redactor) -> None:
    assert redact("hunter2", "password") == "[redacted:password]"
    assert redact("abc123def456", "openaiApiKey") == "[redacted:api-key]"
    assert redact("input", "gen_ai.token.type") == "input"
    arguments = {"user": "bob", "password": "hunter2", "headers": {"Authorization": "Basic dXNlcjpwYXNz"}, "tokens": ["a1b2c3d4e5"]}
    assert (
        as_json(arguments, redact=redact)
        == '{"user":"bob","password":"[redacted:password]","headers":{"Authorization":"[redacted:authorization]"},"tokens":["[redacted:token]"]}'
    )
    assert plain({"blob": b"key sk-ant-api03-abcdefgh1234"}, redact=redact) == {"blob": b"key [redacted:anthropic-key]"}
    assert message_of(ValueError("no access with hf_abcdefghijklmnopqrst1234"), redact=redact) == "no access with [redacted:huggingface-token]"


def test_half_a_key_is_not_left_by_the_cut(redact: Redactor) -> None:
    key = next(secret for issuer, _, secret in issued() if issuer == "anthropic")
    for shift in range(0, 140, 3):
        assert not leaks(str(plain("x " * 500 + " " * shift + key + " y" * 20_000, 1100, redact)), key)


RANDOM = "a1Bdf9sLLdkfj39fJJd93jjdl2"
LISTS = (
    (["deploy", "--password", "hunter22", "-v"], ["deploy", "--password", "[redacted:password]", "-v"]),
    (["deploy", "--api-key", "abcd1234efgh"], ["deploy", "--api-key", "[redacted:api-key]"]),
    (["--max-tokens", "4096", "--token"], ["--max-tokens", "4096", "--token"]),
    (["--password", "-v"], ["--password", "-v"]),
    ([("x-api-key", "abcd1234efgh"), ("accept", "*/*")], [["x-api-key", "[redacted:api-key]"], ["accept", "*/*"]]),
    ([(b"authorization", b"Basic dXNlcjpwYXNz")], [[b"authorization", b"[redacted:authorization]"]]),
    (["ACME_API_KEY", RANDOM], ["ACME_API_KEY", "[redacted:api-key]"]),
    (["password", "username", "token1234", "api_key", "base64url"], ["password", "username", "token1234", "api_key", "base64url"]),
    ({"name": "password", "value": "hunter22"}, {"name": "password", "value": "[redacted:password]"}),
    ({"Key": "MISTRAL_API_KEY", "Value": RANDOM}, {"Key": "MISTRAL_API_KEY", "Value": "[redacted:api-key]"}),
    ({"name": "city", "value": "hunter22"}, {"name": "city", "value": "hunter22"}),
)


@pytest.mark.parametrize(("given", "expected"), LISTS)
def test_the_name_beside_gives_it_away(redact: Redactor, given: Any, expected: Any) -> None:
    """As data and as JSON text alike."""
    assert plain(given, redact=redact) == expected
    assert redact(json.dumps(given, default=bytes.decode)) == json.dumps(expected, default=bytes.decode)


def test_no_pattern_is_compiled_before_a_text_needs_it() -> None:
    """All of them take as long as a tenth of a program's start."""
    code = "import re, string, typing\nre.compile = lambda *given: 1 / 0\nimport otel_agents.redaction.redactor"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_redacting_twice_changes_nothing(redact: Redactor) -> None:
    for _, text, _ in [*issued(1), *named(1)]:
        once = redact(text)
        assert redact(once) == once
    for template, _ in HEADERS:
        once = redact(template.replace("{}", "dXNlcjpwYXNzd29yZDEyMw"))
        assert redact(once) == once


PARTS = st.sampled_from(
    [
        "password",
        "=",
        ": ",
        '"',
        "'",
        "sk-",
        "a1B2c3D4e5F6g7H8",
        "\\",
        "Bearer ",
        "Cookie",
        "Authorization: ",
        "api key",
        "://",
        "@",
        "x",
        " ",
        "\n",
        "{",
        "[",
        "eyJ",
        ".",
        "AKIA",
        "-----BEGIN PRIVATE KEY-----",
        "&",
        "é",
        "token",
        "--",
        "is ",
    ]
)


@given(st.lists(PARTS, max_size=25).map("".join) | st.text(max_size=200))
@settings(max_examples=400, deadline=None)
def test_any_text_is_redacted_once_and_for_all(text: str) -> None:
    once = Redactor("redacted")(text)
    assert Redactor("redacted")(once) == once


NEARLY = st.lists(
    st.sampled_from(["12", "3456", "789012", "AB12", "GB", " ", "-", ".", ":", "_", "a", "Zx9", "wordsinarow", "é", "\ud800", "٣"]), max_size=20
).map("".join)


@given(NEARLY | st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_what_is_skipped_has_nothing_to_be_found(text: str) -> None:
    assert tails_of(text) == "\n".join(text[max(0, tail.start() - 20) : tail.end()] for tail in compiled(TAIL).finditer(text))
    forms = text.encode("utf-8", "surrogatepass").translate(FORMS)
    assert not compiled(NUMBER).search(text) or (b"000" in forms and any(number in forms for number in NUMBERS))
    assert not compiled(IBAN).search(text) or IBANS in forms


def test_long_texts_in_pieces_lose_secrets_at_every_place() -> None:
    redact = Redactor("redacted")
    rng = random.Random(3)
    filler = " ".join(text for _, text in clean_corpus.texts(60))[:30_000]
    for place in [*range(4096 - 200, 4096 + 40, 7), 8192 - 3, 12_000, len(filler)]:
        for text, secret in ((f"key {(key := ISSUED['openai project'](rng))} ", key), (f'"password" : "{(word := run(rng, 12))}"', word)):
            assert secret not in redact(filler[:place] + " " + text + filler[place:])
    assert redact(filler) is filler


HOSTILE = (
    *("a", "sk-", "eyJ", "eyJaaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nMII", "AKIA", "xox-", "AIza-", "A1"),
    *("password=", "password", 'password="', "key: ", "token is ", "Bearer ", "Cookie: a=", "curl -u a:", "auth_", "--token ", "[redacted:"),
    *("://a:", "a@", "a.", "1", "1 ", "1-", "\\", '\\"', " ", "\n", "é"),
)


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_makes_it_run_long(unit: str) -> None:
    once = Redactor("redacted").once
    small, large = unit * (8_000 // len(unit)), unit * (64_000 // len(unit))
    ratio = seconds(lambda: once(large)) / max(seconds(lambda: once(small)), 1e-4)
    assert ratio < 40  # 8 if it is linear, 64 if it is not
    assert seconds(lambda: once(large)) < 1


def seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        begun = time.thread_time()
        work()
        return time.thread_time() - begun

    return min(once() for _ in range(3))


def test_time_for_new_and_for_seen_texts(capsys: pytest.CaptureFixture[str]) -> None:
    corpus = [(kind, (text * (1 + 1000 // len(text)))[:1000]) for kind, text in clean_corpus.texts(360)]
    everyday = [text for kind, text in corpus if kind in ("base64 image", "languages", "table", "links", "numbers", "certificate")]
    unseen = seconds(lambda: list(map(Redactor("redacted").once, everyday))) / len(everyday)
    themed = seconds(lambda: [Redactor("redacted").once(text) for _, text in corpus]) / len(corpus)
    redact = Redactor("redacted")
    redact("a short string")
    seen = seconds(lambda: [redact("a short string") for _ in range(10_000)]) / 10_000
    history = [text for _, text in clean_corpus.texts(200)]
    while sum(map(len, history)) < 200_000:
        history += [f"{text} again" for text in history]
    as_text = json.dumps(history)
    list(map(redact, history)), redact(as_text)
    turn = min(of_turn(redact, history, as_text) for _ in range(3))
    with capsys.disabled():
        print(f"\nredaction: {unseen * 1e6:.0f} µs a kB unseen ({themed * 1e6:.0f} in the corpus about keys and tokens), {seen * 1e6:.2f} µs seen,", end=" ")
        print(f"{turn * 1e3:.2f} ms for the next turn of {len(as_text):,} characters")
    scale = seconds(lambda: [json.loads('{"a": [1, 2, 3]}') for _ in range(1000)]) / 1000 / 2e-6  # 1 on an idle machine
    assert unseen < 50e-6 * max(scale, 1) * 2
    assert themed < 50e-6 * max(scale, 1) * 4
    assert seen < 1e-6 * max(scale, 1)
    assert turn < 1e-3 * max(scale, 1) * 1.5


def of_turn(redact: Redactor, history: list[str], as_text: str) -> float:
    """The history once more, in new strings as a program builds them, one message longer; as strings and as one JSON text."""
    number = f"and then? {len(redact.young)}"
    grown, text = [f"{message[:-1]}{message[-1]}" for message in [*history, number]], f'{as_text[:-1]}, "{number}"]'
    begun = time.thread_time()
    for message in grown:
        redact(message)
    redact(text)
    return time.thread_time() - begun


def test_memory_is_bounded() -> None:
    redact = Redactor("redacted")
    for number in range(50_000):
        redact(f"text {number} password=hunter{number}")
    assert len(redact.young) + len(redact.old) <= 2 * 16384
    assert redact.held <= 2**21 + 100


def test_names_that_decide_nothing_are_remembered_and_bounded() -> None:
    redact = Redactor("redacted")
    for number in range(20_000):
        redact("Rome", f"city.{number}")
    redact("Rome", "city." * 100)
    assert len(redact.neutral_names) == 16384
    for name, told in (("password", "[redacted:password]"), ("user.name", "hunter22pass"), ("city.1", "hunter22pass")):
        assert redact("hunter22pass", name) == redact("hunter22pass", name) == told
