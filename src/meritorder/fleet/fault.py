"""`Fault`: something wrong between parts of a fleet file."""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.fleet.document import KeyPath


@dataclass(frozen=True)
class Fault:
    """Something wrong at a key path: what, and what would be right."""

    path: KeyPath
    what: str
    fix: str = ""
