"""Megawatts by period: what stands of whom and where, and what of a site's power and cooling is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Build, Plan


def installed(instance: Instance, build: Build) -> Floats:
    """Nameplate of the systems in service [T,S,H], W."""
    power: Floats = build.systems * instance.stock.nameplate_w
    return power


def by_supplier(instance: Instance, build: Build) -> Floats:
    """Nameplate in service [T,V], W."""
    power = installed(instance, build).sum(axis=1)
    suppliers = len(instance.names.suppliers)
    return np.stack([power[:, instance.stock.supplier == v].sum(axis=1) for v in range(suppliers)], axis=1)


@dataclass(frozen=True)
class Headroom:
    """What each site has and uses. W, [T,S]; inf: no limit."""

    blocks: Floats  # IT power of its blocks
    nameplate_limit: Floats  # that much nameplate may stand there
    nameplate: Floats
    it: Floats  # most IT power in any hour and scenario
    cooled: Floats  # least IT power that the coolants carry away in the hours of the period
    facility: Floats  # most facility power in any hour and scenario
    grid: Floats  # its limit


def headroom(instance: Instance, plan: Plan) -> Headroom:
    """The sites' limits and what is used of them, of the plan's (median) build."""
    ground, build = instance.ground, plan.build
    place = np.eye(len(instance.names.sites))[ground.block_site]  # [B,S]
    block_w = build.blocks * ground.block_w
    blocks = block_w @ place
    cooled = np.einsum("tb,trb,bs->trs", block_w, np.minimum(ground.cooled, 1.0), place)
    it = np.einsum("trjb,bs->trjs", plan.operation.it_w, place)
    return Headroom(
        blocks=blocks,
        nameplate_limit=blocks * ground.oversubscription,
        nameplate=installed(instance, build).sum(axis=2),
        it=it.max(axis=(1, 2)),
        cooled=cooled.min(axis=1),
        facility=plan.operation.grid_w.max(axis=(1, 2)),
        grid=ground.grid_w,
    )
