"""Which replica was last sent a prompt with the same beginning.

Block ids are chained (an id stands for all text up to its end), so along a prompt the known blocks come first and
the deepest known one is found by bisection. Like the approximate trees of public routers, this knows what was
sent, not what a replica still holds.
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.records import Records

# Of a block in `owner`: never sent to anybody; sent to a replica that has lost it since.
UNKNOWN, LOST = -1, -2


@inlined
def known_blocks(state: FleetState, blocks: Records, start: int, stop: int) -> int:
    """How many leading blocks of blocks[start:stop] have been sent to some replica."""
    low, high = start, stop
    while low < high:
        middle = (low + high) >> 1
        if state.owner[blocks[middle]] != UNKNOWN:
            low = middle + 1
        else:
            high = middle
    return low - start


@inlined
def own(state: FleetState, blocks: Records, start: int, stop: int, replica: int) -> None:
    """Remember that these blocks were sent to `replica`."""
    for i in range(start, stop):
        state.owner[blocks[i]] = replica


@compiled
def forget_closed(state: FleetState) -> None:
    """Closed replicas have lost their caches: what was sent to them is known still, but nobody has it."""
    for block in range(len(state.owner)):
        owner = state.owner[block]
        if owner >= 0 and state.replicas[owner].closed != 0:
            state.owner[block] = LOST
