"""Systems in service.

    N_t <= N_{t-1} + a_t + new standing_t      what is retired does not come back
    N_t <= standing_t + sum of a over the last `life` periods
    sum_h P_h a_tsh <= ramp_s                  crews

`N` systems in service, `a` those that arrive: ordered for t, later in a scenario where deliveries are late.
Whole: systems of some offers come in whole lots, a = lot x integer.
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Bools
from meritorder.plan.linear import Index
from meritorder.plan.model.draft import Draft
from meritorder.plan.model.scenarios import shared, speaks


def stock(draft: Draft, whole: Bools) -> None:
    """Columns and rows of systems. `whole` [H]: offers of which lots are integers."""
    program, columns, tree, kinds = draft.program, draft.columns, draft.tree, draft.instance.stock
    size = draft.instance.shape
    room = np.where(kinds.block >= 0, draft.instance.ground.block_most[:, kinds.block] > 0, False)  # [T,S,H]
    buyable = (room & (kinds.supply + kinds.option > 0)[:, None, :])[:, None]
    shape = (size["S"], size["H"])
    single = whole & (kinds.lot == 1)
    packed = whole & (kinds.lot > 1)
    singles = shared(program, tree.choice, shape, where=buyable & single, integer=True)
    others = shared(program, tree.choice, shape, where=buyable & ~single)
    columns.delivered = np.maximum(singles, others)
    columns.lots = shared(program, tree.choice, shape, where=buyable & packed, integer=True)
    there = draft.possible[:, None]
    counted = shared(program, tree.state, shape, where=there & whole, integer=True)
    columns.systems = np.maximum(counted, shared(program, tree.state, shape, where=there & ~whole))
    program.add(
        "lots",
        [(1.0, columns.delivered), (-kinds.lot.astype(float), columns.lots)],
        shape=columns.lots.shape,
        lower=0.0,
        upper=0.0,
        where=(columns.lots >= 0) & speaks(tree.choice)[..., None, None],
    )
    _recursion(draft)
    _age(draft)
    _ramp(draft)


def arrived(draft: Draft) -> Index:
    """[T,J,S,H] the purchases that arrive in t."""
    late = draft.instance.demand.late
    index: Index = np.full_like(draft.columns.delivered, -1)
    for scenario, system in np.ndindex(late.shape):
        wait = int(late[scenario, system])
        came = draft.columns.delivered[: len(index) - wait, scenario, :, system]
        index[wait:, scenario, :, system] = came
    return index


def _recursion(draft: Draft) -> None:
    systems, standing = draft.columns.systems, draft.instance.stock.standing
    before = np.concatenate([np.full_like(systems[:1], -1), systems[:-1]])
    new = np.maximum(np.diff(standing, axis=0, prepend=0.0), 0.0)
    draft.program.add(
        "stock",
        [(1.0, systems), (-1.0, before), (-1.0, arrived(draft))],
        shape=systems.shape,
        upper=new[:, None],
        where=(systems >= 0) & speaks(draft.tree.state)[..., None, None],
    )


def _age(draft: Draft) -> None:
    """Only where something can grow too old: elsewhere the recursion says it."""
    systems, stock, came = draft.columns.systems, draft.instance.stock, arrived(draft)
    periods = len(systems)
    age = np.arange(periods)[:, None] - np.arange(periods)  # [t,t'] of what came in t'
    serves = (age >= 0)[..., None] & (age[..., None] < stock.life)  # [t,t',H]
    gone = (stock.standing < np.maximum.accumulate(stock.standing, axis=0)) | (
        np.arange(periods)[:, None, None] >= stock.life
    )
    draft.program.add(
        "age",
        [
            (1.0, systems),
            (
                -np.moveaxis(serves, 1, 2)[:, None, None].astype(float),  # [t,1,1,H,t']
                np.moveaxis(came, 0, -1)[None].repeat(periods, axis=0),  # [t,J,S,H,t']
            ),
        ],
        shape=systems.shape,
        upper=stock.standing[:, None],
        where=(systems >= 0) & speaks(draft.tree.state)[..., None, None] & gone[:, None],
    )


def _ramp(draft: Draft) -> None:
    watts, came, ramp = draft.scale.watts, arrived(draft), draft.instance.ground.ramp_w
    draft.units["ramp"] = watts
    draft.program.add(
        "ramp",
        [(draft.instance.stock.nameplate_w / watts, came)],
        shape=came.shape[:3],
        upper=ramp / watts,
        where=np.isfinite(ramp) & speaks(draft.tree.state)[..., None] & (came >= 0).any(axis=3),
    )
