"""What `merit check` says of weather, prices and carbon by the hour: where they are from, and their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meritorder.facility.surroundings.series import Series
    from meritorder.fleet.schema import Fleet


def surroundings_facts(fleet: Fleet) -> dict[str, dict[str, Any]]:
    """By site: what is known by the hour, SI units (prices per kWh); a site with constants only is left out.

    Raises InputError where a file can't be used or doesn't cover the fleet's `start`.
    """
    from meritorder.facility.surroundings.hours import hours_of
    from meritorder.facility.surroundings.site import surroundings_of

    found: dict[str, dict[str, Any]] = {}
    for name, site in fleet.sites.items():
        known = surroundings_of(site)
        facts = {kind: _facts(series) for kind, series in known._asdict().items() if series is not None}
        if facts:
            found[name] = facts
            if fleet.start is not None:
                hours_of(fleet, name, 0.0)
    return found


def start_warnings(fleet: Fleet) -> list[str]:
    """Where hours count, but nobody said at which of them the traffic begins."""
    hourly = any(site.weather or site.price or site.carbon for site in fleet.sites.values())
    missing = hourly and fleet.start is None
    return ["no `start` is given, which `merit simulate` needs, there or as `--start`"] if missing else []


def _facts(series: Series) -> dict[str, Any]:
    import numpy as np

    from meritorder.facility.surroundings.moments import shown

    first = series.values[:, 0]
    return {
        "source": series.source,
        "covers": "a typical year" if series.typical else f"{shown(series.start)} to {shown(series.end)}",
        "repeats": series.whole_year,
        "step_s": series.step_s,
        "mean": float(first.mean()),
        "low": float(np.percentile(first, 1)),
        "high": float(np.percentile(first, 99)),
        "max": float(first.max()),
        "notes": list(series.notes),
    }


_SHOWN = {  # heading, unit, factor
    "weather": ("dry bulb", "C", 1.0),
    "price": ("price", "USD/MWh", 1e3),
    "carbon": ("carbon", "g/kWh", 1e3),
}


def surroundings_table(sites: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Any:
    """A line for each series of each site."""
    from pathlib import Path

    from meritorder.cli.output import table

    columns = ("site", "by the hour", ">mean", ">p1", ">p99", ">max", "unit", "covers", "from")
    result = table("Surroundings", columns)
    for name, kinds in sites.items():
        for kind, facts in kinds.items():
            heading, unit, scale = _SHOWN[kind]
            numbers = [f"{scale * facts[key]:.4g}" for key in ("mean", "low", "high", "max")]
            covers = facts["covers"] + (", repeats" if facts["repeats"] else "")
            result.add_row(name, heading, *numbers, unit, covers, Path(facts["source"]).name)
    return result


def surroundings_notes(sites: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """What was assumed where series say nothing, by site."""
    return [f"{name}: {note}" for name, kinds in sites.items() for facts in kinds.values() for note in facts["notes"]]
