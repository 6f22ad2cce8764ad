"""Secrets are named in a fleet file, and read from where the name says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from meritorder.problems import InputError, Problem


def read_secret(name: str, key: str, environ: Mapping[str, str]) -> str:
    """The secret that `env:NAME` or `file:PATH` names, without white space around it.

    Raises InputError, about `key` of the fleet file and without the secret, where it can't be read or isn't one line
    of visible ASCII.
    """
    scheme, _, place = name.partition(":")
    if scheme == "env":
        if place not in environ:
            raise InputError(Problem(f"environment variable {place} is not set", key=key, fix=f"set {place}"))
        secret = environ[place].strip()
    else:
        try:
            secret = Path(place).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror or "cannot be read" if isinstance(error, OSError) else "is not text"
            raise InputError(Problem(f"{place}: {what}", key=key, fix="give a file that can be read")) from None
    if not secret or not all("!" <= letter <= "~" for letter in secret):
        fix = "one line of visible ASCII without spaces"
        raise InputError(Problem(f"{name} is empty or holds characters that no key has", key=key, fix=fix))
    return secret
