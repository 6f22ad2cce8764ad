"""What went from replicas that compute prompts to those that decode, and from slow tiers to KV caches."""

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


def returns(result: Result) -> list[dict[str, Any]]:
    """For each pool to which prefixes came back from a slow tier: how many requests, tokens and seconds.

    `share`: of the prompt tokens of the pool's started requests. What came back after a preemption is in it, too.
    """
    started = ~np.isnan(result.start_s)
    rows = []
    for index in np.unique(result.pool[result.returned_tokens > 0]):
        mine = result.pool == index
        came = mine & (result.returned_tokens > 0)
        tokens = int(result.returned_tokens[came].sum(dtype=np.int64))
        prompts = int(result.trace.prompt_tokens[mine & started].sum(dtype=np.int64))
        rows.append(
            {
                "pool": list(result.fleet.pools)[index],
                "requests": int(came.sum()),
                "tokens": tokens,
                "share": tokens / prompts if prompts else None,
                "seconds": float(result.return_s[came].sum()),
                "return_s": spread(result.return_s[came]),
            }
        )
    return rows
