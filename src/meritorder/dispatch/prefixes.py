"""Which replica was last sent a prompt with the same beginning.

Block ids are chained (an id stands for all text up to its end), so along a prompt the known blocks come first and
the deepest known one is found by bisection. Like the approximate trees of public routers, this knows what was
sent, not what a replica still holds.
"""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.state import FleetState
from meritorder.records import Records


@inlined
def known_blocks(state: FleetState, blocks: Records, start: int, stop: int) -> int:
    """How many leading blocks of blocks[start:stop] have been sent to some replica."""
    low, high = start, stop
    while low < high:
        middle = (low + high) >> 1
        if state.owner[blocks[middle]] >= 0:
            low = middle + 1
        else:
            high = middle
    return low - start


@inlined
def own(state: FleetState, blocks: Records, start: int, stop: int, replica: int) -> None:
    """Remember that these blocks were sent to `replica`."""
    for i in range(start, stop):
        state.owner[blocks[i]] = replica
