"""Several runs side by side: metrics, differences to the first run, and whether chance could explain them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.simulate import bootstrap
from meritorder.simulate.columns import latency
from meritorder.simulate.result import Status
from meritorder.simulate.service_level import Target, Verdict, judge
from meritorder.simulate.store import Run

Floats = npt.NDArray[np.float64]

METHOD = (
    f"95% intervals of the difference to the first run: circular moving-block bootstrap, {bootstrap.REPLICATES} "
    f"replicates of {bootstrap.CELLS // bootstrap.BLOCK_CELLS} blocks, each a "
    f"{bootstrap.CELLS // bootstrap.BLOCK_CELLS}th of the time of arrival (requests close in time share a queue, so "
    "they are not resampled one by one)."
)


@dataclass(frozen=True)
class Metric:
    """One row of the comparison: where its value stands in the summary and which direction is good."""

    key: str
    label: str
    unit: str  # s, share, x (a ratio), Wh (of joules), USD, J and the like, or "" for a count
    better: str  # lower, higher, or "" for neither
    path: tuple[str, ...]


def metrics(run: Run) -> list[Metric]:
    """The rows of a comparison, in the order a planner reads them."""
    attained = [
        Metric(f"slo_attainment.{name}", f"SLO attainment, {name}", "share", "higher", ("slo_attainment", name))
        for name in run.services
    ]
    latency = [
        Metric(f"{name}_s.{part}", f"{name.upper()} {part}", "s", "lower", (f"{name}_s", part))
        for name in ("ttft", "tpot", "e2e")
        for part in ("mean", "p50", "p99")
    ]
    return [
        *attained,
        Metric("usd_per_mtok", "Cost per million output tokens", "USD", "lower", ("usd_per_mtok",)),
        Metric("usd_per_good_mtok", "Cost per million within targets", "USD", "lower", ("usd_per_good_mtok",)),
        Metric("energy_j_per_output_token", "IT energy per output token", "J", "lower", ("energy_j_per_output_token",)),
        Metric("goodput.tokens_per_s", "Goodput", "tok/s", "higher", ("goodput", "tokens_per_s")),
        *latency,
        *_site_metrics(run),
        Metric("completed", "Completed", "", "higher", ("completed",)),
        Metric("hit_ratio", "Prefix hit ratio", "share", "higher", ("hit_ratio",)),
        Metric("preemptions", "Preemptions", "", "lower", ("preemptions",)),
    ]


def _site_metrics(run: Run) -> list[Metric]:
    """Of runs with a site model: what the fleet took from the grid and how near it came to its limits."""
    if not run.summary.get("sites"):
        return []
    of_services = [
        Metric(
            f"by_service.{name}.{key}", f"{label} per 1,000 tokens, {name}", unit, "lower", ("by_service", name, key)
        )
        for name in run.services
        for key, label, unit in (("j_per_ktok", "Facility energy", "J"), ("gco2_per_ktok", "Carbon", "g CO2"))
    ]
    of_sites = [
        Metric(f"sites.{name}.{key}", f"{label}, {name}", unit, "lower", ("sites", name, key))
        for name in run.summary["sites"]
        for key, label, unit in (("pue", "PUE", "x"), ("grid_peak_w", "Peak of grid power", "W"))
    ]
    return [
        Metric("facility_energy_j", "Facility energy", "Wh", "lower", ("facility_energy_j",)),
        Metric("carbon_kg", "Carbon", "kg CO2", "lower", ("carbon_kg",)),
        Metric("water_l", "Water", "L", "lower", ("water_l",)),
        Metric("lost", "Lost to faults", "", "lower", ("lost",)),
        Metric("shed", "Refused", "", "lower", ("shed",)),
        *of_services,
        *of_sites,
    ]


def same_trace(first: Run, other: Run) -> bool:
    """Whether two runs served the same requests, so that request i of one is request i of the other."""
    return all(
        np.array_equal(first.requests[key], other.requests[key])
        for key in ("prompt_tokens", "output_tokens", "service")
    )


def compare(runs: list[Run], seed: int = 0) -> dict[str, Any]:
    """Runs side by side, ready for JSON.

    `runs`: name, policy, seed of each; `paired`: whether each served the requests of the first;
    `metrics`: rows of {key, label, unit, better, values, differences}, where `differences` has, for every run but
    the first, {delta, relative, low, high, distinguishable}: the difference to the first run and its 95 %
    interval (None where there are fewer than `bootstrap.MIN_REQUESTS` completed requests);
    `distinguishable` is False where 0 lies in the interval, None where there is none.
    """
    first = runs[0]
    paired = [same_trace(first, run) for run in runs]
    # Runs on the same trace share their blocks; each of the others draws its own.
    shared = bootstrap.draw_weights(np.random.default_rng(seed))
    cells = bootstrap.cells_of(first.requests["arrival_s"], _last(first.requests["arrival_s"]))
    replicates = []
    for i, run in enumerate(runs):
        if paired[i]:
            replicates.append(_replicates(run, cells, shared))
        else:
            arrival = run.requests["arrival_s"]
            own = bootstrap.draw_weights(np.random.default_rng((seed, i)))
            replicates.append(_replicates(run, bootstrap.cells_of(arrival, _last(arrival)), own))
    rows = []
    for row in metrics(first):
        values = [_value(run, row) for run in runs]
        differences = [
            _difference(values[0], value, replicates[0].get(row.key), mine.get(row.key))
            for value, mine in zip(values[1:], replicates[1:], strict=True)
        ]
        rows.append(
            {"key": row.key, "label": row.label, "unit": row.unit, "better": row.better}
            | {"values": values, "differences": differences}
        )
    return {
        "runs": [{"name": r.name, "policy": r.summary["policy"], "seed": r.summary["seed"]} for r in runs],
        "paired": paired,
        "method": METHOD,
        "metrics": rows,
    }


def _last(arrival_s: Floats) -> float:
    """The last known arrival; 1 s where there is none or it is 0."""
    known = arrival_s[~np.isnan(arrival_s)]
    return float(known.max(initial=0.0)) or 1.0


def _value(run: Run, row: Metric) -> float | None:
    value: Any = run.summary
    for part in row.path:
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else float(value)


def _replicates(run: Run, cell: npt.NDArray[np.int32], weights: Floats) -> dict[str, Floats]:
    """Replicates of every metric that is made of requests; none for a run too small to resample."""
    requests = run.requests
    done = requests["status"] == Status.COMPLETED
    if done.sum() < bootstrap.MIN_REQUESTS:
        return {}
    slos = [row["slo"] for row in run.summary["by_service"].values()]
    verdicts = judge(requests, [Target(slo["ttft_s"], slo["token_rate"]) for slo in slos])
    ok = verdicts == Verdict.MET
    judged = verdicts != Verdict.NOT_JUDGED
    found: dict[str, Floats] = {}
    for i, name in enumerate(run.services):
        found[f"slo_attainment.{name}"] = bootstrap.share(weights, cell, ok, judged & (requests["service"] == i))
    for name in ("ttft_s", "tpot_s", "e2e_s"):
        values = latency(requests, name)
        found[f"{name}.mean"] = bootstrap.mean(weights, cell, values)
        found[f"{name}.p50"], found[f"{name}.p99"] = bootstrap.percentiles(weights, cell, values, (50.0, 99.0))
    everyone = np.ones(len(done), bool)
    found["completed"] = bootstrap.share(weights, cell, done, everyone) * len(done)
    tokens = requests["output_tokens"].astype(np.float64)
    good = bootstrap.per_cell(cell, tokens * (ok & done))
    found["goodput.tokens_per_s"] = weights @ good / run.span_s
    output = bootstrap.per_cell(cell, tokens * done)
    joules, usd = _spent(run, requests["arrival_s"])
    usd += _metered(run, cell, tokens + requests["prompt_tokens"])
    found["energy_j_per_output_token"] = bootstrap.ratio(weights, joules, output)
    found["usd_per_good_mtok"] = bootstrap.ratio(weights, usd * 1e6, good)
    found["usd_per_mtok"] = bootstrap.ratio(weights, usd * 1e6, output)
    started = ~np.isnan(requests["start_s"])
    hits = bootstrap.per_cell(cell, requests["hit_tokens"] * started)
    found["hit_ratio"] = bootstrap.ratio(weights, hits, bootstrap.per_cell(cell, requests["prompt_tokens"] * started))
    found["preemptions"] = weights @ bootstrap.per_cell(cell, requests["preemptions"])
    return found


def _spent(run: Run, arrival_s: Floats) -> tuple[Floats, Floats]:
    """IT joules and USD by cell; what is spent after the last arrival belongs to the last cell."""
    bins = run.series["energy_j"].shape[1]
    drawn = np.zeros((len(run.pools), bins + 1))
    np.cumsum(run.series["energy_j"], axis=1, out=drawn[:, 1:])
    edges = np.linspace(0.0, _last(arrival_s), bootstrap.CELLS + 1)
    edges[-1] = np.inf
    at_edge = np.array([np.interp(edges, run.bin_s * np.arange(bins + 1), row) for row in drawn])
    dynamic = np.diff(at_edge, axis=1)
    rows = run.summary["by_pool"].values()
    idle = np.array([[row["idle_energy_j"]] for row in rows]) / bootstrap.CELLS
    # Energy and its carbon cost the same per IT joule all the time; owning costs the same in every cell.
    price = np.array([[(row["energy_usd"] + row["carbon_usd"]) / (row["energy_j"] or 1.0)] for row in rows])
    owner = run.summary["costs"]["owner_usd"] / bootstrap.CELLS
    joules = dynamic + idle
    return joules.sum(axis=0), (joules * price).sum(axis=0) + owner


def _metered(run: Run, cell: npt.NDArray[np.int32], tokens: Floats) -> Floats:
    """USD that metered pools charge by cell, shared out by the tokens that were sent there."""
    usd = np.zeros(bootstrap.CELLS)
    for i, row in enumerate(run.summary["by_pool"].values()):
        if charged := row.get("metered_usd"):  # runs saved by earlier versions have none
            mine = (run.requests["pool"] == i) | (run.requests["decode_pool"] == i)
            here = bootstrap.per_cell(cell, tokens * mine)
            usd += charged * here / here.sum()
    return usd


def _difference(first: float | None, value: float | None, base: Floats | None, mine: Floats | None) -> dict[str, Any]:
    """One run against the first in one metric."""
    if first is None or value is None:
        return dict.fromkeys(("delta", "relative", "low", "high", "distinguishable"))
    delta = value - first
    bounds = bootstrap.interval(mine - base) if base is not None and mine is not None else None
    low, high = bounds if bounds else (None, None)
    return {
        "delta": delta,
        "relative": delta / first if first else None,
        "low": low,
        "high": high,
        "distinguishable": not bounds[0] <= 0.0 <= bounds[1] if bounds else None,
    }
