"""Texts of the kinds that agents really see and that hold no secret, made anew and alike in each run: the ground on which false positives are counted."""

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator

WORDS = "agent plan tool result search report memory review index table budget window customer order invoice river harbour garden winter music".split()  # noqa: SIM905
LANGUAGES = (
    "Der Agent ruft das Werkzeug auf und fasst das Ergebnis für {name} zusammen; das Passwort wurde nicht abgefragt, {n} Zeilen.",
    "L'agent appelle l'outil {name} puis résume les {n} résultats trouvés hier à midi.",
    "El agente llama a la herramienta {name} y devuelve {n} resultados; la contraseña no hace falta.",
    "模型调用工具 {name} 并返回 {n} 条结果，然后继续执行计划的下一步。",
    "エージェントは{name}を呼び出し、{n}件の結果を要約しました。トークン数は少なめです。",
    "Агент вызывает инструмент {name} и возвращает {n} строк; пароль не нужен.",
    "يستدعي الوكيل الأداة {name} ويعيد {n} نتيجة إلى المستخدم.",
    "एजेंट {name} उपकरण को बुलाता है और {n} परिणाम लौटाता है।",
    "에이전트가 {name} 도구를 호출하고 결과 {n}개를 요약합니다.",
    "İşlem {name} için {n} sonuç döndürüldü; İstanbul şubesi bekliyor.",
)
ABOUT_SECRETS = (
    "The password must have at least {n} characters and is stored as a hash; reset it under Settings.",
    "Tokens: {n} in, {m} out. The token limit is {m}; max_tokens={n}, prompt_tokens: {m}.",
    "Authentication failed: the API key is invalid or has expired. Set OPENAI_API_KEY and try again.",
    "Never log the Authorization header. Use a bearer token, rotate the secret key every {n} days.",
    "The secret: patience. Pass {n} of {m}. Key findings: revenue rose {n} %.",
    "Cookie policy: we use cookies to count visits. Session {n} of the course starts at noon.",
    "Bearer authentication is described in RFC 6750, basic authentication in RFC 7617.",
    "Enter your password:\nPassword: ********\nLogin successful after {n} s.",
)
PYTHON = (
    "def {a}(self, {b}: str, limit: int = {n}) -> list[{A}]:\n"
    "    token = self.tokenizer.encode({b})\n    return [{A}(key=key, value=self.{a}[key]) for key in token[:limit]]\n",
    "api_key = os.environ['OPENAI_API_KEY']\nclient = OpenAI(api_key=api_key, timeout={n})\nresponse = client.responses.create(model='gpt-5', input={b})\n",
    "class {A}:\n    password: str | None = None\n    secret: SecretStr\n    token_count: int = {n}\n\n"
    "    def authenticate(self, user: User, password: str) -> bool:\n"
    "        return self.hasher.verify(password=password, hash=user.password_hash)\n",
    "connection = psycopg.connect(host=settings.host, user=settings.user, password=settings.password.get_secret_value(), port={n})\n",
    "for key, value in sorted({a}.items()):\n    cache_key = f'{{key}}:{{value}}'\n    assert token == tokens[{n}], 'token mismatch'\n",
    "headers = {{'Authorization': f'Bearer {{token}}', 'X-API-Key': self.api_key, 'Cookie': cookies.render()}}\n",
)
OTHER_CODE = (
    "const {{ token, user }} = await auth.signIn({{ email, password }});\nif (!token) throw new Error(`no token for ${{user.id}} after {n} tries`);\n",
    "SELECT u.id, u.password_hash IS NOT NULL AS has_password, count(*) AS n FROM users u JOIN sessions s ON s.user_id = u.id GROUP BY 1 LIMIT {n};\n",
    ".sk-folding-cube .sk-cube {{ width: {n}%; }} .task-list-item-checkbox-{n} {{ color: #{hex6}; }}\n",
    '<input type="password" name="password" placeholder="Your password" autocomplete="current-password" maxlength="{n}">\n',
    'resource "aws_secretsmanager_secret" "{a}" {{\n  name = "{a}/db-password"\n  recovery_window_in_days = {n}\n}}\n',
    "export PATH=$HOME/bin:$PATH\ncurl -s https://api.example.com/v1/{a}?limit={n}&page=2 | jq '.data[] | .id'\nPGPASSWORD=$DB_PASSWORD psql -h db\n",
)
YAML = (
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {a}-token\n  labels: {{tier: db}}\n"
    "spec:\n  secretName: {a}-tls\n  secretKeyRef: {{name: {a}, key: password}}\n  replicas: {n}\n",
    "services:\n  {a}:\n    image: registry.example.com/{a}@sha256:{sha256}\n"
    "  {b}:\n    image: {b}:1.2.3-slim@sha256:{sha256}\n"
    "    environment:\n      - API_KEY=${{API_KEY}}\n      - POSTGRES_PASSWORD_FILE=/run/secrets/db\n    ports: ['{n}:80']\n",
    "openapi: 3.1.0\ncomponents:\n  schemas:\n    Login:\n"
    "      properties:\n        password: {{type: string, format: password}}\n        token: {{type: string, maxLength: {n}}}\n",
)
TRACES = (
    "Traceback (most recent call last):\n  File \"/srv/app/{a}.py\", line {n}, in {b}\n    raise KeyError(key)\nKeyError: '{b}'\n",
    "java.lang.IllegalStateException: token expired\n"
    "\tat com.example.auth.TokenFilter.doFilter(TokenFilter.java:{n})\n\tat org.example.{A}.run({A}.java:{m})\n",
    "openai.AuthenticationError: Error code: 401 - {{'error': {{'message': 'Incorrect API key provided: sk-ab***wxyz.', 'code': 'invalid_api_key'}}}}\n",
)


