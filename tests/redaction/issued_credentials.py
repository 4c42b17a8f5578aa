"""Credentials of providers and services, made up anew by the shapes they publish, and those that only the name they stand under gives away."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URL64 = LETTERS + "-_"


def run(rng: random.Random, length: int, alphabet: str = LETTERS) -> str:
    """Random characters that do begin and end with a letter or digit, and have one digit at least."""
    return "".join([rng.choice("abcdef"), *rng.choices(alphabet, k=length - 2), rng.choice("0123456789")])


def jwt(rng: random.Random) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps({"sub": run(rng, 10), "exp": rng.randint(10**9, 2 * 10**9)}).encode()).decode().rstrip("=")
    return f"{head}.{body}.{run(rng, 43, URL64)}"


def pem(rng: random.Random) -> str:
    """A private key on one line, as environment variables and JSON have it."""
    return "-----BEGIN PRIVATE KEY-----\\n" + "\\n".join(run(rng, 64, LETTERS + "+/") for _ in range(12)) + "\\n-----END PRIVATE KEY-----"


# The shapes that issuers publish, made up anew.
ISSUED: dict[str, Callable[[random.Random], str]] = {
    "openai": lambda rng: f"sk-{run(rng, 20)}T3BlbkFJ{run(rng, 20)}",
    "openai project": lambda rng: f"sk-proj-{run(rng, 74, URL64)}T3BlbkFJ{run(rng, 74, URL64)}",
    "openai service account": lambda rng: f"sk-svcacct-{run(rng, 58, URL64)}",
    "deepseek, moonshot": lambda rng: f"sk-{run(rng, 32, HEX)}",
    "litellm virtual key": lambda rng: f"sk-{run(rng, 22, URL64)}",
    "anthropic": lambda rng: f"sk-ant-api03-{run(rng, 93, URL64)}AA",
    "openrouter": lambda rng: f"sk-or-v1-{run(rng, 64, HEX)}",
    "langfuse": lambda rng: f"sk-lf-{run(rng, 8, HEX)}-{run(rng, 4, HEX)}-{run(rng, 4, HEX)}-{run(rng, 4, HEX)}-{run(rng, 12, HEX)}",
    "google": lambda rng: f"AIza{run(rng, 35, URL64)}",
    "google oauth": lambda rng: f"ya29.{run(rng, 120, URL64)}",
    "google client secret": lambda rng: f"GOCSPX-{run(rng, 28, URL64)}",
    "aws key": lambda rng: f"AKIA{''.join(rng.choices(string.ascii_uppercase + '234567', k=16))}",
    "aws session key": lambda rng: f"ASIA{''.join(rng.choices(string.ascii_uppercase + '234567', k=16))}",
    "bedrock": lambda rng: f"ABSK{run(rng, 120, LETTERS + '+/')}==",
    "github": lambda rng: f"gh{rng.choice('pousr')}_{run(rng, 36)}",
    "github fine-grained": lambda rng: f"github_pat_{run(rng, 22)}_{run(rng, 59)}",
    "gitlab": lambda rng: f"glpat-{run(rng, 20, URL64)}",
    "slack": lambda rng: f"xox{rng.choice('bpa')}-{rng.randint(10**11, 10**12)}-{rng.randint(10**11, 10**12)}-{run(rng, 24)}",
    "slack app": lambda rng: f"xapp-1-A{run(rng, 10).upper()}-{rng.randint(10**11, 10**12)}-{run(rng, 64, HEX)}",
    "stripe": lambda rng: f"{rng.choice('sr')}k_{rng.choice(['live', 'test'])}_{run(rng, 24)}",
    "webhook secret": lambda rng: f"whsec_{run(rng, 32, LETTERS + '+/')}",
    "hugging face": lambda rng: f"hf_{run(rng, 34)}",
    "groq": lambda rng: f"gsk_{run(rng, 52)}",
    "xai": lambda rng: f"xai-{run(rng, 80)}",
    "perplexity": lambda rng: f"pplx-{run(rng, 48)}",
    "replicate": lambda rng: f"r8_{run(rng, 37)}",
    "cerebras": lambda rng: f"csk-{run(rng, 48, string.ascii_lowercase + string.digits)}",
    "nvidia": lambda rng: f"nvapi-{run(rng, 64, URL64)}",
    "fireworks": lambda rng: f"fw_{run(rng, 24)}",
    "tavily": lambda rng: f"tvly-dev-{run(rng, 32)}",
    "firecrawl": lambda rng: f"fc-{run(rng, 32, HEX)}",
    "langsmith": lambda rng: f"lsv2_pt_{run(rng, 32, HEX)}_{run(rng, 10, HEX)}",
    "pinecone": lambda rng: f"pcsk_{run(rng, 6)}_{run(rng, 63)}",
    "elevenlabs": lambda rng: f"sk_{run(rng, 48, HEX)}",
    "sendgrid": lambda rng: f"SG.{run(rng, 22, URL64)}.{run(rng, 43, URL64)}",
    "twilio": lambda rng: f"SK{run(rng, 32, HEX)}",
    "npm": lambda rng: f"npm_{run(rng, 36)}",
    "pypi": lambda rng: f"pypi-AgEIcHlwaS5vcmc{run(rng, 150, URL64)}",
    "docker": lambda rng: f"dckr_pat_{run(rng, 27, URL64)}",
    "digitalocean": lambda rng: f"dop_v1_{run(rng, 64, HEX)}",
    "databricks": lambda rng: f"dapi{run(rng, 32, HEX)}",
    "notion": lambda rng: f"ntn_{run(rng, 46)}",
    "linear": lambda rng: f"lin_api_{run(rng, 40)}",
    "telegram": lambda rng: f"{rng.randint(10**9, 10**10 - 1)}:AA{run(rng, 33, URL64)}",
    "discord": lambda rng: f"MT{run(rng, 24)}.{run(rng, 6)}.{run(rng, 38)}",
    "shopify": lambda rng: f"shpat_{run(rng, 32, HEX)}",
    "vault": lambda rng: f"hvs.{run(rng, 90)}",
    "figma": lambda rng: f"figd_{run(rng, 40)}",
    "grafana": lambda rng: f"glsa_{run(rng, 32)}_{run(rng, 8, HEX)}",
    "new relic": lambda rng: f"NRAK-{run(rng, 27).upper()}",
    "postman": lambda rng: f"PMAK-{run(rng, 24, HEX)}-{run(rng, 34, HEX)}",
    "doppler": lambda rng: f"dp.pt.{run(rng, 43)}",
    "atlassian": lambda rng: f"ATATT3xFfGF0{run(rng, 170, URL64)}",
    "airtable": lambda rng: f"pat{run(rng, 14)}.{run(rng, 64, HEX)}",
    "supabase": lambda rng: f"sbp_{run(rng, 40, HEX)}",
    "jwt": jwt,
    "bedrock, short-term": lambda rng: f"bedrock-api-key-{run(rng, 120, LETTERS + '+/')}",
    "wandb": lambda rng: f"wandb_v1_{run(rng, 40)}",
    "jina": lambda rng: f"jina_{run(rng, 60, URL64)}",
    "e2b": lambda rng: f"e2b_{run(rng, 40, HEX)}",
    "voyage": lambda rng: f"pa-{run(rng, 43, URL64)}",
    "langsmith, legacy": lambda rng: f"ls__{run(rng, 32, HEX)}",
    "sentry": lambda rng: f"sntrys_{run(rng, 120, LETTERS + '+/')}",
    "planetscale": lambda rng: f"pscale_tkn_{run(rng, 43, URL64)}",
    "terraform": lambda rng: f"{run(rng, 14)}.atlasv1.{run(rng, 67, URL64)}",
    "age": lambda rng: f"AGE-SECRET-KEY-1{run(rng, 58).upper()}",
    "mailgun": lambda rng: f"key-{run(rng, 32, HEX)}",
    "dropbox": lambda rng: f"sl.u.{run(rng, 130, URL64)}",
    "square": lambda rng: f"sq0atp-{run(rng, 22, URL64)}",
    "rubygems": lambda rng: f"rubygems_{run(rng, 48, HEX)}",
    "gitlab runner": lambda rng: f"glrt-{run(rng, 20, URL64)}",
    "private key": lambda rng: pem(rng),
}
# Those without a shape: only the name gives them away.
UNSHAPED: dict[str, Callable[[random.Random], str]] = {
    "MISTRAL_API_KEY": lambda rng: run(rng, 32),
    "COHERE_API_KEY": lambda rng: run(rng, 40),
    "together_api_key": lambda rng: run(rng, 64, HEX),
    "deepgram_key": lambda rng: run(rng, 40, HEX),
    "azure_openai_api_key": lambda rng: run(rng, 32, HEX),
    "AccountKey": lambda rng: run(rng, 86, LETTERS + "+/") + "==",
    "aws_secret_access_key": lambda rng: run(rng, 40, LETTERS + "+/"),
    "aws_session_token": lambda rng: run(rng, 300, LETTERS + "+/"),
    "client_secret": lambda rng: run(rng, 30, LETTERS + "~._-"),
    "refresh_token": lambda rng: run(rng, 40, URL64),
    "access_token": lambda rng: run(rng, 24),
    "x-api-key": lambda rng: run(rng, 16),
    "apiKey": lambda rng: run(rng, 20),
    "password": lambda rng: run(rng, 9, LETTERS + "!?%+*"),
    "DB_PASSWORD": lambda rng: "".join(rng.choices(string.ascii_lowercase, k=9)),
    "passphrase": lambda rng: run(rng, 12),
    "signing_secret": lambda rng: run(rng, 32, HEX),
    "private_key": lambda rng: run(rng, 44, LETTERS + "+/"),
}
