"""The secret half of an API key: how it looks, and the digest that stands for it everywhere else."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

PREFIX = "merit-"  # tells people and secret scanners what it is


def new_secret() -> str:
    """A key as its owner gets it, once: 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: bytes) -> bytes:
    """What is kept of a secret, 32 bytes.

    No salt and no slow hash: 256 random bits can't be guessed. For the same reason the time that looking a digest up
    takes tells nothing: nobody can choose which digest a guess has.
    """
    return hashlib.sha256(secret).digest()


def shown_digest(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Of the key that a request shows in its headers (names in lower case); None: it shows none."""
    secret = b""
    for name, value in headers:
        if name == b"authorization":
            secret = value[7:].strip() if value[:7].lower() == b"bearer " else b""
            break
        if name == b"x-api-key" and not secret:
            secret = value
    return digest(secret) if secret else None


def new_id() -> str:
    """The public half: names a key in lists, logs and metrics."""
    return f"key_{secrets.token_hex(6)}"
