"""How long machines stay within their limit after something of the cooling is lost, in closed form.

What warms up is the heat capacity still coupled to the machines: cold plates alone without the CDU's flow, with the
row's coolant without the plant's pumps, with all water of the plant without chillers or towers. Once settled, all of it
rises by `Q / C` (so that `t = C dT / Q`); before, temperatures shift against each other by exponentials of the loop's
own time constants. Both parts are exact for the loops of `loop.py` at constant heat and flows.
"""

from __future__ import annotations

from math import inf
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.facility.loop import exchange, own_w
from meritorder.facility.removal import affinity, flow_of, pumps_w
from meritorder.records import Records

Floats: TypeAlias = npt.NDArray[np.float64]
Loss: TypeAlias = Literal["cdu", "pump", "rejection"]

_HALVINGS = 80


def ride_through_s(plant: Records, row: Records, lost: Loss, to_c: float | None = None, removed: float = 0.0) -> float:
    """Seconds from the loss until the machines' coolant (without a CDU: what cold plates stand for) reaches `to_c`.

    `to_c` is the row's limit where it is not given. `row` has its heat and its temperatures of now; other rows of the
    plant are taken to be like it. "cdu": the row's coolant stands still; "pump": the plant's water does; "rejection":
    the plant removes no more than `removed` of the heat that comes in. Infinity where it is never reached.
    """
    limit = float(row.limit_c) if to_c is None else to_c
    size, heat = float(row.design_w), float(own_w(plant, row))
    flow = flow_of(plant, heat / size)
    mover = float(plant.mover * size * affinity(flow))
    plate, coolant = float(plant.plate_j_k * size), float(plant.secondary_j_k * size)
    if lost == "cdu":
        away = limit + float(plant.plate_k) - float(row.cold_plate_c)
        return inf if heat <= 0.0 else max(0.0, plate * away / heat)
    w_s, e_c, g_x, w_p = exchange(plant, size, flow, 0.0 if lost == "pump" else flow)
    g_c = e_c * w_s
    if lost == "pump":
        capacity = np.array([plate, coolant])
        flows = np.array([[-g_c, g_c], [g_c, -g_c]])
        return _until(capacity, flows, np.array([heat, mover]), np.array([row.cold_plate_c, row.secondary_c]), limit)
    part = size / float(plant.design_w)
    gained = heat + mover + part * float(pumps_w(plant, heat / size))
    pipes, water = float(plant.primary_j_k * size), part * float(plant.water_j_k)
    through = g_x * np.array([e_c, 1.0 - e_c, -1.0, 0.0])
    flows = np.array(
        [
            [-g_c, g_c, 0.0, 0.0],
            np.array([g_c, -g_c, 0.0, 0.0]) - through,
            [0.0, 0.0, -w_p, w_p],
            through + np.array([0.0, 0.0, w_p, -w_p]),
        ]
    )
    sources = np.array([heat, mover, 0.0, gained - heat - mover - removed * gained])
    now = np.array([row.cold_plate_c, row.secondary_c, row.primary_c, plant.supply_c])
    return _until(np.array([plate, coolant, pipes, water]), flows, sources, now, limit)


def _until(capacity: Floats, flows: Floats, sources: Floats, now: Floats, limit: float) -> float:
    """When the second of the masses (the coolant) reaches `limit`: `capacity dT/dt = flows T + sources`.

    Columns of `flows` add up to 0 (no heat is lost), so that all masses end in one ramp, from which they differ by
    modes that die out.
    """
    rate = float(sources.sum() / capacity.sum())
    # Where the ramp lies: flows T = capacity rate - sources, with the heat content of now.
    equations = np.vstack([flows, capacity / capacity.sum()])
    ramp = np.linalg.lstsq(equations, np.append(capacity * rate - sources, (capacity * now).sum() / capacity.sum()))[0]
    values, vectors = np.linalg.eig(flows / capacity[:, None])
    amplitudes = np.linalg.solve(vectors, (now - ramp).astype(complex))

    def coolant(seconds: float) -> float:
        return float(ramp[1] + rate * seconds + (vectors[1] * amplitudes * np.exp(values * seconds)).sum().real)

    if now[1] >= limit:
        return 0.0
    if rate <= 0.0:
        return inf
    low, high = 0.0, max(1.0, float(limit - ramp[1]) / rate)
    while coolant(high) < limit:
        low, high = high, 2.0 * high + 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if coolant(middle) < limit else (low, middle)
    return high
