"""The parts of an endpoint's address, and an address without its credentials."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split(address: str) -> SplitResult:
    """An endpoint's parts, also of one without a scheme."""
    return urlsplit(address if "://" in address else f"//{address}")


def port_of(address: str) -> int | None:
    return split(address).port


def without_credentials(address: str) -> str:
    """An endpoint as it is hashed: user and password removed."""
    parts = split(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
