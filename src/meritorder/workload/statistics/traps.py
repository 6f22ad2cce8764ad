"""Signs in the numbers of a trace that a careful reader would want to be told about."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.workload.statistics.measures import spearman
from meritorder.workload.trace import Floats, Trace

# Real request traces have |Spearman| <= 0.1; only constructed ones are far off.
_STRONG_CORRELATION = 0.4


def traps(trace: Trace) -> list[str]:
    """One sentence for each thing that looks recorded on a grid, capped, doubled or invented."""
    clock = trace.arrival_s[trace.after < 0]
    clock = clock[~np.isnan(clock)]
    grid = grid_step(clock)
    found = []
    if grid:
        found.append(
            f"timestamps sit on a {grid:g} s grid ({len(np.unique(clock)):,} different values for {len(clock):,} "
            f"arrivals): spread them inside it (jitter) before judging anything shorter than {grid:g} s"
        )
    found += _invented_arrivals(clock, grid)
    found += _duplicates(trace, grid)
    for name, tokens in (("prompt", trace.prompt_tokens), ("output", trace.output_tokens)):
        found += _invented_lengths(name, tokens) or _pile_ups(name, tokens)
    rho = spearman(trace.prompt_tokens, trace.output_tokens)
    if rho is not None and abs(rho) > _STRONG_CORRELATION and len(trace) >= 100:
        found.append(f"prompt and output lengths have rank correlation {rho:.2f}: real request traces have about 0")
    return found


def grid_step(arrival_s: Floats) -> float | None:
    """Seconds of the regular grid that the arrivals stand on; None where they don't.

    A grid needs at least 10 ms steps and more arrivals than places, else a clock's resolution would count.
    """
    places = np.unique(arrival_s)
    if len(places) < 3 or len(places) > 0.5 * len(arrival_s):
        return None
    steps = np.diff(places)
    step = float(np.median(steps))
    if step < 0.01:
        return None
    multiples = steps / step
    on_grid = np.abs(multiples - np.round(multiples)) < 0.01
    return round(step, 3) if on_grid.mean() > 0.99 else None


def _invented_arrivals(arrival_s: Floats, grid: float | None) -> list[str]:
    gaps = np.diff(arrival_s)
    if grid or len(gaps) < 20 or gaps.mean() <= 0 or gaps.std() > 0.01 * gaps.mean():
        return []
    return [f"one arrival every {gaps.mean():.4g} s exactly: no real traffic looks like that"]


def _duplicates(trace: Trace, grid: float | None) -> list[str]:
    sessions = _doubled_sessions(trace)
    if sessions:
        return [f"{sessions:,} sessions repeat another one exactly, call by call: they count double"]
    if grid or len(trace) < 2:
        return []
    clock = ~np.isnan(trace.arrival_s)
    rows = np.empty(int(clock.sum()), [("t", "f8"), ("p", "i4"), ("o", "i4")])
    rows["t"], rows["p"], rows["o"] = trace.arrival_s[clock], trace.prompt_tokens[clock], trace.output_tokens[clock]
    # Arrivals are nearly sorted by time, so equal rows are neighbours once ties are ordered.
    order = np.lexsort((rows["o"], rows["p"], rows["t"]))
    ordered = rows[order]
    doubled = int((ordered[1:] == ordered[:-1]).sum())
    # A few equal rows of millions are chance.
    if doubled <= 1e-4 * len(trace):
        return []
    return [f"{doubled:,} requests repeat another one exactly (time and both lengths)"]


def _doubled_sessions(trace: Trace) -> int:
    """Sessions of at least three calls whose lengths equal those of an earlier one."""
    if not (trace.session >= 0).any():
        return 0
    order = np.argsort(trace.session, kind="stable")
    order = order[trace.session[order] >= 0]
    pairs = np.column_stack((trace.prompt_tokens[order], trace.output_tokens[order]))
    borders = np.flatnonzero(np.diff(trace.session[order])) + 1
    seen: set[bytes] = set()
    doubled = 0
    for part in np.split(pairs, borders):
        if len(part) >= 3:
            key = part.tobytes()
            doubled += key in seen
            seen.add(key)
    return doubled


def _invented_lengths(name: str, tokens: npt.NDArray[np.int32]) -> list[str]:
    if len(tokens) < 20:
        return []
    low, high = int(tokens.min()), int(tokens.max())
    if low == high:
        return [f"every {name} has {low:,} tokens: invented, or not recorded"]
    ordered = np.sort(tokens)
    uniform = (ordered - low + 1) / (high - low + 1)
    distance = np.abs(uniform - np.arange(1, len(tokens) + 1) / len(tokens)).max()
    if high - low >= 20 and distance < 1.6 / np.sqrt(len(tokens)):  # Kolmogorov-Smirnov, about 1 %
        return [f"{name} lengths are spread evenly over {low:,} to {high:,} tokens: they look invented"]
    return []


def _pile_ups(name: str, tokens: npt.NDArray[np.int32]) -> list[str]:
    """Caps: a narrow band in the upper part where far more requests end than around it (outputs: at the end only)."""
    if len(tokens) < 200:
        return []
    values, counts = np.unique(tokens, return_counts=True)
    cumulative = np.concatenate(([0], np.cumsum(counts)))

    def within(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        first = np.searchsorted(values, low, side="left")
        result: npt.NDArray[np.int64] = cumulative[np.searchsorted(values, high, side="right")] - cumulative[first]
        return result

    v = values.astype(np.float64)
    width = np.maximum(np.round(v * 0.01), 1)
    inside = within(v - width, v)
    # Compared with the mean of five equally wide bands above and below.
    above = within(v + width, v + 6 * width) / 5
    below = within(v - 7 * width, v - 2 * width - 1) / 5
    piles = (inside >= 0.02 * len(tokens)) & (inside > 5 * above) & (inside > 3 * below)
    piles[: np.searchsorted(np.cumsum(counts), 0.9 * len(tokens))] = False
    if name == "output":
        piles[:-1] = False
    if not piles.any():
        return []
    best = int(np.argmax(np.where(piles, inside, -1)))
    at_end = "the tail beyond is missing" if values[best] == values[-1] else "don't fit a smooth tail through it"
    return [
        f"{inside[best] / len(tokens):.1%} of the {name}s pile up at {int(v[best] - width[best]):,} to "
        f"{values[best]:,} tokens, like at a context cap: {at_end}"
    ]
