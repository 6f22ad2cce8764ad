"""A year of PUE, water and compressors in ten climates, beside published figures; writes that part of docs/facility.md.

    python -m scripts.facility_study ENVIRONMENT

ENVIRONMENT is a folder of weather files (EPW, Open-Meteo). Exit code 1 where a median is out of its published band.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.validation.compressor_free import LOOPS, Share, shares
from scripts.validation.pue import BUILDINGS, Building, Year, median_of, places, study

from meritorder.files import write_text

PAGE = Path(__file__).parent.parent / "docs/facility.md"
BEGIN, END = "<!-- facility study: begin -->", "<!-- facility study: end -->"


def main() -> int:
    """Run the years, write the tables, tell the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environment", type=Path, help="folder of weather files")
    arguments = parser.parse_args()
    weather = places(arguments.environment)
    years = list(study(weather))
    text = "\n".join([*medians(years), "", *by_place(years), "", *compressor_free(list(shares(weather)))])
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    write_text(PAGE, f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")
    print(text)
    return int(any(not in_band(years, building) for building in BUILDINGS))


def in_band(years: Sequence[Year], building: Building) -> bool:
    """Whether the median PUE over the places lies in the published 5-95 % band."""
    _, low, high = building.pue
    return low <= median_of(years, building, "pue") <= high


def medians(years: Sequence[Year]) -> Iterator[str]:
    """One row a kind of building."""
    yield "| building | IT load | PUE here | published [5-95 %] | error | in band | WUE here | published |"
    yield "|---|--:|--:|--:|--:|---|--:|--:|"
    for building in BUILDINGS:
        ours, (published, low, high) = median_of(years, building, "pue"), building.pue
        yield (
            f"| {building.name} | {building.load:.0%} | **{ours:.3f}** | {published:.2f} [{low:.2f}-{high:.2f}] "
            f"| {ours / published - 1:+.1%} | {'yes' if in_band(years, building) else '**no**'} "
            f"| {median_of(years, building, 'wue'):.2f} | {building.wue:.2f} |"
        )


def by_place(years: Sequence[Year]) -> Iterator[str]:
    """PUE of the year and, in brackets, of its hardest hour; WUE where there is water."""
    yield "| place | " + " | ".join(building.name for building in BUILDINGS) + " |"
    yield "|---|" + "--:|" * len(BUILDINGS)
    for place in dict.fromkeys(year.place for year in years):
        found = [year for year in years if year.place == place]
        cells = (
            f"{year.pue:.3f} ({year.peak_pue:.2f})" + (f", {year.wue:.2f} L" if year.wue >= 0.005 else "")
            for year in found
        )
        yield f"| {place} | " + " | ".join(cells) + " |"


def compressor_free(found: Sequence[Share]) -> Iterator[str]:
    """By hand / by the plant at full load without spares / as run."""
    yield "| place | " + " | ".join(loop.name for loop in LOOPS) + " |"
    yield "|---|" + "--:|" * len(LOOPS)
    for place in dict.fromkeys(share.place for share in found):
        cells = (f"{s.by_hand:.1%} / {s.by_plant:.1%} / {s.as_run:.1%}" for s in found if s.place == place)
        yield f"| {place} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
