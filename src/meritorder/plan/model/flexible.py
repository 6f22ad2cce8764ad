"""Requests that may wait.

    sum_f x_r + u_r + sum_r' m_{r,r'} - sum_r' m_{r',r} w_r' / w_r = D_r       m: moved to a later hour within shift_k
    sum_r' m_{r,r'} <= D_r
    put off in the design hour <= (1 - firm_k) D

The design hour has no neighbours. There a class may be lowered as far as its typical day could be levelled: `firm` is
the least steady rate that serves every request of the day within its wait, over the day's peak.
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Floats, Instance
from meritorder.plan.model.draft import Draft

DAY_H = 24.0


def flexible(draft: Draft) -> None:
    """Columns `moved`, `put_off`, terms in the rows of demand."""
    program, columns, sit = draft.program, draft.columns, draft.situations
    demand, size = draft.instance.demand, draft.instance.shape
    if not (demand.shift_h > 0).any():
        return
    main = sit.ordinary
    asked = (sit.asked / draft.scale.requests)[main].reshape(size["T"], size["R"], size["J"], size["K"])
    rows = program.families["demand"][main].reshape(asked.shape)  # [T,R,J,K]
    wait = (demand.clock[None, :] - demand.clock[:, None]) % DAY_H  # [R,R'] NaN at the design hour
    near = (wait > 0) & (wait[None] <= demand.shift_h[:, None, None])  # [K,R,R']
    lasts = demand.seconds > 0  # [T,R]
    both = (lasts[:, :, None] & lasts[:, None, :])[:, None, None]  # [T,1,1,R,R']
    shape = (size["T"], size["J"], size["K"], size["R"], size["R"])
    columns.moved = program.variables(shape, where=np.broadcast_to(near & both, shape))
    by_row = np.transpose(rows, (0, 2, 3, 1))  # [T,J,K,R]
    with np.errstate(divide="ignore", invalid="ignore"):
        stretch = demand.seconds[:, :, None] / demand.seconds[:, None, :]  # [T,R,R'] w_r / w_r'
    stretch = np.where(np.isfinite(stretch), stretch, 0.0)[:, None, None]
    program.put(by_row[..., :, None], 1.0, columns.moved)
    program.put(by_row[..., None, :], -stretch, columns.moved)
    program.add(
        "moved",
        [(1.0, columns.moved)],
        shape=shape[:4],
        upper=np.transpose(asked, (0, 2, 3, 1)),
        where=(columns.moved >= 0).any(axis=4),
    )
    design = np.isnan(demand.clock)[sit.hour]
    slack = (1.0 - firm(draft.instance)) * sit.asked / draft.scale.requests
    columns.put_off = program.variables(slack.shape, upper=slack, where=design[:, None] & (slack > 0))
    program.put(program.families["demand"], 1.0, columns.put_off)


def firm(instance: Instance) -> Floats:
    """[K] share of the design hour's demand that can't be put off."""
    demand = instance.demand
    if demand.firm is not None:
        return demand.firm
    typical = np.flatnonzero(~np.isnan(demand.clock) & (demand.seconds.sum(axis=0) > 0))
    if not len(typical):
        return np.ones(len(demand.shift_h))
    order = typical[np.argsort(demand.clock[typical], kind="stable")]
    hours = demand.seconds.sum(axis=0)[order]
    hours = hours / hours.sum() * DAY_H
    profile = demand.requests.mean(axis=(0, 3))[:, order]
    return np.array([_level(day, hours, wait) for day, wait in zip(profile, demand.shift_h, strict=True)])


def _level(day: Floats, hours: Floats, wait: float) -> float:
    """Least steady rate for a day of `hours` that goes round and round, over its peak."""
    count, peak = len(day), float(day.max())
    if peak <= 0 or wait <= 0:
        return 1.0
    volume, length = np.concatenate([day * hours] * 2), np.concatenate([hours] * 2)
    level = float((day * hours).sum() / hours.sum())  # the whole day can't wait
    for first in range(count):
        asked, room = np.cumsum(volume[first : first + count]), np.cumsum(length[first : first + count])
        level = max(level, float((asked / (room + wait)).max()))
    return min(level / peak, 1.0)
