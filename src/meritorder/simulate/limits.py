"""What limited what: how long each pool was at a bound, and why requests missed their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.simulate.series import bin_widths, per_second, waiting_s
from meritorder.simulate.service_level import CAUSES, Verdicts

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

# A pool counts as at a bound in a bin whose mean reaches this share of the bound.
_AT_BOUND = 0.95
# A pool counts as idle in a bin in which its replicas ran for less than this share of the time.
_IDLE = 0.05


def pool_limits(result: Result) -> dict[str, dict[str, object]]:
    """By pool: shares of the time (by bins) at a bound, the foremost bound, and a sentence.

    A bin counts as `kv_full` where the pool's mean KV occupancy reaches 95 %, as `sequences_full` where the mean
    of running sequences reaches 95 % of the engines' maximum, as `busy` where replicas ran 95 % of the time, as
    `waiting` where on average at least one request a replica waited in the engine's queue, as `idle` below 5 % busy.
    `limit` is what was full for at least half of the waiting time, else `compute`; `idle` or `none` where nobody
    waited. These are means over a pool: one full replica among empty ones does not show. KV tokens are the contexts
    of running sequences, so that a prefix shared by several counts for each.
    """
    series = result.series
    bins = series["busy_s"].shape[1]
    widths = bin_widths(bins, result.bin_s, result.span_s)
    pools = result.fleet.pools
    replicas = np.array([[pool.replicas] for pool in pools.values()], np.float64)
    kv_tokens = np.array([[r.kv_tokens] for r in result.replicas], np.float64) * replicas
    sequences = np.array([[r.table.max_sequences] for r in result.replicas], np.float64) * replicas
    busy = per_second(series["busy_s"], widths) / replicas
    kept = per_second(series["kv_token_s"], widths)
    running = per_second(series["running_s"], widths)
    at_bound = {
        "kv_full": (kept >= _AT_BOUND * kv_tokens) & (kv_tokens > 0),
        "sequences_full": running >= _AT_BOUND * sequences,
        "waiting": per_second(waiting_s(result, bins), widths) >= replicas,
        "busy": busy >= _AT_BOUND,
        "idle": busy < _IDLE,
    }
    # While requests waited, what was full? Where nothing was, they waited for computing.
    at_bound["kv_full_waiting"] = at_bound["kv_full"] & at_bound["waiting"]
    at_bound["sequences_full_waiting"] = at_bound["sequences_full"] & at_bound["waiting"]
    shares = {name: (mask * widths).sum(axis=1) / max(widths.sum(), 1e-300) for name, mask in at_bound.items()}
    found: dict[str, dict[str, object]] = {}
    for i, name in enumerate(pools):
        row = {f"{key}_share": float(share[i]) for key, share in shares.items()}
        limit, text = _foremost(row)
        found[name] = {**row, "limit": limit, "text": text}
    return found


def _foremost(row: dict[str, float]) -> tuple[str, str]:
    """What limited a pool most, and a sentence; `none` where nothing did for 1 % of the time."""
    waiting = row["waiting_share"]
    if waiting >= 0.01:
        head = f"requests waiting {waiting:.0%} of the time"
        for limit, key, words in (
            ("KV cache", "kv_full", "KV cache"),
            ("sequences", "sequences_full", "all sequences"),
        ):
            part = row[f"{key}_waiting_share"] / waiting
            if part >= 0.5:
                return limit, f"{head}, {words} full in {part:.0%} of that"
        return "compute", f"{head}, for computing"
    if row["idle_share"] > 0.5:
        return "idle", f"idle {row['idle_share']:.0%} of the time"
    return "none", "no bound reached"


def miss_causes(verdicts: Verdicts) -> dict[str, object]:
    """For the requests of one service: `misses`, their number by cause, the most frequent first, and a sentence."""
    counts = np.bincount(verdicts, minlength=max(CAUSES) + 1)
    causes = {text: int(counts[verdict]) for verdict, text in CAUSES.items() if counts[verdict]}
    ordered = dict(sorted(causes.items(), key=lambda item: -item[1]))
    misses = sum(ordered.values())
    text = ", ".join(f"{cause} {count / misses:.0%}" for cause, count in ordered.items() if count >= 0.01 * misses)
    return {"misses": misses, "causes": ordered, "text": text or "no misses"}
