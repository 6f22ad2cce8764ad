"""Which rows a simulated replica draws from, where it stands for several real ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from meritorder.facility.halls.seats import Placement
from meritorder.facility.state import SEAT
from meritorder.records import Records, records


def seats_of(placed: Placement, real: Sequence[int], simulated: Sequence[int]) -> tuple[npt.NDArray[np.int64], Records]:
    """`seat_of` and `seats` of the simulated replicas; replica i of n stands for those from i N / n on of N real ones.

    Shares of each add up to 1: they are of all that its real ones draw.
    """
    if list(real) == list(simulated):
        return placed.seat_of, placed.seats
    stands_for = []
    first = 0
    for count, fewer in zip(real, simulated, strict=True):
        stands_for.append(first + np.arange(fewer + 1) * count // fewer)
        first += count
    found: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]] = []
    for bounds in stands_for:
        for start, stop in pairwise(bounds):
            part = placed.seats[placed.seat_of[start] : placed.seat_of[stop]]
            rows, index = np.unique(part.row, return_inverse=True)
            found.append((rows, np.bincount(index, part.share) / (stop - start)))
    seats = records(sum(len(rows) for rows, _ in found), SEAT)
    seats.row[:] = np.concatenate([rows for rows, _ in found])
    seats.share[:] = np.concatenate([shares for _, shares in found])
    return np.concatenate([[0], np.cumsum([len(rows) for rows, _ in found])]).astype(np.int64), seats
