"""Melange's allocation (Griggs et al., arXiv 2404.14527), written anew from its published formulation, by period.

Traffic of a class is cut into slices i of rate q_i; min sum_g c_g y_g with sum_g x_ig = 1 and sum_i x_ig q_i / T_g(i)
<= y_g; x binary, y whole, c_g USD an hour, T_g the most requests/s of one system within the service level. Added
here: y_g is at most what can have been delivered, and a slice may go unserved at a price nobody would pay.
"""

from __future__ import annotations

import numpy as np

from bench.plan_baselines.orders import carried, peak, usd_per_s, within_reach
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.linear import Program

SLICES = 4  # of a class: "enough", its authors say
UNSERVED = 1e3  # times the dearest way to serve a slice
GAP, TIME_S = 0.005, 20.0


def melange(full: Instance) -> Floats:
    """[T,H] systems in service."""
    rate, demand, reach, usd = carried(full), peak(full), within_reach(full), usd_per_s(full)
    return np.stack([_period(rate, demand[t], reach[t], usd[t] * 3600.0) for t in range(len(reach))])


def _period(rate: Floats, demand: Floats, reach: Floats, usd_per_h: Floats) -> Floats:
    """[H] systems for the demand [K] of one period."""
    classes = np.repeat(np.arange(len(demand)), SLICES)
    slice_rate = demand[classes] / SLICES
    can = rate[:, classes] > 0  # [H,I]
    with np.errstate(divide="ignore", invalid="ignore"):
        needs = np.where(can, slice_rate / rate[:, classes], 0.0)
    dearest = float((needs * usd_per_h[:, None]).max(initial=1.0))
    program = Program()
    count = program.variables(len(reach), upper=np.floor(reach), cost=usd_per_h, integer=True)
    assigned = program.variables(can.shape, upper=1.0, integer=True, where=can)
    unserved = program.variables(len(classes), upper=1.0, cost=UNSERVED * dearest)
    program.add("slice", [(1.0, assigned.T), (1.0, unserved)], shape=len(classes), lower=1.0, upper=1.0)
    program.add("load", [(needs, assigned), (-1.0, count)], shape=len(reach), upper=0.0)
    solved = program.arrays().solve(gap=GAP, time_s=TIME_S, threads=1)
    if not len(solved.values):
        raise RuntimeError(f"Melange's allocation ended as {solved.status}")
    return solved[count]
