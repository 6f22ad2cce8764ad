"""Units inside the program, so that its numbers are neither huge nor tiny: powers of ten by the instance's own size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Floats, Instance

DIGITS = 2  # the largest figure of a kind is written with so many digits before the point


@dataclass(frozen=True)
class Scale:
    """SI units (or USD) per unit of the program."""

    watts: float
    requests: Floats  # [K] requests/s
    usd: float

    @property
    def joules(self) -> float:
        """Energy is counted in hours of the unit of power."""
        return self.watts * 3600.0


def scale_of(instance: Instance) -> Scale:
    """Units for an instance: 750 MW are written in MW, 200 kW in kW."""
    demand, ground = instance.demand, instance.ground
    watts = float((ground.block_w * ground.block_most.max(axis=0, initial=0)).sum())
    requests = demand.requests.max(axis=(0, 2, 3), initial=0.0)
    return Scale(
        watts=_power_of_ten(watts),
        requests=np.array([_power_of_ten(peak) for peak in requests]),
        usd=_power_of_ten(_roughly(instance)) / 10.0,
    )


def _roughly(instance: Instance) -> float:
    """What serving the peak may cost, USD: the order of magnitude of the objective."""
    ways, stock, demand = instance.ways, instance.stock, instance.demand
    seconds = demand.seconds.sum()
    mean = demand.requests.mean(axis=(0, 2, 3))
    peak = demand.requests.max(axis=(0, 2, 3))
    own = ways.api < 0
    price = np.where(own, stock.usd.max(axis=0, initial=0.0)[ways.system] if stock.usd.size else 0.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        usd = np.where(own, price * peak[ways.cls] / ways.rate, ways.usd * mean[ways.cls] * seconds)
    total = 0.0
    for k in range(len(peak)):
        known = usd[(ways.cls == k) & np.isfinite(usd) & (usd > 0)]
        total += float(known.min()) if len(known) else 0.0
    return total if total > 0 else 1e6


def _power_of_ten(largest: float) -> float:
    return float(10.0 ** (np.floor(np.log10(largest)) - DIGITS)) if largest > 0 else 1.0
