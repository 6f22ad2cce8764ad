"""Finding the columns of a CSV file by what its header says, with the unit in brackets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from meritorder.facility.surroundings.text import Table
from meritorder.problems import InputError, Problem

_UNIT = re.compile(r"^(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*$")


def split_unit(title: str) -> tuple[str, str]:
    """A header as name in lower case and unit: `Price (USD/MWh)` -> `("price", "USD/MWh")`."""
    match = _UNIT.match(title)
    return (match[1].lower(), match[2].strip()) if match else (title.strip().lower(), "")


def find(header: Sequence[str], names: Sequence[str]) -> int | None:
    """The first column whose title begins with one of `names` (lower case), the first name first; None: none."""
    titles = [title.lower() for title in header]
    for name in names:
        for index, title in enumerate(titles):
            if title == name or re.match(rf"{re.escape(name)}\s*[(\[]", title):
                return index
    return None


def needed(table: Table, names: Sequence[str], what: str) -> int:
    """`find`; raises InputError where there is no such column."""
    index = find(table.header, names)
    if index is None:
        has = f"has no column for {what}: {', '.join(table.header)}"[:200]
        raise InputError(Problem(has, f"{table.path}:{table.lines[0] - 1}", fix=f"name one of them {names[0]!r}"))
    return index


def factor(table: Table, index: int, sizes: Mapping[str, float], usual: str = "") -> float:
    """What a column's numbers are multiplied by, from the unit in its header, or `usual` where it says none."""
    unit = split_unit(table.header[index])[1] or usual
    size = {name.lower(): value for name, value in sizes.items()}.get(unit.lower())
    if size is None:
        what = f"has the unit {unit!r}" if unit else "says no unit"
        fix = f"write it in the header: {split_unit(table.header[index])[0]} ({next(iter(sizes))})"
        if unit:
            fix = f"give it in {' or '.join(sizes)}"
        raise InputError(Problem(what, f"{table.path}:{table.lines[0] - 1}", table.header[index], fix))
    return size
