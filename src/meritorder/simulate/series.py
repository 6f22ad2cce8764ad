"""What the binned series of a run say about pools over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]

# Requests handled at a time: the temporary arrays stay small.
_CHUNK = 1 << 16


def bin_widths(bins: int, bin_s: float, span_s: float) -> Floats:
    """Seconds of each bin (bins) that lie in the run: the last ones end with it."""
    return np.clip(span_s - bin_s * np.arange(bins), 0.0, bin_s)


def per_second(integral: Floats, widths: Floats) -> Floats:
    """The mean over each bin of an integral per bin [..., bins]; 0 in bins after the end of the run."""
    out = np.zeros_like(integral, dtype=np.float64)
    return np.divide(integral, widths, out=out, where=np.broadcast_to(widths > 0, integral.shape))


def waiting_s(result: Result, bins: int) -> Floats:
    """Integral of the requests that wait in the queues of the engines, [pools, bins], request-seconds.

    A request waits from when the engine sees it (network and front end passed) until it is first scheduled, or
    until it ends where it never is (the client gave up).
    """
    pools = len(result.fleet.pools)
    waited = np.zeros((pools, bins + 1))
    for low in range(0, len(result.status), _CHUNK):
        part = slice(low, low + _CHUNK)
        start, finish, pool = result.start_s[part], result.finish_s[part], result.pool[part]
        left = np.where(np.isnan(start), finish, start)
        entered = np.fmin(result.arrival_s[part] + _way_in_s(result, part), left)
        waited += _ramp(pool, entered, pools, bins, result.bin_s) - _ramp(pool, left, pools, bins, result.bin_s)
    return np.maximum(np.diff(waited, axis=1), 0.0)


def _way_in_s(result: Result, part: slice) -> Floats:
    """Seconds between the sending of requests and their engine's seeing them: half a round trip and the front end."""
    pools = result.fleet.pools.values()
    sites = [result.fleet.sites[pool.site] for pool in pools]
    regions = result.trace.regions
    half_trip = np.array([[s.round_trip_s(r) / 2 for r in regions] for s in sites], np.float64)
    front = [replica.front_end_s(pool.engine) for pool, replica in zip(pools, result.replicas, strict=True)]
    per_request, per_token = np.array(front, np.float64).T
    pool = result.pool[part]
    delay: Floats = per_token[pool] * result.trace.prompt_tokens[part]
    delay += per_request[pool] + half_trip[pool, result.trace.region[part]]
    return delay


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
