"""The summary of each site of a run with a site model: energy, carbon, water, peaks, compressors, limits, levers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from meritorder.control.state import LEVERS
from meritorder.facility.plant import COOLANTS
from meritorder.facility.state import FACILITY_SERIES, FIRST_AT, LIMITS, FacilityState
from meritorder.simulate.site_series import Deed, SiteSeries, deeds, seconds_covered, site_series, spans

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

COMPRESSORS = {"air": "compressor_air_s", "liquid-21c": "compressor_21_s", "liquid-45c": "compressor_45_s"}
_ON = 0.005  # compressors count as on in a bin in which they carry more than this part of the design heat
_DONE = 200  # deeds in the summary; all that are remembered stand in deeds.parquet


def sites(result: Result) -> dict[str, dict[str, Any]]:
    """By site; empty without a site model. SI units; every power and energy says whose it is.

    `it_...`: at the machines; `facility_...`: IT, electrical losses and cooling; `grid_...`: at the meter, after
    generators and batteries, which is what the contract, money and carbon count.
    `pue`: facility over IT energy of the run; `pue_hours`: {low, median, high}: percentiles 5, 50, 95 over time.
    `compressors`: by class of coolant {on_s: bins with compressors on, full_load_s: as if at full load}.
    `limits`: seconds that IT power was within 5 % of what the site may draw, by what limits it; `over_s` beyond it.
    `levers`: see `_levers`.
    """
    facility = result.facility
    if facility is None:
        return {}
    series = site_series(result)
    done, total = deeds(result)
    found = {}
    for index, name in enumerate(result.fleet.sites):
        site = facility.sites[index]
        found[name] = {
            **{key.replace("_j", "_energy_j"): float(site[key]) for key in ("it_j", "facility_j", "grid_j")},
            **{key.replace("_j", "_energy_j"): float(site[key]) for key in ("loss_j", "cooling_j", "generator_j")},
            "water_l": float(site.water_l),
            "energy_usd": float(site.usd),
            "carbon_kg": float(site.co2_kg),
            "it_mean_w": _over(float(site.it_j), float(series.values["seconds"][index].sum())),
            "it_peak_bin_w": _most(series.mean("it_j")[index]),
            "facility_peak_bin_w": _most(series.mean("facility_j")[index]),
            "grid_peak_w": float(site.peak_w),
            "grid_ramp_w_per_s": float(site.ramp_w_per_s),
            "pue": _over(float(site.facility_j), float(site.it_j)),
            "pue_hours": _spread(series.ratio("facility_j", "it_j")[index]),
            "dry_bulb_c": _spread(series.mean("dry_c_s")[index]),
            "wet_bulb_c": _spread(series.mean("wet_c_s")[index]),
            "compressors": _compressors(series, index, _coolants(facility, index)),
            **_limits(series, index),
            "levers": _levers([deed for deed in done if deed.site == name], result.span_s),
        }
    if total:
        for name, row in found.items():
            mine = [deed.as_row() for deed in done if deed.site == name]
            row["deeds"] = {"of_all_sites": total, "remembered": len(done), "first": mine[:_DONE]}
    return found


def _compressors(series: SiteSeries, site: int, classes: Collection[str]) -> dict[str, dict[str, float]]:
    """Of the classes of coolant that the site has a plant for."""
    seconds = series.values["seconds"][site]
    found = {}
    for coolant, key in ((name, key) for name, key in COMPRESSORS.items() if name in classes):
        work = series.values[key][site]
        found[coolant] = {"on_s": float(seconds[work > _ON * seconds].sum()), "full_load_s": float(work.sum())}
    return found


def _coolants(facility: FacilityState, site: int) -> set[str]:
    """Classes of coolant that a site has a plant for."""
    first, count = int(facility.sites[site].first_plant), int(facility.sites[site].plant_count)
    return {COOLANTS[coolant] for coolant in facility.plants.coolant[first : first + count]}


def _limits(series: SiteSeries, site: int) -> dict[str, Any]:
    bound = {
        limit: float(series.values[key][site].sum())
        for limit, key in zip(LIMITS[1:], FACILITY_SERIES[FIRST_AT:], strict=True)
    }
    return {
        "limits": {limit: seconds for limit, seconds in sorted(bound.items(), key=lambda i: -i[1]) if seconds},
        "over_s": float(series.values["over_s"][site].sum()),
    }


def _levers(done: list[Deed], end_s: float) -> dict[str, dict[str, Any]]:
    """By lever that was used: {times, seconds with it in use anywhere, why: {limit: times}, on: {target: seconds}}."""
    found: dict[str, dict[str, Any]] = {}
    used = spans(done, end_s)
    for lever in LEVERS:
        mine = [(deed, seconds) for deed, seconds in used if deed.lever == lever]
        if mine:
            targets = {deed.target for deed, _ in mine}
            uses = [deed for deed, _ in mine if deed.watts >= 0]  # others let it go by a part
            found[lever] = {
                "times": len(uses),
                "seconds": seconds_covered((deed.time_s, seconds) for deed, seconds in mine),
                "why": dict(Counter(deed.why for deed in uses).most_common()),
                "on": {
                    target: seconds_covered((deed.time_s, s) for deed, s in mine if deed.target == target)
                    for target in sorted(targets)
                },
            }
    return found


def _spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float] | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, median, high = np.percentile(known, (5, 50, 95))
    return {"low": float(low), "median": float(median), "high": float(high)}


def _most(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(np.nanmax(values, initial=0.0))


def _over(value: float, base: float) -> float | None:
    return value / base if base else None
