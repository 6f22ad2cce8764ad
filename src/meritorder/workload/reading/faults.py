"""Collecting what is wrong with the rows of a trace: all of it counted, the first ones named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.problems import InputError, Problem

_NAMED = 10
MAX_TOKENS = 10_000_000  # no model has a context of ten million tokens: more is another unit or a damaged row
MAX_SECONDS = 1e10  # three centuries: more is milli-, micro- or nanoseconds


@dataclass
class Faults:
    """Problems of one file. `name` is the file, `row` what its rows are counted in ("" for lines)."""

    name: str
    row: str = ""
    problems: list[Problem] = field(default_factory=list)
    more: int = 0

    def where(self, line: int) -> str:
        """`file:12`, or `file: row 12` where the file has no lines."""
        return f"{self.name}: {self.row} {line}" if self.row else f"{self.name}:{line}"

    def add(self, line: int, column: str, what: str, fix: str = "") -> None:
        """One fault; after the first ten only counted."""
        if len(self.problems) < _NAMED:
            self.problems.append(Problem(what, self.where(line), column, fix))
        else:
            self.more += 1

    def rows(
        self,
        wrong: npt.NDArray[np.bool_],
        lines: npt.NDArray[np.int64],
        column: str,
        values: npt.NDArray[Any],
        what: str,
        fix: str,
    ) -> None:
        """The rows where `wrong` is set; `what` may hold `{}` for the value."""
        found = np.flatnonzero(wrong)
        for i in found[:_NAMED]:
            self.add(int(lines[i]), column, what.format(shown(values[i])), fix)
        self.more += max(0, len(found) - _NAMED)

    def check(self) -> None:
        """Raises InputError where anything was found."""
        if self.problems:
            rest = [Problem(f"{self.more:,} more rows like these", self.name)] if self.more else []
            raise InputError([*self.problems, *rest])


def shown(value: object) -> str:
    """A value as a message shows it: numbers plain, texts quoted and cut."""
    if isinstance(value, bool | np.bool_) or value is None:
        return {True: "true", False: "false", None: "null"}[None if value is None else bool(value)]
    if isinstance(value, int | np.integer):
        whole = int(value)
        return f"{whole:,}" if abs(whole) < 10**18 else "huge"
    if isinstance(value, float | np.floating):
        return f"{float(value):,.12g}"
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'


def check_tokens(
    faults: Faults, lines: npt.NDArray[np.int64], column: str, values: npt.NDArray[Any], least: int
) -> npt.NDArray[np.int32]:
    """Token counts as int32; what is no whole number from `least` to ten million becomes a fault (and 1 here)."""
    right = f"a whole number of tokens from {least:,} to {MAX_TOKENS:,}"
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= least) & (values <= MAX_TOKENS))
        if values.dtype.kind == "f":
            wrong |= values != np.floor(values)
    if wrong.any():
        faults.rows(wrong, lines, column, values, "is {}", f"give {right}")
    return np.where(wrong, 1, values).astype(np.int32)


def check_times(
    faults: Faults,
    lines: npt.NDArray[np.int64],
    column: str,
    values: npt.NDArray[Any],
    per_second: float,
    unit: str,
) -> None:
    """Timestamps must be finite, not negative, and not so large that the unit must be another."""
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= 0) & (values <= MAX_SECONDS * per_second))
    if wrong.any():
        faults.rows(wrong, lines, column, values, "is {}", f"give {unit}, from 0 to {MAX_SECONDS * per_second:.0e}")
