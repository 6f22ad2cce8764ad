"""`TRAIN`: the electrical path of a site, and what each of its stages loses.

A stage loses `rating (no_load + proportional x + square x^2)` watts at part load `x = load / rating`. Modules share the
load evenly, so redundancy comes in by the rating that is switched on: 2N at 80 % of the need is 40 % a module.
Sources of the curves: docs/facility.md.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import inlined
from meritorder.facility.state import FacilityState

TRAIN = np.dtype(
    [
        # loss curves: no load, proportional, square, in parts of the rating
        *((f"{stage}_{term}", "f8") for stage in ("transformer", "ups", "distribution", "shelf") for term in "abc"),
        ("capacity_w", "f8"),  # critical power that the UPS carry without their spares
        ("module_w", "f8"),
        ("modules", "i4"),  # installed, spares included
        ("modules_up", "i4"),
        ("feeds", "i4"),
        ("feeds_up", "u4"),  # bit mask
        ("feed_w", "f8"),  # rating of one feed's transformers
        ("distribution_w", "f8"),  # rating of all busways and cables together
        ("grid_up", "i4"),
        ("outage_s", "f8"),  # since the grid failed; 0: it has not
        ("generator_w", "f8"),  # 0: none
        ("generator_start_s", "f8"),
        ("generator_usd_per_j", "f8"),
        ("generator_kg_per_j", "f8"),
        ("battery_j", "f8"),  # of all UPS modules, full
        ("battery_now_j", "f8"),
        ("battery_charge_w", "f8"),
        ("storage_w", "f8"),
        ("storage_j", "f8"),
        ("storage_now_j", "f8"),
        ("storage_efficiency", "f8"),  # of charging; discharging gives all that is in
        ("shave_w", "f8"),  # discharge above these grid watts
        ("overload_s", "f8"),  # heat of breakers and UPS: see `facility/trips.py`
        # now (of the last step)
        ("path_w", "f8"),  # critical power that modules and feeds carry now
        ("shelf_loss_w", "f8"),
        ("distribution_loss_w", "f8"),
        ("ups_loss_w", "f8"),
        ("transformer_loss_w", "f8"),
        ("battery_loss_w", "f8"),  # of charging
        ("room_w", "f8"),  # heat of the last step's losses indoors, which the air plant gets in the next
        ("dead", "i4"),  # nothing feeds the UPS and batteries are empty
    ]
)


@inlined
def loss_w(rating_w: float, a: float, b: float, c: float, load_w: float) -> float:
    """Watts lost by stages of this rating together at a load (what they give)."""
    if rating_w <= 0.0:
        return 0.0
    return rating_w * a + load_w * (b + c * load_w / rating_w)


@inlined
def feeds_on(facility: FacilityState, site: int) -> int:
    """How many feeds of a site are up."""
    train = facility.trains[site]
    count = 0
    for k in range(train.feeds):
        count += int((train.feeds_up >> np.uint32(k)) & np.uint32(1))
    return count
