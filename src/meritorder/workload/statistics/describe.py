"""Everything worth knowing about a trace, in one dictionary: arrivals, lengths, sessions, prefix reuse, warnings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meritorder.workload.statistics.measures import arrival_statistics, length_statistics, spearman, weighted_quantiles
from meritorder.workload.statistics.prefix import Reuse, hit_curve, reuse, reuse_gaps
from meritorder.workload.statistics.traps import traps
from meritorder.workload.trace import Longs, Trace

# Sizes of the published Mooncake table: 1,000 to 100,000 blocks of 512 tokens.
CACHE_TOKENS = (512_000, 1_024_000, 2_560_000, 5_120_000, 10_240_000, 25_600_000, 51_200_000)


def describe(trace: Trace, cache_tokens: Sequence[int] = CACHE_TOKENS) -> dict[str, object]:
    """Statistics of `trace`, ready for JSON (definitions: `statistics`, `prefix`).

    `cache_tokens` are the LRU prefix cache sizes that get a hit ratio. Where a trace is closed loop, "arrivals"
    speaks about what starts by the clock (the first calls of sessions) and gaps are those of the recording.
    """
    clock = trace.arrival_s[trace.after < 0]
    prompt, output = trace.prompt_tokens, trace.output_tokens
    found, problem = None, None
    if trace.has_blocks and len(trace.blocks):
        try:
            found = reuse(trace)
        except ValueError as error:
            problem = str(error)
    produced = float(output.sum(dtype=np.int64))
    return {
        "source": trace.source,
        "requests": len(trace),
        "span_s": trace.duration_s,
        "closed_loop": trace.closed_loop,
        "services": {
            name: int(count)
            for name, count in zip(
                trace.services, np.bincount(trace.service, minlength=len(trace.services)), strict=False
            )
        },
        "arrivals": arrival_statistics(np.sort(clock[~np.isnan(clock)])),
        "prompt_tokens": length_statistics(prompt),
        "output_tokens": length_statistics(output),
        "spearman": spearman(prompt, output),
        "in_per_out": float(prompt.sum(dtype=np.int64)) / produced if produced else None,
        "sessions": _sessions(trace, found),
        "prefix": _prefix(trace, found, cache_tokens) if found else None,
        "warnings": [*trace.warnings, *([problem] if problem else []), *_new(traps(trace), trace.warnings)],
    }


def _new(found: list[str], known: tuple[str, ...]) -> list[str]:
    """Without what the reader has said already: that timestamps stand on a grid."""
    return [text for text in found if not (" s grid" in text and any(" s grid" in other for other in known))]


def _sessions(trace: Trace, found: Reuse | None) -> dict[str, object] | None:
    """Requests per session, gaps between a session's calls, and how much of each session's prompts was cached."""
    members = np.flatnonzero(trace.session >= 0)
    if not len(members):
        return None
    # By session, then in trace order, which is the order of the recording inside a session.
    members = members[np.argsort(trace.session[members], kind="stable")]
    session = trace.session[members]
    later = np.concatenate(([False], session[1:] == session[:-1]))
    sizes = np.unique(session, return_counts=True)[1]
    gaps = np.diff(trace.arrival_s[members])[later[1:]]
    gaps = gaps[~np.isnan(gaps)]
    p50, p90 = np.percentile(sizes, [50, 90])
    result: dict[str, object] = {
        "count": len(sizes),
        "requests": {"mean": float(sizes.mean()), "p50": float(p50), "p90": float(p90), "max": int(sizes.max())},
        "gap_s": None
        if not len(gaps)
        else {
            "p50": float(np.median(gaps)),
            "over_1min": float((gaps > 60).mean()),
            "over_5min": float((gaps > 300).mean()),
            "over_1h": float((gaps > 3600).mean()),
        },
    }
    if found is not None:
        result |= _session_reuse(trace, found.hit_tokens_by_request(len(trace)), members, later)
    return result


def _session_reuse(trace: Trace, hit: Longs, members: Longs, later: np.ndarray) -> dict[str, object]:
    prompt = trace.prompt_tokens[members].astype(np.float64)
    index = np.cumsum(~later) - 1
    ratio = np.bincount(index, hit[members]) / np.maximum(np.bincount(index, prompt), 1)
    new = (prompt - hit[members])[later]
    result: dict[str, object] = {
        "hit_ratio": dict(zip(("p5", "p50", "p95"), np.percentile(ratio, [5, 50, 95]).tolist(), strict=True))
    }
    if later.any():
        result["hit_ratio_after_first_call"] = float(hit[members][later].sum() / max(prompt[later].sum(), 1))
        result["new_tokens_after_first_call"] = dict(
            zip(("p50", "p90", "p99"), np.percentile(new, [50, 90, 99]).tolist(), strict=True)
        )
    return result


def _prefix(trace: Trace, found: Reuse, cache_tokens: Sequence[int]) -> dict[str, object]:
    total = int(trace.prompt_tokens.sum(dtype=np.int64))
    capacities = [tokens // trace.block_tokens for tokens in cache_tokens]
    touches = np.bincount(trace.blocks, minlength=trace.unique_blocks)
    again = np.sort(touches - 1)[::-1]
    gaps, weights = reuse_gaps(trace, found)
    known = ~np.isnan(gaps)
    quantiles = weighted_quantiles(gaps[known], weights[known], (0.5, 0.8, 0.95)) if known.any() else None
    return {
        "block_tokens": trace.block_tokens,
        "unique_blocks": trace.unique_blocks,
        "blocks_in_every_request": int((touches == len(trace)).sum()),
        "input_tokens": total,
        "hit_tokens": found.hit_tokens(),
        "hit_ratio": found.hit_tokens() / max(total, 1),
        "lru": [
            {"cache_tokens": tokens, "blocks": blocks, "hit_tokens": int(hits), "hit_ratio": int(hits) / max(total, 1)}
            for tokens, blocks, hits in zip(cache_tokens, capacities, hit_curve(found, capacities), strict=True)
        ],
        "reuses_of_top_tenth": float(again[: len(again) // 10].sum() / again.sum()) if again.sum() else None,
        "reuse_gap_s": dict(zip(("p50", "p80", "p95"), quantiles, strict=True)) if quantiles else None,
    }
