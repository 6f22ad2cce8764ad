"""When a prefix has come back from the slow tier, or is not wanted any more. Rare, so out of the hot path's code."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel.blocks import give_back, unit_blocks
from meritorder.simulate.kernel.interrupt import interrupt
from meritorder.simulate.kernel.lists import link, unlink
from meritorder.simulate.kernel.memory import BACK, COMING, NOBODY, SimState


@compiled
def came(fleet: FleetState, sim: SimState, request: int, time: float) -> int:
    """A prefix has come back. Returns the engine if it has to be scheduled now, else it looks up after the iteration.

    Where the client has left meanwhile, the room becomes free then.
    """
    q = sim.requests[request]
    replica = q.replica
    e = sim.engines[replica]
    idle = e.n == 0
    if q.status == COMING:
        q.status = BACK
        link(sim, sim.tiers[replica], request, NOBODY)
        e.waiting += 1
    elif idle:
        give_up_return(fleet, sim, request)
    else:
        q.next_cancel = e.cancels
        e.cancels = request
    if idle:
        e.now = time
        return int(replica)
    interrupt(fleet, sim, replica, time)
    return NOBODY


@inlined
def give_up_return(fleet: FleetState, sim: SimState, request: int) -> None:
    """Free what is kept for a prompt whose prefix has come back, and its place."""
    q = sim.requests[request]
    pool = fleet.replicas[q.replica].pool
    target = sim.prompt[request] + q.generated
    sim.tiers[q.replica].reserved -= 1
    give_back(sim, q.replica, request, target, fleet.pools[pool].block_tokens, unit_blocks(fleet, sim, pool))


@compiled
def drop_back(fleet: FleetState, sim: SimState, request: int) -> None:
    """The client of a request leaves whose prefix has come back."""
    replica = sim.requests[request].replica
    unlink(sim, sim.tiers[replica], request)
    sim.engines[replica].waiting -= 1
    give_up_return(fleet, sim, request)
