"""The secret half of an API key: how it looks, and the digest that stands for it everywhere else."""

from __future__ import annotations

import hashlib
import secrets

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


def new_id() -> str:
    """The public half: names a key in lists, logs and metrics."""
    return f"key_{secrets.token_hex(6)}"
