"""Having all compiled functions of the books at hand before the first request: compiled once, then loaded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.serve.books import place as entries
from meritorder.serve.books.hashes import hash_blocks
from meritorder.serve.books.rebuild import forget, rebuild
from meritorder.serve.books.state import BLOCK_BYTES, DOWN, build_live
from meritorder.serve.books.view import lay_out, size_of


def warm_up(fleet: Fleet, replicas: Sequence[Replica]) -> None:
    """Call each function once, on books of its own."""
    live = build_live(fleet, replicas, workers=1, rows=1, prefix_slots=1)
    block = np.zeros(size_of(live), np.uint8)
    lay_out(live, block)
    hashes = np.zeros(1, np.uint64)
    hash_blocks(np.frombuffer(bytes(BLOCK_BYTES), np.uint64), hashes)
    _, _, _, ttft_s, tpot_s, row, speed = entries.place(block, 0, 0, 0, 1, 1, hashes, np.zeros(0, np.int32))
    entries.answered(block, 0, row)
    entries.ended(block, 0, row, 1, 1, 0, speed, ttft_s, tpot_s, ttft_s, tpot_s)
    entries.has_room(block, 0)
    entries.bar(block, 0, DOWN, True)
    entries.admit(block, 0, 1)
    entries.set_foreign(block, 0, 0, 0)
    forget(block, 0)
    rebuild(block)
