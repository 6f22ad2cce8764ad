"""Water that leaves by evaporation, and what is bled off to keep salts from thickening."""

from __future__ import annotations

from meritorder.compiled import inlined

EVAPORATION_J_L = 2.45e6  # heat to evaporate a litre at about 20 C: 1.47 L per kWh


@inlined
def make_up_l_s(evaporated_heat_w: float, cycles: float) -> float:
    """Litres per second drawn for heat that leaves with vapour; of `cycles` parts concentrated, one is bled off."""
    return evaporated_heat_w / EVAPORATION_J_L * cycles / (cycles - 1.0)
