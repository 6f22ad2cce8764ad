"""Cutting a jump short."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.state import FleetState
from meritorder.dispatch.tournament import set_key
from meritorder.simulate.kernel.jump import iterations_until, total
from meritorder.simulate.kernel.memory import SimState
from meritorder.simulate.kernel.schedule import decode_terms


@inlined
def interrupt(fleet: FleetState, sim: SimState, replica: int, time: float) -> None:
    """End the present jump with the first iteration that ends at `time` or later."""
    e = sim.engines[replica]
    if e.single != 0 or e.n <= 1:
        return
    base, slope = decode_terms(fleet, sim, replica)
    n = iterations_until(base, slope, e.kv, e.decoding, time - e.now)
    if n < e.n:
        e.n = n
        boundary = e.now + total(base, slope, e.kv, e.decoding, n)
        set_key(sim.timeline, 0, len(sim.timeline) >> 1, replica, boundary)
