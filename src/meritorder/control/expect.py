"""What a pool would draw, and do to its requests, under each of its power limits: from its tables, as it is loaded now.

A few of its busy replicas, evenly spread, stand for all. Only ratios are taken from this; watts are those measured.
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.control.curve import add_to_curve, curve_w
from meritorder.control.state import CURVE_POINTS, HOLD_POWER, PARTS, ControlState
from meritorder.dispatch.caps import use_level
from meritorder.dispatch.power import busy_w
from meritorder.dispatch.predict import prefill_s, tpot_s
from meritorder.dispatch.state import FleetState

SAMPLE = 16  # replicas of a pool that are looked at
QUIET = 0.1  # of the requests in flight: less to come than this is nothing
LEARN = 0.1  # part of a difference that is learned in a step


@inlined
def requests_of(fleet: FleetState, replica: int, service: int) -> int:
    """Requests of a service in flight on a replica, those whose prompts were computed elsewhere included."""
    s = fleet.services[service]
    number = int(fleet.mix[replica, service])
    for choice in range(s.first + s.whole, s.first + s.count):
        number += int(fleet.mix[replica, fleet.choices[choice].leg])
    return number


@inlined
def next_busy(fleet: FleetState, replica: int, stop: int) -> int:
    """The first replica from here on with a request in flight; `stop`: none before it."""
    while replica < stop and fleet.replicas[replica].in_flight == 0:
        replica += 1
    return replica


@inlined
def prompt_s(fleet: FleetState, pool: int, in_flight: int, context: float) -> float:
    """Seconds that the mean prompt takes beside the others of a replica."""
    p = fleet.pools[pool]
    batch = min(max(in_flight - 1, 0), p.max_sequences - 1)
    new = max(int(p.mean_new), 1)
    return float(prefill_s(fleet, pool, batch, context * batch / max(in_flight, 1), new, 0.5 * new * new))


@inlined
def beyond(seconds: float, target: float, at_full: float) -> float:
    """By how much more of its target a time exceeds it than at full power."""
    return float(max(seconds / target - 1.0, 0.0) - max(at_full / target - 1.0, 0.0))


@compiled
def harm_of(
    fleet: FleetState, replica: int, first: float, tpot: float, full_first: float, full_tpot: float, output: float
) -> float:
    """What slower prompts and tokens do to the requests of a replica: by each one's weight, how much longer it takes,
    and how much further it is beyond its targets, both as parts.
    """
    slower = (first + output * tpot) / (full_first + output * full_tpot) - 1.0
    harm = 0.0
    for service in range(len(fleet.services)):
        number = fleet.mix[replica, service]
        if number > 0:
            s = fleet.services[service]
            late = beyond(first, s.ttft_s, full_first) + beyond(tpot, s.tpot_s, full_tpot)
            harm += s.weight * number * (max(slower, 0.0) + late)
    return harm


@compiled
def look(control: ControlState, fleet: FleetState, pool: int) -> None:
    """Write the pool's options, its curve, its weight, and what each service has in flight there.

    Once a step is enough, and is all that is done.
    """
    tick = control.settings[0].tick
    c = control.pools[pool]
    if c.seen == tick:
        return
    c.seen = tick
    p = fleet.pools[pool]
    in_force = p.cap
    for level in range(c.levels):
        control.options[c.option + level].watts = control.options[c.option + level].harm = 0.0
    for service in range(len(control.services)):
        control.closures[service, pool].requests = 0.0
    c.weight = 0.0
    use_level(fleet, pool, c.level)
    looked, in_flight = 0, 0
    residence = 0.0
    strata = min(SAMPLE, p.count)
    for k in range(strata):
        stop = p.first + (k + 1) * p.count // strata
        replica = next_busy(fleet, p.first + k * p.count // strata, stop)
        if replica < stop:
            residence += weigh_options(control, fleet, pool, replica)
            looked += 1
            in_flight += fleet.replicas[replica].in_flight
            count_services(control, fleet, pool, replica)
    times = p.in_flight / max(in_flight, 1)
    for service in range(len(control.services)):
        closure = control.closures[service, pool]
        closure.requests *= times
        demand_of(control, service, pool)
    draw_curve(control, fleet, pool, times)
    use_level(fleet, pool, in_force)
    if looked > 0:
        c.residence_s = residence / looked


@compiled
def weigh_options(control: ControlState, fleet: FleetState, pool: int, replica: int) -> float:
    """Add watts and harm of a replica to the pool's options; returns how long a request stays at the present one."""
    c, r = control.pools[pool], fleet.replicas[replica]
    context = float(r.context)
    output = max(fleet.pools[pool].mean_output, 1.0)
    full_first = full_tpot = stays = 0.0
    for level in range(c.levels):
        use_level(fleet, pool, level)
        first, tpot = prompt_s(fleet, pool, r.in_flight, context), tpot_s(fleet, pool, r.in_flight, context, output)
        if level == 0:
            full_first, full_tpot = first, tpot
        if level == c.level:
            stays = first + output * tpot
        option = control.options[c.option + level]
        option.watts += busy_w(fleet, pool, r.in_flight, context)
        option.harm += harm_of(fleet, replica, first, tpot, full_first, full_tpot, output)
    use_level(fleet, pool, c.level)
    return stays


