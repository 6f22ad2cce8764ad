"""Batteries at the meter, over a typical day.

    charge + discharge <= power + bought / hours
    efficiency x sum_r w_r charge = sum_r w_r discharge
    discharge of a day <= energy + bought              one cycle
    discharge <= facility power + charge               nothing is fed into the grid

The design hour and contingencies last for `PEAK_H` hours, so that no more than energy / PEAK_H is had there.
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.model.draft import Draft
from meritorder.plan.model.power import by_site
from meritorder.plan.model.scenarios import shared, speaks

DAY_H = 24.0
PEAK_H = 4.0  # evening peaks and curtailments last about so long


def buy_batteries(draft: Draft) -> None:
    """Column `battery` [T,J,S], which only grows."""
    program, columns, ground = draft.program, draft.columns, draft.instance.ground
    most = ground.battery_most_j / draft.scale.joules
    columns.battery = shared(program, draft.tree.past, (len(most),), upper=most, where=most > 0)
    before = np.concatenate([np.full_like(columns.battery[:1], -1), columns.battery[:-1]])
    program.add(
        "battery bought",
        [(1.0, columns.battery), (-1.0, before)],
        shape=before.shape,
        lower=0.0,
        where=(before >= 0) & speaks(draft.tree.past)[..., None],
    )


def batteries(draft: Draft) -> None:
    """Columns `charge`, `discharge`; rows of power, cycle, balance, export."""
    program, columns, sit = draft.program, draft.columns, draft.situations
    ground, demand, size = draft.instance.ground, draft.instance.demand, draft.instance.shape
    stands = (ground.battery_most_j > 0) | (ground.battery_w > 0)
    shape = (len(sit.period), size["S"])
    columns.charge = program.variables(shape, where=stands & (sit.seconds > 0)[:, None])
    columns.discharge = program.variables(shape, where=stands)
    bought = draft.at(columns.battery)
    watts, joules = ground.battery_w / draft.scale.watts, ground.battery_j / draft.scale.joules
    program.add(
        "battery power",
        [(1.0, columns.charge), (1.0, columns.discharge), (-1.0 / ground.battery_hours, bought)],
        shape=shape,
        upper=watts,
        where=stands,
    )
    program.add(
        "battery peak",
        [(PEAK_H, columns.discharge), (-1.0, bought)],
        shape=shape,
        upper=joules,
        where=stands & (sit.seconds <= 0)[:, None],
    )
    program.add(
        "battery export",
        [(1.0, columns.discharge), (-1.0, columns.charge), (-1.0, by_site(draft, columns.facility))],
        shape=shape,
        upper=0.0,
        where=stands,
    )
    main = sit.ordinary
    charge, discharge = (  # [T,J,S,R]
        np.transpose(block[main].reshape(size["T"], size["R"], size["J"], size["S"]), (0, 2, 3, 1))
        for block in (columns.charge, columns.discharge)
    )
    lasts = demand.seconds.sum(axis=1, keepdims=True)
    hours = np.divide(demand.seconds * DAY_H, lasts, out=np.zeros_like(demand.seconds), where=lasts > 0)[:, None, None]
    per_day = (size["T"], size["J"], size["S"])
    program.add(
        "battery cycle", [(hours, discharge), (-1.0, columns.battery)], shape=per_day, upper=joules, where=stands
    )
    program.add(
        "battery balance",
        [(ground.battery_efficiency[:, None] * hours, charge), (-hours, discharge)],
        shape=per_day,
        lower=0.0,
        upper=0.0,
        where=stands,
    )
