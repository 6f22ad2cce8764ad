"""Block ids of prompts that grow out of each other: a tree of shared texts, and histories that go on or fork."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.compiled import compiled


@compiled
def chain_blocks(
    block_start: npt.NDArray[np.int64],
    parent: npt.NDArray[np.int64],
    keep: npt.NDArray[np.int64],
    path: npt.NDArray[np.int64],
    path_start: npt.NDArray[np.int64],
    path_slots: npt.NDArray[np.int64],
    slot_id: npt.NDArray[np.int32],
    ids: npt.NDArray[np.int32],
) -> None:
    """Fill `ids`, dense in order of first use, for n requests in order; r owns block_start[r]..block_start[r+1].

    `parent[r] < r` is the request whose first `keep[r]` blocks it repeats (-1: none; then it begins with the shared
    text `path[r]`, whose blocks are the slots path_slots[path_start[p]:path_start[p+1]], as far as its prompt
    reaches); the rest is new. `slot_id` has one entry, -1, for each different shared block.
    """
    fresh = 0
    for r in range(len(parent)):
        at, end = block_start[r], block_start[r + 1]
        if parent[r] >= 0:
            source = block_start[parent[r]]
            stop = min(at + min(keep[r], block_start[parent[r] + 1] - source), end)
            while at < stop:
                ids[at] = ids[source]
                at += 1
                source += 1
        elif path[r] >= 0:
            k = path_start[path[r]]
            while at < end and k < path_start[path[r] + 1]:
                slot = path_slots[k]
                if slot_id[slot] < 0:
                    slot_id[slot] = fresh
                    fresh += 1
                ids[at] = slot_id[slot]
                at += 1
                k += 1
        while at < end:
            ids[at] = fresh
            fresh += 1
            at += 1
