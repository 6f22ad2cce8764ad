"""`Form`: a kind of table that `merit predict` can answer, row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from meritorder.catalog.load import Catalog

Row: TypeAlias = Mapping[str, str]
Progress: TypeAlias = Callable[[int], None]


@dataclass(frozen=True)
class Answer:
    """What is predicted for one row, by column; empty with a reason where it can't be answered.

    `note` says also why an answer is out of the range of the data behind it, or leans on a figure known as a
    range only.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


class Form(Protocol):
    """One kind of table: recognised by its columns, answered by the cost models and the simulator."""

    @property
    def name(self) -> str:
        """In a word or two, for messages and the accuracy table."""

    @property
    def needs(self) -> frozenset[str]:
        """Columns by which such a table is recognised."""

    @property
    def adds(self) -> tuple[str, ...]:
        """Columns that are predicted, named with their units as the measured ones are (`silicon_tpot_ms`)."""

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row, in order; `progress(n)` is called after each n further rows."""
