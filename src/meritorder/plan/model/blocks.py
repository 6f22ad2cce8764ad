"""Sites and their power blocks.

b_t <= most_t - standing_t                 b: new blocks that stand, integer
0 <= b_t - b_{t-1} <= step
sum_{s,h in b} P_h N <= (1 + o) x block x (standing_t + b_t)       nameplate, o: oversubscription
b_t <= (most_t - standing_t) z_t, z_{t-1} <= z_t                   z: the site is open, binary
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Floats
from meritorder.plan.linear import Index
from meritorder.plan.model.draft import Draft
from meritorder.plan.model.scenarios import shared, speaks


def blocks(draft: Draft) -> None:
    """Columns `blocks`, `opened`; rows of growth, nameplate, opening."""
    program, columns, tree, ground = draft.program, draft.columns, draft.tree, draft.instance.ground
    size = draft.instance.shape
    more = np.maximum(ground.block_most - ground.block_standing, 0)[:, None].astype(float)  # [T,1,B]
    columns.blocks = shared(program, tree.past, (size["B"],), where=more > 0, integer=True)
    program.add(
        "most",
        [(1.0, columns.blocks)],
        shape=columns.blocks.shape,
        upper=more,
        where=(columns.blocks >= 0) & speaks(tree.past)[..., None],
    )
    program.add(
        "step",
        [(1.0, columns.blocks), (-1.0, _before(columns.blocks))],
        shape=columns.blocks.shape,
        lower=0.0,
        upper=ground.block_step.astype(float),
        where=(columns.blocks >= 0) & speaks(tree.past)[..., None],
    )
    _nameplate(draft)
    priced = np.asarray((ground.open_usd > 0).any(axis=0))  # [S]
    columns.opened = shared(program, tree.past, (size["S"],), upper=1.0, where=priced, integer=True)
    program.add(
        "opening",
        [(1.0, columns.opened), (-1.0, _before(columns.opened))],
        shape=columns.opened.shape,
        lower=0.0,
        where=(columns.opened >= 0) & speaks(tree.past)[..., None],
    )
    program.add(
        "open",
        [(1.0, columns.blocks), (-more, columns.opened[..., ground.block_site])],
        shape=columns.blocks.shape,
        upper=0.0,
        where=(columns.blocks >= 0) & priced[ground.block_site] & speaks(tree.past)[..., None],
    )


def capacity_w(draft: Draft) -> tuple[Floats, Floats]:
    """IT power of what stands undecided [T,B], and of one new block [B], in the program's unit."""
    ground, watts = draft.instance.ground, draft.scale.watts
    return ground.block_standing * ground.block_w / watts, ground.block_w / watts


def _before(block: Index) -> Index:
    """The column of the period before, -1 in the first."""
    return np.concatenate([np.full_like(block[:1], -1), block[:-1]])


def _nameplate(draft: Draft) -> None:
    stock, ground, watts = draft.instance.stock, draft.instance.ground, draft.scale.watts
    systems = draft.columns.systems
    known, each = capacity_w(draft)
    over = ground.oversubscription[ground.block_site]
    site, system = np.nonzero(stock.block >= 0)
    kind = stock.block[site, system]
    used = np.zeros((*systems.shape[:2], len(each)), bool)
    for place, s, h in zip(kind, site, system, strict=True):
        used[..., place] |= systems[:, :, s, h] >= 0
    draft.units["nameplate"] = watts
    rows = draft.program.add(
        "nameplate",
        [(-over * each, draft.columns.blocks)],
        shape=used.shape,
        upper=(over * known)[:, None],
        where=used & speaks(draft.tree.state)[..., None],
    )
    draft.program.put(rows[..., kind], (stock.nameplate_w / watts)[system], systems[:, :, site, system])
