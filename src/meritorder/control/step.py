"""`control_step`: the one controller that simulator and gateway ask what to do about power."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.control.prices import price_energy
from meritorder.control.state import ControlState
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import FacilityState


@compiled
def control_step(control: ControlState, facility: FacilityState, fleet: FleetState, time: float, dt: float) -> None:
    """Look at the sites as they are at `time`, `dt` seconds after the last look, and write orders into `control`.

    Nothing is changed in `fleet`: who calls carries the orders out.
    """
    price_energy(control, facility)
