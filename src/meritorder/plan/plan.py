"""`plan`: from a fleet file's `plan` to a build that is optimised, studied and proven."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeAlias

# Opens a stage by its name; the function it gives is told how far the stage is, 0 to 1.
Stage: TypeAlias = Callable[[str], AbstractContextManager[Callable[[float], None]]]


@contextmanager
def silent(_: str) -> Iterator[Callable[[float], None]]:
    """A stage that nobody watches."""
    yield lambda _share: None


@dataclass(frozen=True)
class Wanted:
    """How to plan."""

    prove: bool = True
    studies: bool = True
    hours: int | None = None  # that the optimisation looks at; None: as many as the file says
    gap: float = 0.005
    threads: int = 2
    seed: int = 0