@compiled
def count_services(control: ControlState, fleet: FleetState, pool: int, replica: int) -> None:
    """Add a replica's requests to those of their services, and note the weight of the most important one."""
    c = control.pools[pool]
    for service in range(len(control.services)):
        number = requests_of(fleet, replica, service)
        if number > 0:
            c.weight = max(c.weight, fleet.services[service].weight)
            control.closures[service, pool].requests += number


@inlined
def demand_of(control: ControlState, service: int, pool: int) -> None:
    """What a service would have in flight in a pool if none of its requests were kept away: as far as one can see.

    While parts are closed it is learned slowly, the more slowly the less is open, and only once all is quiet.
    """
    closure = control.closures[service, pool]
    open_parts = PARTS - closure.moved - closure.shed
    if control.services[service].hold & HOLD_POWER != 0:
        return
    if open_parts == PARTS:
        closure.demand = max(closure.requests + closure.coming, 0.0)
    elif open_parts > 0 and abs(closure.coming) < QUIET * closure.requests:
        seen = closure.requests * PARTS / open_parts
        closure.demand += LEARN * open_parts / PARTS * (seen - closure.demand)


@compiled
def draw_curve(control: ControlState, fleet: FleetState, pool: int, times: float) -> None:
    """Draw the pool's curve up to half above what would be in flight; of an idle pool as if all replicas shared it."""
    c, p = control.pools[pool], fleet.pools[pool]
    demand = 0.0
    for service in range(len(control.services)):
        demand += max(control.closures[service, pool].demand, control.closures[service, pool].requests)
    c.curve_n = max(demand, c.requests, float(p.open), 1.0)
    for k in range(CURVE_POINTS):
        control.curves[pool, k] = 0.0
    if c.requests <= 0.0:
        each = p.mean_new + p.mean_landed + 0.5 * p.mean_square / p.mean_output
        add_to_curve(control, fleet, pool, c.curve_n, c.curve_n / max(p.open, 1), each, float(p.open))
        return
    strata = min(SAMPLE, p.count)
    for k in range(strata):
        stop = p.first + (k + 1) * p.count // strata
        replica = next_busy(fleet, p.first + k * p.count // strata, stop)
        if replica < stop:
            r = fleet.replicas[replica]
            add_to_curve(control, fleet, pool, c.requests, float(r.in_flight), r.context / r.in_flight, times)
    if c.model_w <= 0.0:
        c.model_w = curve_w(control, pool, c.requests)
        c.scale = c.busy_w / c.model_w if c.model_w > 0.0 and c.busy_w > 0.0 else 1.0


@inlined
def cap_w(control: ControlState, pool: int, level: int) -> float:
    """Watts that a pool would draw less under power limit `level` than under the present one."""
    c = control.pools[pool]
    now = control.options[c.option + c.level].watts
    if now <= 0.0:
        return 0.0
    return float(c.busy_w * (1.0 - control.options[c.option + level].watts / now))
