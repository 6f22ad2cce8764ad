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
    `waiting` where on average at least one request a replica waited, as `idle` below 5 % busy. These are means
    over a pool: one full replica among empty ones does not show.
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
    shares = {name: (mask * widths).sum(axis=1) / max(widths.sum(), 1e-300) for name, mask in at_bound.items()}
    found: dict[str, dict[str, object]] = {}
    for i, name in enumerate(pools):
        row = {f"{key}_share": float(share[i]) for key, share in shares.items()}
        limit = _foremost(row)
        found[name] = {**row, "limit": limit, "text": _pool_text(limit, row)}
    return found


def _foremost(row: dict[str, float]) -> str:
    """The bound that a pool met longest; `none` where it met none for 1 % of the time."""
    if row["idle_share"] > 0.5:
        return "idle"
    hard = {"KV cache": row["kv_full_share"], "sequences": row["sequences_full_share"]}
    name = max(hard, key=lambda key: hard[key])
    if hard[name] >= 0.01:
        return name
    return "compute" if row["waiting_share"] >= 0.01 else "none"


def _pool_text(limit: str, row: dict[str, float]) -> str:
    texts = {
        "idle": f"idle {row['idle_share']:.0%} of the time",
        "KV cache": f"KV cache full {row['kv_full_share']:.0%} of the time",
        "sequences": f"at its maximum of sequences {row['sequences_full_share']:.0%} of the time",
        "compute": f"requests waiting {row['waiting_share']:.0%} of the time",
        "none": "no bound reached",
    }
    return texts[limit]


def miss_causes(verdicts: Verdicts) -> dict[str, object]:
    """For the requests of one service: `misses`, their number by cause, the most frequent first, and a sentence."""
    counts = np.bincount(verdicts, minlength=max(CAUSES) + 1)
    causes = {text: int(counts[verdict]) for verdict, text in CAUSES.items() if counts[verdict]}
    ordered = dict(sorted(causes.items(), key=lambda item: -item[1]))
    misses = sum(ordered.values())
    text = ", ".join(f"{cause} {count / misses:.0%}" for cause, count in ordered.items() if count >= 0.01 * misses)
    return {"misses": misses, "causes": ordered, "text": text or "no misses"}
