"""`OUTAGE`: one thing that happens to replicas, to a part of a building or to a link at a moment of the run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meritorder.records import Records

# An array of them is in the order of time (equal times: in the order in which they are to be handled).
OUTAGE = np.dtype(
    [
        ("time", "f8"),  # seconds from the trace's time 0
        ("kind", "i4"),
        ("cause", "u1"),  # index into causes.CAUSES: the fault behind it
        ("first", "i8"),  # DOWN, UP, SLOW, NORMAL: the replicas hit[first : first + count], each at most once
        ("count", "i8"),
        ("part", "i4"),  # PART_*: index into facility.parts; LINK_*: index into fleet.links; else -1
        # SLOW, NORMAL: iterations take so many times as long (NORMAL: no longer). PART_*: what is left of a feed in a
        # brown-out; 0: nothing is left of the part. Else 1.
        ("factor", "f8"),
        ("until", "f8"),  # when it ends, reloading included; infinity: it does not (of UP and the like: `time`)
    ],
    align=True,
)

# A replica is up when as many UP as DOWN have come, and its stretch is the product of the factors in force.
KINDS = ("down", "up", "slow", "normal", "part down", "part up", "link down", "link up")
DOWN, UP, SLOW, NORMAL, PART_DOWN, PART_UP, LINK_DOWN, LINK_UP = range(len(KINDS))


class Outages(NamedTuple):
    """All that breaks in a run."""

    outages: Records  # OUTAGE, in the order of time
    hit: npt.NDArray[np.int32]  # replicas, over all pools
