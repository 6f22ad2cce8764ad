"""How many KV blocks decoding sequences will need, without looking at each.

A sequence with c tokens at iteration i needs a new block whenever c mod b is 0. Its phase (c - i) mod b never changes
while it decodes, so the engine keeps a histogram of phases.
"""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.records import Records


@inlined
def needed_next(phases: Records, first: int, block: int, iteration: int) -> int:
    """Blocks that the coming iteration needs."""
    return int(phases[first + (-iteration) % block])


@inlined
def needed(phases: Records, first: int, block: int, iteration: int, batch: int, n: int) -> int:
    """Blocks that the coming n iterations need."""
    blocks = (n // block) * batch
    phase = (-iteration) % block
    for _ in range(n % block):
        blocks += phases[first + phase]
        phase = phase - 1 if phase > 0 else block - 1
    return int(blocks)


@inlined
def affordable(phases: Records, first: int, block: int, iteration: int, batch: int, free: int, most: int) -> int:
    """How many of the coming `most` iterations `free` blocks are enough for."""
    if (most // block + 1) * batch <= free:
        return most
    whole = free // batch
    n = whole * block
    left = free - whole * batch
    phase = (-iteration) % block
    # the whole cycles fit; see how far the rest carries
    while n < most:
        left -= phases[first + phase]
        if left < 0:
            break
        n += 1
        phase = phase - 1 if phase > 0 else block - 1
    return min(n, most)