def texts(count: int = 2400, seed: int = 20261009) -> Iterator[tuple[str, str]]:
    """(kind, text) pairs."""
    rng = random.Random(seed)
    for number in range(count):
        kind = sorted(KINDS)[number % len(KINDS)]
        yield kind, KINDS[kind](rng)


def filled(rng: random.Random, template: str) -> str:
    a, b = rng.sample(WORDS, 2)
    return template.format(
        a=a,
        b=b,
        A=a.title() + b.title(),
        name=a,
        n=rng.randint(2, 4000),
        m=rng.randint(2, 90000),
        hex6=f"{rng.getrandbits(24):06x}",
        sha256=digest(rng, "sha256"),
    )


def several(rng: random.Random, templates: tuple[str, ...]) -> str:
    return "\n".join(filled(rng, rng.choice(templates)) for _ in range(rng.randint(1, 4)))


def digest(rng: random.Random, algorithm: str) -> str:
    return hashlib.new(algorithm, rng.randbytes(8)).hexdigest()


def word(rng: random.Random, length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(rng.choices(alphabet, k=length))


def identifiers(rng: random.Random) -> str:
    made = [
        f"chatcmpl-{word(rng, 29)}",
        f"call_{word(rng, 24)}",
        f"toolu_{word(rng, 24)}",
        f"resp_{digest(rng, 'sha256')[:48]}",
        f"msg_{word(rng, 24)}",
        f"run-{uuid.UUID(int=rng.getrandbits(128))}",
    ]
    made += [
        f"trace_id={digest(rng, 'md5')} span_id={digest(rng, 'md5')[:16]}",
        f"req_{digest(rng, 'md5')}",
        f"file-{word(rng, 22)}",
        f"fp_{digest(rng, 'md5')[:10]}",
    ]
    return ", ".join(rng.sample(made, 5))


def hashes(rng: random.Random) -> str:
    names = ("md5", "sha1", "sha256", "sha512")
    lock = f'"integrity": "sha512-{base64.b64encode(rng.randbytes(64)).decode()}"'
    return "\n".join(
        [f"{digest(rng, rng.choice(names))}  {rng.choice(WORDS)}.tar.gz" for _ in range(4)]
        + [f"commit {digest(rng, 'sha1')}", lock, f'etag: W/"{digest(rng, "md5")}"']
    )


def image(rng: random.Random) -> str:
    return json.dumps({"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(rng.randbytes(rng.randint(300, 6000))).decode()}})


def table(rng: random.Random) -> str:
    rows = (
        f"| {rng.choice(WORDS)} | {rng.randint(0, 10**9):,} | {rng.random():.6f} | 2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} |" for _ in range(12)
    )
    return "| name | tokens | score | day |\n|---|---|---|---|\n" + "\n".join(rows)


def numbers(rng: random.Random) -> str:
    return json.dumps(
        {"embedding": [rng.gauss(0, 0.05) for _ in range(60)], "created": rng.randint(1_600_000_000, 1_900_000_000), "at": rng.randint(10**18, 2 * 10**18 - 1)}
    )


def log_lines(rng: random.Random) -> str:
    return "\n".join(log_line(rng) for _ in range(8))


def log_line(rng: random.Random) -> str:
    at = f"2026-10-09T12:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}.{rng.randint(0, 999):03}Z"
    peer = f"10.{rng.randint(0, 255)}.0.{rng.randint(1, 254)}:{rng.randint(1024, 65535)}"
    asked = f"GET /v1/{rng.choice(WORDS)}?page={rng.randint(1, 99)}&sort=key"
    return f"{at} INFO [{rng.choice(WORDS)}] {peer} {asked} 200 {rng.randint(1, 900)}ms tokens={rng.randint(1, 9999)} key={rng.choice(WORDS)}"


def messages(rng: random.Random) -> str:
    return json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": several(rng, LANGUAGES)}]},
            {
                "role": "assistant",
                "parts": [
                    {
                        "type": "tool_call",
                        "id": f"call_{word(rng, 24)}",
                        "name": "search",
                        "arguments": {"query": rng.choice(WORDS), "page_token": None, "key": rng.choice(WORDS)},
                    }
                ],
            },
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "response": several(rng, PYTHON)}],
                "usage": {"input_tokens": rng.randint(1, 9999), "output_tokens": 3},
            },
        ],
        ensure_ascii=rng.random() < 0.5,
    )


