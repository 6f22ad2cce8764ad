"""Where racks stand: the rows of every site and which of them each replica draws from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
import numpy.typing as npt

from meritorder.facility.plant import AIR, LIQUID_21, LIQUID_45
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica

ROW_W = 1e6  # of rows that the fleet file does not describe


@dataclass(frozen=True)
class Row:
    """One busway with its CDU or air handlers."""

    site: int  # index in `fleet.sites`
    coolant: int  # index into `plant.COOLANTS`
    hall: int = -1  # over all sites; -1: halls are not described
    limit_w: float = inf  # of its busway, IT power
    cooling_w: float = inf  # heat that its CDU carries
    feeds: int = 0xFFFFFFFF  # bit mask of the site's feeds


@dataclass(frozen=True)
class Placement:
    """Rows in the order of their sites; replica `r` (over all pools, in order) draws the part `shares[k]` of its power
    from row `rows_of[k]`, for k in `seat_of[r] ... seat_of[r + 1]`; shares of a replica add up to 1."""

    rows: tuple[Row, ...]
    seat_of: npt.NDArray[np.int64]  # [replicas + 1]
    rows_of: npt.NDArray[np.int32]
    shares: npt.NDArray[np.float64]


def coolant_of(fleet: Fleet, pool: str) -> int:
    """The class of coolant of a pool's machines; measured ones are taken as air-cooled."""
    accelerator = fleet.pools[pool].accelerator
    kind = fleet.accelerators[accelerator].coolant if accelerator is not None else "air"
    return {"air": AIR, "liquid-21c": LIQUID_21}.get(kind, LIQUID_45)


def auto_rows(fleet: Fleet, replicas: Sequence[Replica]) -> Placement:
    """Rows of about a megawatt for each site and class of coolant, filled with whole replicas in the file's order."""
    pools = list(fleet.pools.items())
    sites = list(fleet.sites)
    groups: dict[tuple[int, int], list[int]] = {}
    for p, (name, pool) in enumerate(pools):
        groups.setdefault((sites.index(pool.site), coolant_of(fleet, name)), []).append(p)
    firsts = np.concatenate([[0], np.cumsum([pool.replicas for _, pool in pools])]).astype(int)
    rows: list[Row] = []
    row_of = np.empty(firsts[-1], np.int32)
    for (site, coolant), members in sorted(groups.items()):
        watts = np.concatenate([np.full(pools[p][1].replicas, replicas[p].max_w) for p in members])
        count = max(1, ceil(watts.sum() / ROW_W))
        before = np.cumsum(watts) - watts
        which = np.minimum((before / max(watts.sum(), 1e-9) * count).astype(int), count - 1)
        ids = np.concatenate([np.arange(firsts[p], firsts[p + 1]) for p in members])
        used, index = np.unique(which, return_inverse=True)
        row_of[ids] = len(rows) + index
        rows += [Row(site, coolant)] * len(used)
    return Placement(tuple(rows), np.arange(firsts[-1] + 1), row_of, np.ones(firsts[-1]))
