"""Machines that get too warm: first slower, then off.

Chips run at the hottest they may when the coolant is at the machine's limit at full power. A kelvin above it has to be
made up for by that much less power over the coolant: `stretch = 1 / (1 - (felt - limit - tolerance) / headroom)`.
"""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.facility.loop import felt_c
from meritorder.facility.state import TOO_HOT
from meritorder.records import Records

TOLERANCE_K = 1.0  # of control: nothing throttles within it
HEADROOM_K = 40.0  # chip above coolant at full power: 85 C against 45 C [G]
TRIP_K = 10.0  # above the limit machines shut down [G]


@inlined
def throttle(plant: Records, row: Records) -> None:
    """Set the row's `stretch` and its bit TOO_HOT, which goes only when it is back within the limit."""
    above = felt_c(plant, row) - row.limit_c
    row.stretch = 1.0 / (1.0 - min(max(0.0, above - TOLERANCE_K), TRIP_K) / HEADROOM_K)
    if above > TRIP_K:
        row.tripped |= TOO_HOT
    elif above <= TOLERANCE_K:
        row.tripped &= ~TOO_HOT
