"""Answers on their way out of a site: they share its wire, first come, first served."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.simulate.kernel.memory import SimState


@compiled
def wait_for_wire(sim: SimState, site: int, seconds: float, time: float) -> float:
    """Book an answer that takes so many seconds of the wire and is complete at `time`; returns how long it waits.

    An answer is booked as a whole when it ends: what it takes while it is made is not more than the wire has then.
    """
    begin = max(sim.egress[site], time)
    sim.egress[site] = begin + seconds
    return float(begin - time)
