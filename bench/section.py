"""What a measurement hands back: a table of Markdown and the raw figures behind it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass
class Section:
    """One part of docs/benchmarks.md; `raw` holds every repeat, unrounded."""

    title: str
    text: str
    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    after: str = ""  # below the table

    def add(self, name: str, values: Sequence[float], *cells: str) -> None:
        """A row whose figures are kept under `name`."""
        self.raw[name] = list(values)
        self.rows.append([name, *cells])

    def missing(self, name: str, reason: object) -> None:
        """A row that could not be measured, with the reason."""
        self.raw[name] = str(reason)
        self.rows.append([name, f"not measured: {reason}".replace("|", "/"), *[""] * (len(self.header) - 2)])

    def markdown(self) -> str:
        """The section as Markdown."""
        lines = [f"## {self.title}", "", self.text.strip(), "", _row(self.header), _row(["---"] * len(self.header))]
        lines += [_row(row) for row in self.rows]
        return "\n".join([*lines, "", self.after] if self.after else lines)


def save(section: Section, name: str) -> None:
    """Keep the section in bench/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(asdict(section), indent=1) + "\n")


def load(name: str) -> Section | None:
    """The section kept last, None where it was never measured."""
    path = RESULTS / f"{name}.json"
    return Section(**json.loads(path.read_text())) if path.exists() else None


def spread(values: Sequence[float], form: str = ",.0f") -> list[str]:
    """Minimum, median and maximum as three cells."""
    return [format(value, form) for value in (min(values), statistics.median(values), max(values))]


def verdict(values: Sequence[float], at_least: float | None = None, at_most: float | None = None) -> str:
    """`yes` or `no`: whether the median holds the bar."""
    median = statistics.median(values)
    if at_least is not None:
        return "yes" if median >= at_least else "**no**"
    return "yes" if at_most is None or median <= at_most else "**no**"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
