"""Columns of a run thinned to what a figure needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.simulate.series import bin_widths, counts_per_bin, per_second
from meritorder.simulate.store import Run

Floats = npt.NDArray[np.float64]

MOST = 8  # pools or services with a curve of their own; the others are too many to tell apart

# Shares at which a distribution is drawn: evenly, and finer in the tail that service levels are about.
_SHARES = np.concatenate([np.linspace(0, 0.9, 61), np.linspace(0.9, 0.99, 28)[1:], np.linspace(0.99, 1, 21)[1:]])


def rounded(values: npt.ArrayLike, digits: int = 4) -> list[float | None]:
    """Values with so many significant digits, ready for JSON (None for NaN)."""
    data = np.asarray(values, np.float64)
    size = np.where(np.isfinite(data) & (data != 0), np.abs(data), 1.0)
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(size)))
    return [None if v != v else v for v in (np.round(data * scale) / scale).tolist()]


def distribution(values: Floats) -> tuple[list[float | None], list[float | None]] | None:
    """The share of the known values (in percent, second) that are at most so large (first); None without any."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    at = np.maximum(np.quantile(known, _SHARES), 1e-6)  # a logarithmic axis has no 0
    return rounded(at), rounded(_SHARES * 100, 5)


def foremost(weights: npt.ArrayLike) -> list[int]:
    """The `MOST` indices with the greatest weights, in their own order."""
    return sorted(np.argsort(-np.asarray(weights, np.float64), kind="stable")[:MOST].tolist())


def pool_series(run: Run) -> dict[str, list[tuple[str, list[float | None]]]]:
    """Quantity -> (pool, mean of each bin) for the pools that drew most; the others are one curve together.

    `busy`: share of the replicas' time in percent; `running`, `waiting`: requests; `kv`: KV occupancy in percent;
    `power`: IT watts, idle included; `output`: tokens produced a second.
    """
    rows = list(run.summary["by_pool"].values())
    widths = bin_widths(run.series["busy_s"].shape[1], run.bin_s, run.span_s)
    shown = foremost([row["energy_j"] for row in rows])
    groups = [([i], run.pools[i]) for i in shown]
    rest = [i for i in range(len(rows)) if i not in shown]
    if rest:
        groups.append((rest, f"{len(rest)} other pools"))
    found: dict[str, list[tuple[str, list[float | None]]]] = {}
    capacity = {
        "busy": np.array([row["replicas"] for row in rows]) / 100.0,
        "kv": np.array([row["kv_tokens"] for row in rows]) / 100.0,
    }
    idle_w = np.array([row["idle_energy_j"] for row in rows]) / max(run.span_s, 1e-9)
    sources = {"busy": "busy_s", "running": "running_s", "waiting": "waiting_s", "kv": "kv_token_s"}
    for name, key in (sources | {"power": "energy_j", "output": "output_tokens"}).items():
        curves = []
        for members, label in groups:
            values = per_second(run.series[key][members].sum(axis=0), widths)
            if name in capacity:
                values = values / max(float(capacity[name][members].sum()), 1e-9)
            if name == "power":
                values = values + idle_w[members].sum()
            values[widths == 0] = np.nan
            curves.append((label, rounded(values)))
        found[name] = curves
    return found


def arrivals(run: Run) -> list[tuple[str, list[float | None]]]:
    """(service, requests a second in each bin)."""
    bins = run.series["busy_s"].shape[1]
    widths = bin_widths(bins, run.bin_s, run.span_s)
    sent = [run.requests["arrival_s"][run.requests["service"] == i] for i in range(len(run.services))]
    shown = foremost([len(times) for times in sent])
    return [
        (run.services[i], rounded(per_second(counts_per_bin(sent[i], bins, run.bin_s).astype(np.float64), widths)))
        for i in shown
    ]


def clock(span_s: float) -> tuple[float, str]:
    """The unit of a time axis: seconds in it and its name."""
    for size, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if span_s >= 3 * size:
            return size, name
    return 1.0, "seconds"


def group_values(run: Run, name: str, values: Floats, by: str) -> list[tuple[int, str, Floats]]:
    """(index, name, values) of each service or pool with a curve of its own; `name`: the latency that they are."""
    names: tuple[str, ...] = run.services if by == "service" else run.pools
    column: npt.NDArray[Any] = run.requests[by]
    if by == "pool" and name != "ttft_s":
        # of a request that two pools share, the second one made all tokens but the first
        column = np.where(run.requests["decode_pool"] >= 0, run.requests["decode_pool"], column)
    shown = foremost(np.bincount(column[column >= 0], minlength=len(names)))
    return [(i, names[i], values[column == i]) for i in shown]
