"""The provider's name in the conventions' terms: from the host that a client connects to, or from litellm's name for it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from otel_agents import semconv

HOSTS = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.openai"),
    (".inference.ai.azure.com", "azure.ai.inference"),
    (".models.ai.azure.com", "azure.ai.inference"),
    ("api.deepseek.com", "deepseek"),
    ("api.groq.com", "groq"),
    ("api.x.ai", "x_ai"),
    (".mistral.ai", "mistral_ai"),
    ("api.perplexity.ai", "perplexity"),
    (".moonshot.ai", "moonshot_ai"),
    (".moonshot.cn", "moonshot_ai"),
    ("api.anthropic.com", "anthropic"),
    ("api.cohere.ai", "cohere"),
    ("api.cohere.com", "cohere"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    (".ml.cloud.ibm.com", "ibm.watsonx.ai"),
    (".amazonaws.com", "aws.bedrock"),
)

# prefixes of litellm's provider names; longer ones first
LITELLM = (
    ("text-completion-openai", "openai"),
    ("text-completion-codestral", "mistral_ai"),
    ("azure_ai", "azure.ai.inference"),
    ("azure", "azure.ai.openai"),
    ("bedrock", "aws.bedrock"),
    ("vertex_ai", "gcp.vertex_ai"),
    ("gemini", "gcp.gemini"),
    ("anthropic", "anthropic"),
    ("cohere", "cohere"),
    ("xai", "x_ai"),
    ("mistral", "mistral_ai"),
    ("codestral", "mistral_ai"),
    ("moonshot", "moonshot_ai"),
    ("watsonx", "ibm.watsonx.ai"),
    ("custom_openai", "openai"),
)

PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


def of_host(host: str | None) -> str | None:
    """The provider behind a host name; None if it is unknown."""
    return next((provider for end, provider in HOSTS if host and host.endswith(end)), None)


@lru_cache(maxsize=256)
def of_litellm(name: str) -> str:
    """The conventions' name for a litellm provider; litellm's own name if they have none."""
    return next((provider for start, provider in LITELLM if name.startswith(start)), name)


@lru_cache(maxsize=256)
def place(url: str) -> tuple[str | None, str | None, int | None]:
    """Provider, server address and port of a URL; the scheme's default port if the URL has none."""
    try:
        parts = urlsplit(url)
        return of_host(parts.hostname), parts.hostname, parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None, None, None


def server(url: str) -> dict[str, Any]:
    """The server attributes of a URL; none if it has no host."""
    _, host, port = place(url)
    return {semconv.SERVER_ADDRESS: host, semconv.SERVER_PORT: port} if host else {}
