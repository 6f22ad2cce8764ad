"""What `merit catalog` says of climates and grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def climate_rows() -> list[dict[str, Any]]:
    """One line for each climate: temperatures in C."""
    from meritorder.catalog.climates import climates

    return [
        {
            "name": name,
            "title": climate.title,
            "elevation_m": climate.elevation_m,
            "utc_offset_h": climate.utc_offset_h,
            "check": {key: dict(values) for key, values in climate.check.items()},
            "source": climate.source,
        }
        for name, climate in climates().items()
    ]


def grid_rows() -> list[dict[str, Any]]:
    """One line for each grid: means of the year."""
    from meritorder.catalog.climates import electricity, grids

    rows = []
    for name, grid in grids().items():
        price, carbon = electricity(grid)
        rows.append(
            {
                "name": name,
                "title": grid.title,
                "usd_per_kwh": float(price.mean()),
                "usd_per_kwh_low": float(price.min()),
                "usd_per_kwh_high": float(price.max()),
                "kg_per_kwh": float(carbon.mean()),
                "kg_per_kwh_low": float(carbon.min()),
                "kg_per_kwh_high": float(carbon.max()),
                "source": grid.source,
            }
        )
    return rows


def place_facts(name: str) -> dict[str, Any]:
    """The climate, the grid, or both of that name; empty where there is none."""
    found = {"climate": climate_rows(), "grid": grid_rows()}
    return {kind: row for kind, rows in found.items() for row in rows if row["name"] == name}


def print_places(places: Sequence[dict[str, Any]], markets: Sequence[dict[str, Any]]) -> None:
    """One table for each kind that there is."""
    from meritorder.cli.output import results, table

    out = results()
    if places:
        columns = ("name", "place", ">dry bulb\nmedian", ">\np99", ">most", ">wet bulb\np99", ">most", ">elevation")
        rows = table("Climates (`weather:`), C", columns)
        for row in places:
            real = row["check"]["real"]
            shown = (real[key] for key in ("dry_p50", "dry_p99", "dry_p100", "wet_p99", "wet_p100"))
            rows.add_row(row["name"], row["title"], *(f"{value:.1f}" for value in shown), f"{row['elevation_m']:g} m")
        out.print(rows, "")
    if markets:
        headings = ("name", "market", ">USD/MWh\nmean", ">by month and hour", ">g CO2/kWh\nmean", ">by month and hour")
        rows = table("Grids (`price:`, `carbon:`)", headings)
        for row in markets:
            cells = []
            for key in ("usd_per_kwh", "kg_per_kwh"):
                mean, low, high = (1e3 * row[f"{key}{end}"] for end in ("", "_low", "_high"))
                cells += [f"{mean:.0f}", f"{low:.0f} to {high:.0f}"]
            rows.add_row(row["name"], row["title"], *cells)
        out.print(rows, "")


def print_place(place: dict[str, Any]) -> None:
    """A climate and a grid with their sources, and how well the fit holds."""
    from rich.text import Text

    from meritorder.cli.output import results, table

    out = results()
    if "climate" in place:
        row = place["climate"]
        head = f"{row['name']}: {row['title']}, {row['elevation_m']:g} m, UTC{row['utc_offset_h']:+g}"
        rows = table(f"{head}; quantiles of the year, C", ("", *(f">{key}" for key in row["check"]["real"])))
        for key, values in row["check"].items():
            rows.add_row(key, *(f"{value:.1f}" for value in values.values()))
        out.print(rows)
        out.print(Text(f"real: {row['source']}; fitted: harmonics and spells (scripts/fit_climates.py)"), style="dim")
    if "grid" in place:
        print_places((), [place["grid"]])
        out.print(Text(f"{place['grid']['source']}; means only, without spikes"), style="dim")
