"""What went from replicas that compute prompts to those that decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder.simulate.spread import spread

if TYPE_CHECKING:
    from meritorder.simulate.result import Result


def decoded_in(result: Result) -> npt.NDArray[np.int32]:
    """The pool that made each request's tokens after the first (n); -1 where it was never dispatched."""
    return np.where(result.decode_pool >= 0, result.decode_pool, result.pool)


def transfers(result: Result) -> list[dict[str, Any]]:
    """For each pair of pools the KV caches that went from one to the other and the time it took (see `spread`)."""
    pools = list(result.fleet.pools)
    sent = (result.decode_pool >= 0) & ~np.isnan(result.transfer_s)
    pairs = np.unique(np.stack([result.pool[sent], result.decode_pool[sent]]), axis=1).T
    rows = []
    for start, end in pairs:
        seconds = result.transfer_s[sent & (result.pool == start) & (result.decode_pool == end)]
        row = {"prefill": pools[start], "decode": pools[end], "requests": len(seconds), "transfer_s": spread(seconds)}
        rows.append(row)
    return rows