def tool_schema(rng: random.Random) -> str:
    properties = {
        name: {"type": "string", "description": f"The {name.replace('_', ' ')} of the {rng.choice(WORDS)}"}
        for name in ("password", "api_key", "token", "secret", rng.choice(WORDS))
    }
    return json.dumps(
        {
            "type": "function",
            "name": f"create_{rng.choice(WORDS)}",
            "parameters": {"type": "object", "properties": properties, "required": ["password", "api_key", "token"]},
        }
    )


def links(rng: random.Random) -> str:
    made = [
        f"https://example.com/{rng.choice(WORDS)}/{uuid.UUID(int=rng.getrandbits(128))}?utm_source=mail&page={rng.randint(1, 9)}",
        f"https://medium.com/@{rng.choice(WORDS)}/{rng.choice(WORDS)}-{word(rng, 12, '0123456789abcdef')}",
    ]
    made += [
        f"git@github.com:example/{rng.choice(WORDS)}.git",
        f"s3://{rng.choice(WORDS)}-bucket/{digest(rng, 'sha256')}/part-0001.parquet",
        f"https://youtu.be/{word(rng, 11)}",
        "ssh://git@host.example/x.git",
    ]
    return " ".join(made)


def certificate(rng: random.Random) -> str:
    body = base64.encodebytes(rng.randbytes(600)).decode()
    public = base64.b64encode(rng.randbytes(35)).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA{public} deploy\n"


def diff(rng: random.Random) -> str:
    return f"diff --git a/{rng.choice(WORDS)}.py b/x.py\nindex {digest(rng, 'sha1')[:10]}..{digest(rng, 'sha1')[:10]} 100644\n" + "".join(
        f"{rng.choice('+- ')}{line}\n" for line in several(rng, PYTHON).splitlines()
    )


def prose(templates: tuple[str, ...]) -> Callable[[random.Random], str]:
    return lambda rng: several(rng, templates)


KINDS: dict[str, Callable[[random.Random], str]] = {
    "about secrets": prose(ABOUT_SECRETS),
    "base64 image": image,
    "certificate": certificate,
    "code": prose(PYTHON),
    "diff": diff,
    "hashes": hashes,
    "identifiers": identifiers,
    "languages": prose(LANGUAGES),
    "links": links,
    "log": log_lines,
    "messages": messages,
    "numbers": numbers,
    "other code": prose(OTHER_CODE),
    "stack trace": prose(TRACES),
    "table": table,
    "tool schema": tool_schema,
    "uuids": lambda rng: "\n".join(f'"{rng.choice(WORDS)}_key": "{uuid.UUID(int=rng.getrandbits(128))}"' for _ in range(6)),
    "yaml": prose(YAML),
}
