"""The arrays of a `LiveState` inside one block of bytes, as compiled code and as Python sees them.

Compiled functions are given the block alone: taking twenty arrays over from Python costs more than all they do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.compiled import inlined
from meritorder.dispatch.state import (
    BATCH,
    CAP_LEVEL,
    CHOICE,
    LEVEL,
    POOL,
    REPLICA,
    SERVICE,
    SETTINGS,
    TOKENS,
    FleetState,
)
from meritorder.records import Records
from meritorder.serve.books.state import CAP, FOREIGN, GATE, PREFIX, ROW, SITE, WORKER, LiveState

Block = npt.NDArray[np.uint8]

# The block begins with 64-bit words: a few numbers, then first byte and end of each array.
HEADER_BYTES = 4096
MARK, WORKERS, ROWS, PREFIX_SLOTS, SIZE = range(5)
_TABLE = 16

_LINE = 64  # bytes of a cache line

# As numba knows them: with C's alignment.
_POOL, _REPLICA, _SERVICE, _CHOICE, _TOKENS, _BATCH, _CAP_LEVEL, _LEVEL, _SETTINGS = (
    np.dtype(fields, align=True)
    for fields in (POOL, REPLICA, SERVICE, CHOICE, TOKENS, BATCH, CAP_LEVEL, LEVEL, SETTINGS)
)
_SITE, _FOREIGN, _GATE, _CAP, _WORKER, _ROW, _PREFIX = (
    np.dtype(fields, align=True) for fields in (SITE, FOREIGN, GATE, CAP, WORKER, ROW, PREFIX)
)


def words_of(block: Block) -> npt.NDArray[np.int64]:
    """The words that the block begins with."""
    return block[:HEADER_BYTES].view(np.int64)


def size_of(live: LiveState) -> int:
    """Bytes of a block that holds these arrays."""
    return HEADER_BYTES + sum(-(-array.nbytes // _LINE) * _LINE for array in _arrays(live))


def lay_out(live: LiveState, block: Block) -> None:
    """Copy arrays into a fresh block, which is all zero, and note where each one is."""
    words = words_of(block)
    offset = HEADER_BYTES
    for number, array in enumerate(_arrays(live)):
        words[_TABLE + 2 * number : _TABLE + 2 * number + 2] = offset, offset + array.nbytes
        # the large ones begin as zeros: untouched pages of memory cost nothing
        if array is not live.rows and array is not live.prefixes:
            block[offset : offset + array.nbytes] = np.frombuffer(array.tobytes(), np.uint8)
        offset += -(-array.nbytes // _LINE) * _LINE


def view(block: Block) -> LiveState:
    """The arrays in a block, for Python."""
    live: LiveState = getattr(view_of, "py_func", view_of)(block)

    def readable(array: npt.NDArray[Any]) -> Records:
        return array.view(np.recarray) if array.dtype.names else array

    mine = {name: readable(array) for name, array in live._asdict().items() if name != "fleet"}
    fleet = FleetState(*(readable(array) for array in live.fleet))
    return LiveState(fleet=fleet, **mine)


@inlined
def view_of(block: Block) -> LiveState:
    """The arrays in a block; of array n the first byte and the end are at[2n] and at[2n + 1]."""
    at = block[:HEADER_BYTES].view(np.int64)[_TABLE:]
    pools = block[at[0] : at[1]].view(_POOL)
    replicas = block[at[2] : at[3]].view(_REPLICA)
    services = block[at[4] : at[5]].view(_SERVICE)
    sites = block[at[28] : at[29]].view(_SITE)
    workers = block[at[38] : at[39]].view(_WORKER)
    regions = (at[25] - at[24]) // (8 * (len(sites) + 1))
    rows = block[at[40] : at[41]].view(_ROW)
    return LiveState(
        FleetState(
            pools,
            replicas,
            services,
            block[at[6] : at[7]].view(_CHOICE),
            block[at[8] : at[9]].view(np.int32).reshape((len(services), len(pools))),
            block[at[10] : at[11]].view(_TOKENS),
            block[at[12] : at[13]].view(_BATCH),
            block[at[14] : at[15]].view(_CAP_LEVEL),
            block[at[16] : at[17]].view(np.float64),
            block[at[18] : at[19]].view(_LEVEL),
            block[at[20] : at[21]].view(np.int64),
            block[at[22] : at[23]].view(np.int32).reshape((len(replicas), len(services))),
            block[:0].view(np.int32),  # blocks of text have owners in `prefixes`
            block[at[24] : at[25]].view(np.float64).reshape((regions, len(sites) + 1)),
            block[at[26] : at[27]].view(_SETTINGS),
        ),
        sites,
        block[at[30] : at[31]].view(np.float64),
        block[at[32] : at[33]].view(_FOREIGN),
        block[at[34] : at[35]].view(_GATE),
        block[at[36] : at[37]].view(_CAP),
        workers,
        rows.reshape((len(workers), len(rows) // len(workers))),
        block[at[42] : at[43]].view(_PREFIX),
    )


def _arrays(live: LiveState) -> list[npt.NDArray[Any]]:
    """The arrays in the order of `view_of`."""
    fleet = [array for name, array in zip(live.fleet._fields, live.fleet, strict=True) if name != "owner"]
    return [*fleet, *live[1:]]
