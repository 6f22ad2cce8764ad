"""Where the requests of each service went, and why the policy chose so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from meritorder.dispatch.reasons import REASONS

if TYPE_CHECKING:
    from meritorder.simulate.result import Result


def routing(result: Result) -> dict[str, dict[str, dict[str, Any]]]:
    """Service -> pool -> how many requests went there and for which reasons; pairs without requests left out."""
    pools = list(result.fleet.pools)
    reasons = max(len(REASONS), int(result.reason.max(initial=0)) + 1)
    shape = (len(result.fleet.services), len(pools), reasons)
    sent = result.pool >= 0
    cell = result.service[sent] * np.int32(len(pools) * reasons) + result.pool[sent] * np.int32(reasons)
    cell += result.reason[sent]
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    table: dict[str, dict[str, dict[str, Any]]] = {}
    for i, service in enumerate(result.fleet.services):
        table[service] = {
            pool: {
                "requests": int(counts[i, j].sum()),
                "reasons": {_phrase(k): int(c) for k, c in enumerate(counts[i, j]) if c},
            }
            for j, pool in enumerate(pools)
            if counts[i, j].any()
        }
    return table


def _phrase(reason: int) -> str:
    return REASONS[reason] if reason < len(REASONS) else f"reason {reason}"
