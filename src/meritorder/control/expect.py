"""What a pool would draw, and do to its requests, under each of its power limits: from its tables, as it is loaded now.

A few of its busy replicas, evenly spread, stand for all. Only ratios are taken from this; watts are those measured.
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.control.state import ControlState
from meritorder.dispatch.caps import use_level
from meritorder.dispatch.power import busy_w
from meritorder.dispatch.predict import prefill_s, tpot_s
from meritorder.dispatch.state import FleetState

SAMPLE = 16  # replicas of a pool that are looked at


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
    """Write the pool's options, its weight, and what each service has in flight there; once a step is enough."""
    tick = control.settings[0].tick
    c = control.pools[pool]
    if c.seen == tick:
        return
    c.seen = tick
    p = fleet.pools[pool]
    in_force = p.cap
    for level in range(c.levels):
        option = control.options[c.option + level]
        option.watts = option.harm = 0.0
    for service in range(len(control.services)):
        control.closures[service, pool].requests = 0.0
        control.closures[service, pool].drop_w = 0.0
    c.weight = c.looked_w = c.residence_s = 0.0
    looked = in_flight = 0
    strata = min(SAMPLE, p.count)
    for k in range(strata):
        stop = p.first + (k + 1) * p.count // strata
        replica = next_busy(fleet, p.first + k * p.count // strata, stop)
        if replica == stop:
            continue
        r = fleet.replicas[replica]
        looked += 1
        in_flight += r.in_flight
        context = float(r.context)
        output = max(p.mean_output, 1.0)
        full_first = full_tpot = 0.0
        for level in range(c.levels):
            use_level(fleet, pool, level)
            first, tpot = prompt_s(fleet, pool, r.in_flight, context), tpot_s(fleet, pool, r.in_flight, context, output)
            if level == 0:
                full_first, full_tpot = first, tpot
            option = control.options[c.option + level]
            option.watts += busy_w(fleet, pool, r.in_flight, context)
            option.harm += harm_of(fleet, replica, first, tpot, full_first, full_tpot, output)
            if level == c.level:
                c.residence_s += first + output * tpot
        use_level(fleet, pool, c.level)
        watts = busy_w(fleet, pool, r.in_flight, context)
        c.looked_w += watts
        for service in range(len(control.services)):
            number = requests_of(fleet, replica, service)
            if number > 0:
                c.weight = max(c.weight, fleet.services[service].weight)
                rest = r.in_flight - number
                closure = control.closures[service, pool]
                closure.requests += number
                closure.drop_w += watts - busy_w(fleet, pool, rest, context * rest / r.in_flight)
    use_level(fleet, pool, in_force)
    if looked > 0:
        c.residence_s /= looked
        for service in range(len(control.services)):
            control.closures[service, pool].requests *= p.in_flight / in_flight


@inlined
def drop_w(control: ControlState, service: int, pool: int) -> float:
    """Watts that all requests of a service in flight in a pool draw: what it would draw less without them."""
    c = control.pools[pool]
    if c.looked_w <= 0.0:
        return 0.0
    return float(max(c.busy_w * control.closures[service, pool].drop_w / c.looked_w, 0.0))


@inlined
def cap_w(control: ControlState, pool: int, level: int) -> float:
    """Watts that a pool would draw less under power limit `level` than under the present one."""
    c = control.pools[pool]
    now = control.options[c.option + c.level].watts
    if now <= 0.0:
        return 0.0
    return float(c.busy_w * (1.0 - control.options[c.option + level].watts / now))
