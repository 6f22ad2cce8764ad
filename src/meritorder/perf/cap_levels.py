"""The tables of a pool at the power limits that a controller may set (`pools.X.caps`)."""

from __future__ import annotations

from meritorder.fleet.schema import Pool
from meritorder.perf.fit import check_power_cap
from meritorder.perf.placement import Placement
from meritorder.perf.power_cap import capped
from meritorder.perf.table import IterationTable
from meritorder.problems import InputError, Problem
from meritorder.units import show


def cap_levels(
    table: IterationTable, place: Placement, pool: Pool, key: str
) -> tuple[tuple[IterationTable, float], ...]:
    """Table and most power (IT watts of the replica) at each of the pool's `caps`; `table`: without any limit.

    Raises InputError where the limits don't fall, or the machine can't run at one.
    """
    levels = []
    last = pool.power_cap or place.chip.board[1]
    for index, part in enumerate(pool.caps):
        limit = part * place.chip.board[1]
        where = f"{key}.caps.{index}"
        check_power_cap(place, limit, pool.accelerator or "", where)
        if limit >= last:
            what = f"is {show(limit, 'W', 3)}, not below the {show(last, 'W', 3)} before it"
            raise InputError(Problem(what, key=where, fix="let the limits fall, all below `power_cap`"))
        last = limit
        saved = place.chip.board[1] - limit
        levels.append((capped(table, place, limit), (place.chip.max - saved) * place.chips))
    return tuple(levels)
