"""How much of the prompts a prefix cache of any size would have held, exactly and in one pass.

Definition: requests in trace order; the hit of a request is the run of its leading blocks that are cached when it
arrives, in tokens `min(blocks x block size, prompt)`; all its blocks can be used by the very next request. A cache of
C blocks is LRU: every block of a request is touched (or inserted) in prefix order, the oldest is evicted.

LRU is a stack algorithm (Mattson et al., IBM Systems Journal 9, 1970): a block is held by every cache at least as
large as the number of different blocks touched since. Ids are prefix-chained, so the blocks last touched by one
request are always the tail of its prompt; a prompt therefore falls into few runs of blocks of equal age, and one
Fenwick-tree query a run (over requests, not blocks) gives the size that the run needs, for all sizes at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.compiled import compiled
from meritorder.workload.trace import Floats, Longs, Trace

_NOT_CHAINED, _NO_ROOM = -1, -2


@dataclass(frozen=True)
class Reuse:
    """Runs of reused blocks, in trace order; each array has one entry a run."""

    request: Longs  # the request that hits
    earlier: Longs  # the request that touched these blocks last
    blocks: Longs  # length of the run
    tokens: Longs  # prompt tokens that the run covers
    needs_blocks: Longs  # the smallest LRU cache (blocks) that still held the run and all before it in the prompt

    def hit_tokens(self, capacity_blocks: int | None = None) -> int:
        """Tokens found in an LRU cache of so many blocks (None: unlimited)."""
        if capacity_blocks is None:
            return int(self.tokens.sum())
        return int(self.tokens[self.needs_blocks <= capacity_blocks].sum())

    def hit_tokens_by_request(self, requests: int) -> Longs:
        """Unlimited-cache hit of each of the trace's requests, tokens."""
        return np.bincount(self.request, weights=self.tokens, minlength=requests).astype(np.int64)


def reuse(trace: Trace) -> Reuse:
    """Every reuse of prefix blocks in `trace`. Raises ValueError where its ids are not prefix-chained."""
    n, unique, room = len(trace), trace.unique_blocks, 4 * len(trace) + 1024
    while True:
        out = np.empty((5, room), np.int64)
        last, parent = np.full(unique, -1, np.int32), np.full(unique, -2, np.int32)
        live, tree = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
        size = max(trace.block_tokens, 1)
        used = _runs(trace.block_start, trace.blocks, trace.prompt_tokens, size, last, parent, live, tree, out)
        if used == _NOT_CHAINED:
            raise ValueError("block ids are not prefix-chained: an id stands behind different prefixes")
        if used != _NO_ROOM:
            return Reuse(*np.ascontiguousarray(out[:, :used]))
        room *= 4


def hit_curve(found: Reuse, capacities_blocks: npt.ArrayLike) -> Longs:
    """Hit tokens for each LRU capacity (blocks)."""
    order = np.argsort(found.needs_blocks, kind="stable")
    total = np.concatenate(([0], np.cumsum(found.tokens[order])))
    return total[np.searchsorted(found.needs_blocks[order], np.asarray(capacities_blocks), side="right")]


def reuse_gaps(trace: Trace, found: Reuse) -> tuple[Floats, Longs]:
    """Seconds between two touches of a block, with the number of blocks that have this gap, sorted by gap."""
    gap = trace.arrival_s[found.request] - trace.arrival_s[found.earlier]
    order = np.argsort(gap, kind="stable")
    return gap[order], found.blocks[order]


@compiled
def _runs(
    block_start: npt.NDArray[np.int64],
    blocks: npt.NDArray[np.int32],
    prompt_tokens: npt.NDArray[np.int32],
    block_tokens: int,
    last: npt.NDArray[np.int32],
    parent: npt.NDArray[np.int32],
    live: npt.NDArray[np.int64],
    tree: npt.NDArray[np.int64],
    out: npt.NDArray[np.int64],
) -> int:
    """Fill rows request, earlier, blocks, tokens, needs of `out`; the number of runs, or why there is none.

    Work space: per block the request that touched it `last` (-1) and its `parent` block (-2: not seen); per request
    the blocks that it touched last (`live`, 0) and a Fenwick `tree` over them (0).
    """
    n = len(prompt_tokens)
    total = 0
    used = 0
    for r in range(n):
        first, end = block_start[r], block_start[r + 1]
        k = first
        before = -1
        while k < end and last[blocks[k]] >= 0:
            owner = last[blocks[k]]
            if owner == r:
                return _NOT_CHAINED  # twice in one prompt
            older = 0
            node = owner + 1
            while node > 0:
                older += tree[node]
                node &= node - 1
            begin = k
            while k < end and last[blocks[k]] == owner:
                b = blocks[k]
                if parent[b] != before:
                    return _NOT_CHAINED
                last[b] = r
                before = b
                k += 1
            if used == out.shape[1]:
                return _NO_ROOM
            out[0, used] = r
            out[1, used] = owner
            out[2, used] = k - begin
            out[3, used] = min((k - first) * block_tokens, prompt_tokens[r]) - min(
                (begin - first) * block_tokens, prompt_tokens[r]
            )
            # Runs of this prompt that came before were the younger ones; they still count as touched since.
            out[4, used] = total - older + live[owner] + (begin - first)
            used += 1
            live[owner] -= k - begin
            total -= k - begin
            node = owner + 1
            while node <= n:
                tree[node] -= k - begin
                node += node & -node
        while k < end:
            b = blocks[k]
            if last[b] >= 0:
                return _NOT_CHAINED
            last[b] = r
            parent[b] = before
            before = b
            k += 1
        live[r] = end - first
        total += end - first
        node = r + 1
        while node <= n:
            tree[node] += end - first
            node += node & -node
    return used
