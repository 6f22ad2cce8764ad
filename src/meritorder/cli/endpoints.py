"""Endpoints as options name them: their address, and the key they want."""

from __future__ import annotations


def headers_of(key: str | None) -> bytes:
    """Raw header lines of every request."""
    lines = b"x-merit-explain: 1\r\n"
    if key is None:
        return lines
    import os

    from meritorder.problems import InputError, Problem
    from meritorder.serve.backends.secret import read_secret

    if not key.startswith(("env:", "file:")):
        raise InputError(Problem("is no place of a key", "--key", fix="give env:NAME or file:PATH"))
    return lines + b"authorization: Bearer " + read_secret(key, "--key", os.environ).encode() + b"\r\n"


def address_of(url: str) -> str:
    """The endpoint without `/v1`. Raises InputError where it is none."""
    import re

    from meritorder.problems import InputError, Problem

    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise InputError(Problem("is no address of an endpoint", url, fix="give one as http://127.0.0.1:8000"))
    return url.rstrip("/").removesuffix("/v1")
