"""How many KV blocks decoding sequences will need, without looking at each.

A sequence with c tokens at iteration i needs a new block whenever c mod b is 0. Its phase (c - i) mod b never changes
while it decodes, so the engine keeps a histogram of phases, and which phase is `due` in the coming iteration:
(-i) mod b.
"""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.records import Records


@inlined
def due_after(due: int, block: int, n: int) -> int:
    """The phase that is due n iterations later."""
    if n <= due:
        return int(due - n)
    return int((due - n) % block)


@inlined
def needed(phases: Records, first: int, block: int, due: int, batch: int, n: int) -> int:
    """Blocks that the coming n iterations need."""
    blocks = 0
    if n >= block:
        # divisions are slow and most jumps short
        blocks = (n // block) * batch
        n %= block
    for _ in range(n):
        blocks += phases[first + due]
        due = due - 1 if due > 0 else block - 1
    return int(blocks)


@inlined
def affordable(phases: Records, first: int, block: int, due: int, batch: int, free: int, most: int) -> int:
    """How many of the coming `most` iterations `free` blocks are enough for."""
    if (most + block) * batch <= free * block:
        return most
    whole = free // batch
    n = whole * block
    left = free - whole * batch
    # the whole cycles fit; see how far the rest carries
    while n < most:
        left -= phases[first + due]
        if left < 0:
            break
        n += 1
        due = due - 1 if due > 0 else block - 1
    return min(n, most)
