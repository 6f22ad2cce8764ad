"""Finding a replica by how many requests it has in flight, without looking at every replica."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.state import FleetState


@inlined
def top_bit(word: int) -> int:
    """Position of the highest set bit of a word of 32 bits that is not 0."""
    position = 0
    for shift in (16, 8, 4, 2, 1):
        if word >> shift:
            word >>= shift
            position += shift
    return position


@inlined
def level_at_most(state: FleetState, pool: int, number: int) -> int:
    """The highest number of requests in flight, `number` or less, that a replica of the pool has; -1: none."""
    if number < 0:
        return -1
    first = state.pools[pool].level_words
    index = number >> 5
    word = state.level_words[first + index] & ((1 << ((number & 31) + 1)) - 1)
    while word == 0:
        index -= 1
        if index < 0:
            return -1
        word = state.level_words[first + index]
    return (index << 5) + top_bit(word)
