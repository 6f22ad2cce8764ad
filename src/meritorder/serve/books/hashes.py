"""Prefix affinity on text: chained hashes of its blocks, and which replica each was last sent to.

A block's hash stands for all text up to its end. The table has one place per hash, and a newer block takes it; the
whole hash is kept with it, so a block is never taken for another one.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.records import Records
from meritorder.serve.books.state import BLOCK_BYTES, LiveState

_WORDS = BLOCK_BYTES // 8
_MIX = np.uint64(0x9E3779B97F4A7C15)
_START = np.uint64(0x243F6A8885A308D3)


@compiled
def hash_blocks(words: Records, hashes: Records) -> None:
    """Hash text (as 64-bit words) into `hashes`, one for each whole block."""
    value = _START
    for block in range(len(hashes)):
        for i in range(block * _WORDS, (block + 1) * _WORDS):
            value = (value ^ words[i]) * _MIX
            value ^= value >> np.uint64(32)
        hashes[block] = value


@inlined
def owner_of(live: LiveState, block: int) -> int:
    """The replica that a block was last sent to and that may still have it; -1: none that is known."""
    slot = live.prefixes[np.int64(block & np.uint64(len(live.prefixes) - 1))]
    if slot.hash != block or slot.replica == 0 or slot.life != live.gates[slot.replica - 1].life:
        return -1
    return int(slot.replica - 1)


@inlined
def known_prefix(live: LiveState, hashes: Records, count: int) -> int:
    """How many leading blocks of hashes[:count] are known; found by bisection, as known ones come first."""
    low, high = 0, count
    while low < high:
        middle = (low + high) >> 1
        if owner_of(live, hashes[middle]) >= 0:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def own_blocks(live: LiveState, hashes: Records, count: int, replica: int) -> None:
    """Remember that these blocks were sent to `replica`."""
    for i in range(count):
        slot = live.prefixes[np.int64(hashes[i] & np.uint64(len(live.prefixes) - 1))]
        slot.hash = hashes[i]
        slot.replica = replica + 1
        slot.life = live.gates[replica].life
