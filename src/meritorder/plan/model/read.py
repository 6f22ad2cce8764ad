"""From the solved columns back to `Build` and `Operation`, in SI units."""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Floats
from meritorder.plan.linear import Index, Solved
from meritorder.plan.model.draft import Draft
from meritorder.plan.outcome import Build, Operation

DIGITS = 6


def builds_of(draft: Draft, solved: Solved) -> tuple[Build, ...]:
    """[J] what each scenario builds."""
    columns, ground, size = draft.columns, draft.instance.ground, draft.instance.shape
    new = np.round(_value(solved, columns.blocks))
    opened = _value(solved, columns.opened) > 0.5
    delivered = _counted(solved, columns.delivered)
    option = _counted(solved, columns.option)
    systems = _counted(solved, columns.systems)
    battery = _value(solved, columns.battery) * draft.scale.joules
    untaken = _value(solved, columns.untaken)
    pools = draft.pools
    held = np.where(columns.placed >= 0, columns.placed, columns.systems[:, :, pools.site, pools.system])
    placed = np.zeros((*systems.shape, size["M"]))
    placed[:, :, pools.site, pools.system, pools.model] = _counted(solved, held)
    priced = (ground.open_usd > 0).any(axis=0)
    stands = np.zeros((size["T"], size["J"], size["S"]), bool)
    for block, site in enumerate(ground.block_site):
        stands[:, :, site] |= ground.block_standing[:, None, block] + new[:, :, block] > 0
    return tuple(
        Build(
            blocks=ground.block_standing + new[:, j],
            open=np.where(priced, opened[:, j], stands[:, j]),
            delivered=delivered[:, j],
            option=option[:, j],
            systems=systems[:, j],
            placed=placed[:, j],
            battery_j=battery[:, j],
            untaken=untaken[j],
        )
        for j in range(size["J"])
    )


def operation_of(draft: Draft, solved: Solved, builds: tuple[Build, ...]) -> Operation:
    """How the ordinary hours run."""
    columns, size, instance = draft.columns, draft.instance.shape, draft.instance
    axes = (size["T"], size["R"], size["J"])
    main = draft.situations.ordinary

    def hours(block: Index) -> Floats:
        values: Floats = _value(solved, block[main]).reshape(*axes, -1)
        return values

    it = hours(columns.it) * draft.scale.watts
    served = hours(columns.served) * draft.scale.requests[instance.ways.cls]
    unmet = np.moveaxis(hours(columns.unmet) * draft.scale.requests, 3, 1)
    facility = facility_w(draft, it, builds)
    flow = (hours(columns.charge) - hours(columns.discharge)) * draft.scale.watts
    # A discharge beyond the facility's draw can only be in hours in which power costs nothing.
    return Operation(served=served, unmet=unmet, it_w=it, facility_w=facility, grid_w=np.maximum(facility + flow, 0.0))


def facility_w(draft: Draft, it: Floats, builds: tuple[Build, ...]) -> Floats:
    """[T,R,J,S] the largest piece of every kind of block, added up by site."""
    ground, size = draft.instance.ground, draft.instance.shape
    capacity = np.stack([build.blocks * ground.block_w for build in builds], axis=1)  # [T,J,B]
    pieces = ground.pieces[:, :, None]  # [T,R,1,B,Q,2]
    power = pieces[..., 0] * capacity[:, None, :, :, None] + pieces[..., 1] * it[..., None]
    total = np.zeros((*it.shape[:3], size["S"]))
    for block, site in enumerate(ground.block_site):
        total[..., site] += np.maximum(power[..., block, :].max(axis=3), 0.0)
    return total


def _counted(solved: Solved, block: Index) -> Floats:
    """Counts, to a millionth: what is whole but for the solver's tolerance is whole."""
    counts: Floats = np.round(_value(solved, block), DIGITS)
    return counts


def _value(solved: Solved, block: Index) -> Floats:
    """Values without the solver's dust."""
    values: Floats = np.maximum(solved[block], 0.0)
    return values
