"""Figures of sites over time: power and what it may be, PUE, temperatures, price and carbon, limits and levers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.facility.state import FACILITY_SERIES, FIRST_AT, LIMITS
from meritorder.report.curves import clock, rounded
from meritorder.report.figures import Figure
from meritorder.simulate.site_series import spans
from meritorder.simulate.store import Run
from meritorder.units import JOULES_PER_KWH

Floats = npt.NDArray[np.float64]

MOST = 6  # sites with figures of their own, those that took most energy
_POWER_NOTE = "IT: machines; facility: with losses and cooling; IT, at most: what limits allow"
_DEEDS = {"move": "moved away", "cap": "capped", "hold": "held", "shed": "refused"}


def shown_sites(run: Run) -> list[tuple[int, str]]:
    """Index and name of the sites that took most, in the fleet's order."""
    rows = run.summary["sites"]
    foremost = sorted(rows, key=lambda name: -rows[name]["facility_energy_j"])[:MOST]
    return [(index, name) for index, name in enumerate(rows) if name in foremost]


def site_figures(run: Run, index: int, name: str) -> list[Figure]:
    """Power, temperatures and compressors of one site."""
    series = run.sites
    watts = {
        "IT": series.mean("it_j")[index],
        "facility": series.mean("facility_j")[index],
        "IT, at most": series.mean("allowed_it_j")[index],
    }
    grid = series.mean("grid_j")[index]
    if not np.allclose(grid, watts["facility"], rtol=1e-3, equal_nan=True):
        watts["grid"] = grid
    made = [
        _over_time(
            run,
            f"Power, {name}",
            _POWER_NOTE,
            watts,
            "W",
        )
    ]
    warm = {"dry bulb": series.mean("dry_c_s")[index], "wet bulb": series.mean("wet_c_s")[index]}
    for label, key in (("air", "air"), ("21 C liquid", "21"), ("45 C liquid", "45")):
        supply = series.mean(f"supply_{key}_c_s")[index]
        if np.nanmax(np.abs(supply), initial=0.0) > 0:
            warm[f"supply, {label}"] = supply
    made.append(
        _over_time(run, f"Temperatures, {name}", "Outside, and what each plant sends out, before CDUs", warm, " °C")
    )
    return made


def sites_figures(run: Run) -> list[Figure]:
    """All sites together: PUE, price, carbon and compressors."""
    series = run.sites
    shown = shown_sites(run)
    pue, price, carbon = (
        series.ratio("facility_j", "it_j"),
        series.ratio("usd", "grid_j") * JOULES_PER_KWH * 1e3,
        series.ratio("co2_kg", "grid_j") * JOULES_PER_KWH * 1e3,
    )
    made = [
        _over_time(
            run, "PUE, by site", "Facility power over IT power", {name: pue[i] for i, name in shown}, "", zero=False
        ),
        _over_time(run, "Price, by site", "USD per MWh of what was used", {name: price[i] for i, name in shown}, ""),
        _over_time(
            run, "Carbon, by site", "g CO2 per kWh of what was used", {name: carbon[i] for i, name in shown}, ""
        ),
    ]
    work: dict[str, Floats] = {}
    for i, name in shown:
        for label, key in (("air", "air"), ("21 C", "21"), ("45 C", "45")):
            part = 100.0 * series.mean(f"compressor_{key}_s")[i]
            if np.nanmax(part, initial=0.0) > 0.05:
                work[f"{name}, {label}"] = part
    if work:
        note = "Heat through compressors, as part of the plant's design heat; the rest leaves without them"
        made.append(_over_time(run, "Compressors, by site and coolant", note, work, "%"))
    return made


def timeline_figure(run: Run) -> Figure | None:
    """When each site was at a limit, and when its controller used which lever on what; None where neither was."""
    size, unit = clock(run.span_s)
    bars: dict[str, list[tuple[str, float, float]]] = {}
    for index, name in enumerate(run.summary["sites"]):
        for limit, key in zip(LIMITS[1:], FACILITY_SERIES[FIRST_AT:], strict=True):
            for start, length in _stretches(run.sites.values[key][index] > 0, run.sites.bin_s, run.span_s):
                bars.setdefault("at its limit", []).append((f"{name}: {limit}", start, length))
    for deed, length in spans(run.deeds, run.span_s):
        label = f"{deed.site}: {deed.target} {_DEEDS[deed.lever]}"
        bars.setdefault(_DEEDS[deed.lever], []).append((label, deed.time_s, length))
    if not bars:
        return None
    data: list[dict[str, Any]] = []
    for slot, (kind, rows) in enumerate(bars.items()):
        data.append(
            {"type": "bar", "orientation": "h", "name": kind, "meta": {"slot": slot}}
            | {"y": [label for label, _, _ in rows], "base": rounded([start / size for _, start, _ in rows])}
            | {"x": rounded([length / size for _, _, length in rows])}
            | {"hovertemplate": f"from %{{base:.4~g}} {unit} for %{{x:.4~g}} {unit}"}
        )
    layout = {
        "barmode": "overlay",
        "xaxis": {"title": {"text": f"Time, {unit}"}, "range": [0, run.span_s / size]},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    labels = {label for rows in bars.values() for label, _, _ in rows}
    note = "What limited each site (within 5 % of it), and what its controller did to pools and services."
    return Figure("Limits and levers", note, data, layout, 130 + 26 * len(labels))


def _stretches(on: npt.NDArray[np.bool_], bin_s: float, span_s: float) -> list[tuple[float, float]]:
    """Start and length of the runs of bins that are on."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    pairs = zip(edges[::2] * bin_s, edges[1::2] * bin_s, strict=True)
    return [(float(start), float(min(stop, span_s) - start)) for start, stop in pairs]


def _over_time(run: Run, title: str, note: str, curves: dict[str, Floats], suffix: str, *, zero: bool = True) -> Figure:
    size, unit = clock(run.span_s)
    step = {"x0": run.sites.bin_s / size / 2, "dx": run.sites.bin_s / size, "type": "scatter", "mode": "lines+markers"}
    data = [
        step | {"name": label, "y": rounded(values), "meta": {"slot": slot}}
        for slot, (label, values) in enumerate(curves.items())
    ]
    axis: dict[str, Any] = {"rangemode": "tozero" if zero else "normal", "ticksuffix": suffix}
    if suffix == "W":
        axis["tickformat"] = "~s"
    time = {"title": {"text": f"Time, {unit}"}, "range": [0, run.span_s / size]}
    return Figure(title, f"{note}; mean of each bin", data, {"xaxis": time, "yaxis": axis}, 260)
