"""What the rates of a fleet's faults come to in the long run, without simulating anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from meritorder.facility.halls.seats import Placement
from meritorder.facility.parts import Part
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.simulate.faults.places import Places
from meritorder.simulate.faults.rates import rates_of
from meritorder.simulate.faults.reload import reload_s
from meritorder.simulate.faults.scheduled import scheduled

_DAY_S = 86_400.0


def expected(fleet: Fleet, replicas: Sequence[Replica], placement: Placement, parts: Sequence[Part]) -> dict[str, Any]:
    """`per_day`: failures a day by kind; `availability`: share of replica time up, by pool; `scheduled`: how many.

    A thing is down (mttr + reload) / (mtbf + mttr) of the time, those that a replica hangs on fail independently; parts
    of buildings, spares and a small crew are left out. Raises InputError where a fault names what is not there.
    """
    places = Places(fleet, replicas, placement)
    reload = reload_s(fleet, replicas)
    up = np.ones(int(places.first[-1]))
    per_day: dict[str, float] = {}
    for rate in rates_of(fleet.faults, places, parts):
        cycle_s = rate.mtbf_s + rate.mttr_s
        per_day[rate.things.what] = per_day.get(rate.things.what, 0.0) + rate.things.count * _DAY_S / cycle_s
        if rate.things.what == "slow":
            continue
        for number in range(rate.things.count):
            struck = rate.things.struck(places, number)
            # a release reaches a machine some time within the window, and then stays until it is stopped
            lost_s = min(0.5 * rate.window_s, rate.mttr_s)
            up[struck] *= np.maximum(1.0 - (rate.mttr_s - lost_s + reload[places.pools_of(struck)]) / cycle_s, 0.0)
    return {
        "per_day": per_day,
        "availability": {name: float(up[places.of_pool(name)].mean()) for name in fleet.pools},
        "scheduled": len(scheduled(fleet.faults, places, parts)),
    }
