"""The fleets of `bench.steady` in a building: rows, loops and plants that are stepped in virtual time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench import steady

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet

BUILDING = "facility: {}, weather: dallas"
SYSTEM_IDLE_W, SYSTEM_BUSY_W = 8_000, 25_000  # of a rack-sized system, IT


def fleet(replicas: int, modelled: bool, large: bool = False) -> Fleet:
    """One pool of the measured machine; `modelled`: in a building; `large`: of the size of racks."""
    from meritorder.fleet.load import loads

    text = steady.fleet_text(replicas)
    if modelled:
        text = "start: 2023-07-14T00:00:00Z" + text.replace(
            "kg_per_kwh: 300 g/kWh}", f"kg_per_kwh: 300 g/kWh, {BUILDING}}}"
        )
    if large:
        text = text.replace("idle_w: 120", f"idle_w: {SYSTEM_IDLE_W}").replace(
            "busy_w: 550", f"busy_w: {SYSTEM_BUSY_W}"
        )
    return loads(text, "site.yaml")
