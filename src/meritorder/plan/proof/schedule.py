"""What is proven, as far as the proof looks at it."""

from __future__ import annotations

from typing import Protocol, TypeVar

from meritorder.plan.outcome import Build, Operation


class Schedule(Protocol):
    """A plan: what is built, and how it runs in all hours of the full instance."""

    @property
    def builds(self) -> tuple[Build, ...]:
        """[J]."""

    @property
    def operation(self) -> Operation:
        """Of every hour and scenario."""


class Solved(Protocol):
    """What an optimisation gives."""

    @property
    def plan(self) -> Schedule:
        """The plan."""


Solution = TypeVar("Solution", bound=Solved)
