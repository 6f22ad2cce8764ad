"""What the binned series of a run say about pools over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]


def bin_widths(bins: int, bin_s: float, span_s: float) -> Floats:
    """Seconds of each bin (bins) that lie in the run: the last ones end with it."""
    return np.clip(span_s - bin_s * np.arange(bins), 0.0, bin_s)


def per_second(integral: Floats, widths: Floats) -> Floats:
    """The mean over each bin of an integral per bin [..., bins]; 0 in bins after the end of the run."""
    out = np.zeros_like(integral, dtype=np.float64)
    return np.divide(integral, widths, out=out, where=np.broadcast_to(widths > 0, integral.shape))


def waiting_s(result: Result, bins: int) -> Floats:
    """Integral of the requests between arrival and first being scheduled, [pools, bins], request-seconds.

    Requests that were dispatched and never scheduled (the client gave up) wait until they end.
    """
    pools = len(result.fleet.pools)
    entered = _ramp(result.pool, result.arrival_s, pools, bins, result.bin_s)
    left_s = np.where(np.isnan(result.start_s), result.finish_s, result.start_s)
    left = _ramp(result.pool, left_s, pools, bins, result.bin_s)
    return np.maximum(np.diff(entered - left, axis=1), 0.0)


def _ramp(pool: npt.NDArray[np.int32], time_s: Floats, pools: int, bins: int, bin_s: float) -> Floats:
    """Sum over requests of max(edge - time, 0) at the edges of the bins, [pools, bins + 1]."""
    known = (pool >= 0) & ~np.isnan(time_s)
    # Beyond the last edge a request adds nothing: the extra cell collects those.
    cell = np.clip(time_s[known] / bin_s, 0, bins).astype(np.int32)
    cell += pool[known] * np.int32(bins + 1)
    size = pools * (bins + 1)
    count = np.bincount(cell, minlength=size).reshape(pools, bins + 1)[:, :bins].cumsum(axis=1)
    total = np.bincount(cell, time_s[known], minlength=size).reshape(pools, bins + 1)[:, :bins].cumsum(axis=1)
    ramp = np.zeros((pools, bins + 1))
    ramp[:, 1:] = bin_s * np.arange(1, bins + 1) * count - total
    return ramp


def counts_per_bin(time_s: Floats, bins: int, bin_s: float) -> npt.NDArray[np.int64]:
    """How many times fall into each bin (bins); unknown (NaN) times are left out."""
    known = time_s[~np.isnan(time_s)]
    return np.bincount(np.clip(known / bin_s, 0, bins - 1).astype(np.int32), minlength=bins)
