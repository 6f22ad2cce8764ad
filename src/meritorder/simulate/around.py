"""What stands around the machines of a run: buildings, the controller, and what breaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.control.build import build_control
from meritorder.control.state import ControlState
from meritorder.facility.build import build_facility, wanted
from meritorder.facility.halls.seats import Placement, placement
from meritorder.facility.parts import parts_of
from meritorder.facility.state import FacilityState
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.simulate.faults.outage import Outages
from meritorder.simulate.faults.reload import reload_s
from meritorder.simulate.faults.schedule import outages as drawn

# Requests are still under way when the last one has come: faults are drawn so much further.
BEYOND_S = 86_400.0


@dataclass(frozen=True)
class Around:
    """Fresh states; `ticks`: whether anything of it needs virtual time to be looked at step by step."""

    ticks: bool
    placed: Placement | None  # where machines stand, if that matters
    facility: FacilityState
    control: ControlState
    outages: Outages
    reload_s: npt.NDArray[np.float64]  # [pools]
    weights: npt.NDArray[np.float64]  # [pools]: replicas that a simulated one stands for


def around(
    fleet: Fleet,
    replicas: Sequence[Replica],
    duration_s: float,
    seed: int,
    outages: Outages | None = None,
    simulated: Sequence[int] | None = None,
) -> Around:
    """The surroundings of a run of `duration_s`; `replicas`: one per pool; `outages` replace the drawn ones.

    `simulated`: how many replicas of each pool are simulated, where not all are.
    """
    breaks = outages is None and bool(fleet.faults.rates or fleet.faults.at)
    model = wanted(fleet)
    placed = placement(fleet, dict(zip(fleet.pools, replicas, strict=True))) if breaks or model else None
    if outages is None:
        parts = parts_of(fleet, placed) if placed is not None else ()
        outages = drawn(fleet, replicas, placed, parts, duration_s + BEYOND_S, seed, simulated)
    facility = build_facility(fleet, replicas, placed=placed, simulated=simulated, span_s=duration_s)
    return Around(
        ticks=model or len(outages.outages) > 0,
        placed=placed,
        facility=facility,
        control=build_control(fleet, replicas, facility, simulated),
        outages=outages,
        reload_s=reload_s(fleet, replicas),
        weights=_weights(fleet, simulated),
    )


def _weights(fleet: Fleet, simulated: Sequence[int] | None) -> npt.NDArray[np.float64]:
    real = np.array([pool.replicas for pool in fleet.pools.values()], np.float64)
    return np.ones(len(real)) if simulated is None else real / simulated
