"""A plan in a few figures, to compare it with others."""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Plan

BOUGHT = 1e-6  # systems; less is none


def figures_of(instance: Instance, plan: Plan) -> dict[str, float]:
    """Counts of offers, sites and pairs with new systems; nameplate and suppliers' shares at the end; carbon of it all.

    Expected over the scenarios; counts and the largest grid power are of any of them.
    """
    demand, stock, names = instance.demand, instance.stock, instance.names
    chance = demand.probability
    bought = sum(build.delivered.sum(axis=0) for build in plan.builds) > BOUGHT  # [S,H]
    power = sum(p * build.systems[-1].sum(axis=0) for p, build in zip(chance, plan.builds, strict=True))
    power = power * stock.nameplate_w
    seconds = demand.seconds[:, :, None, None] * chance[:, None]  # [T,R,J,1]
    kg = plan.operation.grid_w * seconds * np.moveaxis(instance.ground.kg_per_j, 1, 2)[:, :, None]
    shares = np.bincount(stock.supplier, weights=power, minlength=len(names.suppliers)) / max(float(power.sum()), 1e-9)
    return {
        "offers": float(bought.any(axis=0).sum()),
        "sites": float(bought.any(axis=1).sum()),
        "pairs": float(bought.sum()),
        "nameplate_mw": float(power.sum()) / 1e6,
        "peak_grid_mw": float(plan.operation.grid_w.max(axis=(0, 1, 2), initial=0.0).sum()) / 1e6,
        "carbon_t": float(kg.sum()) / 1e3,
        **{f"share {name}": float(share) for name, share in zip(names.suppliers, shares, strict=True)},
    }
