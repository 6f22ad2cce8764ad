"""What a joule at the machines costs, for dispatch."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.control.state import ControlState
from meritorder.facility.state import FacilityState
from meritorder.units import JOULES_PER_KWH


@inlined
def price_energy(control: ControlState, facility: FacilityState) -> None:
    """USD per IT joule: what one more of them costs at the meter, carbon counted at the fleet's price."""
    carbon_usd = control.settings[0].carbon_usd_per_kg
    for site in range(len(control.sites)):
        f = facility.sites[site]
        usd_per_kwh = f.usd_per_kwh + f.kg_per_kwh * carbon_usd
        control.sites[site].usd_per_j = f.marginal_pue * usd_per_kwh / JOULES_PER_KWH
