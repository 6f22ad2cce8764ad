"""What a user may choose when a trace is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Choices for reading; every one has a default that is right for most traces."""

    closed_loop: bool | None = None  # None: closed where the recording has sessions with think times
    jitter_seed: int | None = None  # spread timestamps that sit on a grid, with this seed
    limit: int | None = None  # only so many requests, the first ones
    sort: bool = False  # put rows in order of time instead of refusing unsorted ones
    start_spacing_s: float = 60.0  # mean seconds between session starts where sessions have no clock (Weka)
    start_seed: int | None = None  # None: starts evenly spaced; else Poisson with this seed
    model: str | None = None  # which service of a ServeGen set
    window_s: tuple[float, float] | None = None  # which part of a ServeGen set, seconds from its start
    seed: int = 0  # for drawing requests from ServeGen's distributions
    forced: bool = False  # the user named the format: suspicions of a wrong unit become warnings
    progress: Callable[[float], None] | None = None  # told the share done, 0 to 1
