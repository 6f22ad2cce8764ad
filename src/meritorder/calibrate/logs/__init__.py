"""Iteration logs of engines, a module each with `read(lines, kv_tokens)`: what iterations held, how long they took."""

from __future__ import annotations

from dataclasses import dataclass, field

from meritorder.calibrate.rows import Iteration


@dataclass
class Logged:
    """What a log says. `unread`: lines that tell of an iteration but in no form that is known, the first of them."""

    iterations: list[tuple[float, Iteration]] = field(default_factory=list)  # seconds and what was done
    kv_tokens: int | None = None  # that the cache holds
    kv_known: bool = True  # KV tokens of each iteration are in it
    notes: list[str] = field(default_factory=list)
    unread: str = ""


def even_pairs(tokens: int, requests: int) -> float:
    """Pairs that prompt tokens attend to, if the requests share them evenly and nothing is cached before them."""
    each = tokens / max(requests, 1)
    return 0.5 * tokens * (each + 1.0)
