"""No supplier beyond its share, and contracts.

sum_{s, h of v} P_h N <= share_tv x sum_{s,h} P_h N
sum_{s, h of the contract} P_h (x losses and cooling) N  >=, = or <=  watts_t
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Contract, Floats
from meritorder.plan.model.draft import Draft
from meritorder.plan.model.scenarios import speaks
from meritorder.plan.model.situations import design_hour


def supplier_shares(draft: Draft) -> None:
    """Rows `share` [T,J,V]."""
    stock, share = draft.instance.stock, draft.instance.policy.supplier_share
    systems = draft.columns.systems
    own = stock.supplier == np.arange(share.shape[1])[:, None]  # [V,H]
    power = (own - share[..., None]) * stock.nameplate_w / draft.scale.watts  # [T,V,H]
    flat = systems.reshape(*systems.shape[:2], 1, -1)  # [T,J,1,S x H]
    sites = systems.shape[2]
    draft.units["share"] = draft.scale.watts
    draft.program.add(
        "share",
        [(np.tile(power, (1, 1, sites))[:, None], flat.repeat(len(own), axis=2))],
        shape=(*systems.shape[:2], len(own)),
        upper=0.0,
        where=(share < 1.0)[:, None] & speaks(draft.tree.state)[..., None],
    )


def contracts(draft: Draft) -> None:
    """Rows `contract NAME` [T,J]."""
    systems = draft.columns.systems
    flat = systems.reshape(*systems.shape[:2], -1)
    for contract in draft.instance.contracts:
        power = contracted(draft.instance.stock.nameplate_w, full_load(draft), contract) / draft.scale.watts
        due = contract.watts / draft.scale.watts
        asked = np.isfinite(due)
        family = f"contract {contract.name}"
        draft.units[family] = draft.scale.watts
        draft.program.add(
            family,
            [(power.reshape(len(due), 1, -1), flat)],
            shape=systems.shape[:2],
            lower=(due if contract.sense != "at-most" else np.full_like(due, -np.inf))[:, None],
            upper=(due if contract.sense != "at-least" else np.full_like(due, np.inf))[:, None],
            where=asked[:, None] & speaks(draft.tree.state),
        )


def contracted(nameplate_w: Floats, ratio: Floats, contract: Contract) -> Floats:
    """[T,S,H] watts that a system counts."""
    counts = ratio if contract.measure == "facility" else np.ones_like(ratio)
    power: Floats = nameplate_w * contract.systems * counts
    return power


def full_load(draft: Draft) -> Floats:
    """[T,S,H] facility power per IT power of a full block in the design hour."""
    ground, block = draft.instance.ground, draft.instance.stock.block
    hours = design_hour(draft.instance)
    pieces = ground.pieces[np.arange(len(hours)), hours]  # [T,B,Q,2]
    ratio = pieces.sum(axis=3).max(axis=2)
    full: Floats = np.where(block >= 0, ratio[:, block], 0.0)
    return full
