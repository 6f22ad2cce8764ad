"""`Study`: one data set, how it is split, what is fitted again for each split, and which errors count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zlib import crc32

from scripts.machine_fit.data import Data, Row

from meritorder.predict.form import Form


@dataclass(frozen=True)
class Fold:
    """A part of a calibration file that is predicted by what was fitted without it; `held`: row numbers."""

    name: str
    held: frozenset[int]


@dataclass(frozen=True)
class Bounds:
    """Seconds that a row's work needs at the data sheet's peaks, for the baseline "fitted roofline".

    Rows of one `kind` (a machine and a number format, say) share a roofline.
    """

    memory: float
    compute: float
    kind: str = ""


@dataclass(frozen=True)
class Metric:
    """One measured figure: `column` of the file, named alike by the form's answer.

    `statistic` is the one that `floor` and `aim` (shares, 0.18 is 18 %) are meant for. `counts`: which rows
    have a measurement that means something (default: all with a number). `bounds`: see `Bounds`; None: no
    roofline can be drawn for it.
    """

    name: str
    column: str
    statistic: Literal["mean", "median"]
    floor: float | None = None
    aim: float | None = None
    counts: Callable[[Row], bool] = lambda row: True
    bounds: Callable[[Row], Bounds] | None = None


@dataclass(frozen=True)
class Study:
    """A data set under one kind of split.

    `refit` fits what this data set is evidence for on the rows that are left (the rest of the coefficients stay
    as committed) and returns a document like `fitted.yaml`; None where nothing is fitted to these rows.
    `outcomes`: measured columns, hidden from the form and from the baselines. `rows` picks the rows of the file that
    take part (a row number is its place in the whole file). `features`: columns that the trees may use (default: all
    that are not outcomes). `group`: rows of one group err alike, so the bootstrap draws groups. `remark`: what must
    be known to read the table, in Markdown.
    """

    name: str
    file: str
    form: Form
    folds: Callable[[Sequence[Row]], Sequence[Fold]]
    metrics: tuple[Metric, ...]
    outcomes: frozenset[str]
    refit: Callable[[Data], Mapping[str, Any]] | None = None
    rows: Callable[[Row], bool] = lambda row: True
    features: tuple[str, ...] | None = None
    group: Callable[[Row], str] | None = None
    remark: str = ""


def by_value(rows: Sequence[Row], key: Callable[[Row], str | None]) -> list[Fold]:
    """A fold for each value of `key`: all its rows are held out together. Rows with None are never held out."""
    held: dict[str, set[int]] = {}
    for number, row in enumerate(rows):
        value = key(row)
        if value is not None:
            held.setdefault(value, set()).add(number)
    return [Fold(value, frozenset(numbers)) for value, numbers in sorted(held.items())]


def by_hash(rows: Sequence[Row], key: Callable[[Row], str | None], parts: int = 5) -> list[Fold]:
    """`parts` folds of about the same size; rows with the same `key` are held out together."""
    spread: Iterable[tuple[int, str]] = ((n, k) for n, row in enumerate(rows) if (k := key(row)) is not None)
    held: list[set[int]] = [set() for _ in range(parts)]
    for number, value in spread:
        held[crc32(value.encode()) % parts].add(number)
    return [Fold(f"part {i + 1} of {parts}", frozenset(numbers)) for i, numbers in enumerate(held) if numbers]
