"""What a pool draws by the number of its requests in flight.

Spread over all replicas it is concave: a machine with one request draws most of what a full one does. Packed onto few
it is nearly proportional.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.state import CURVE_ONE, CURVE_POINTS, ControlState
from meritorder.dispatch.choose import MERIT_ORDER
from meritorder.dispatch.power import busy_w
from meritorder.dispatch.state import FleetState

LEARN = 0.1  # part of a difference that is learned in a step
LEAST_W = 1.0  # of a pool; nothing is learned from less
LOADED = 0.25  # of `curve_n`; nor from fewer requests, which say little about many


@inlined
def between_w(fleet: FleetState, pool: int, in_flight: float, context_each: float) -> float:
    """Watts above idle of a replica with so many requests on average, of so many tokens each."""
    low = int(np.floor(in_flight))
    part = in_flight - low
    above = busy_w(fleet, pool, low + 1, (low + 1) * context_each) if part > 0.0 else 0.0
    return float((1.0 - part) * busy_w(fleet, pool, low, low * context_each) + part * above)


@compiled
def add_to_curve(
    control: ControlState,
    fleet: FleetState,
    pool: int,
    now: float,
    in_flight: float,
    context_each: float,
    times: float,
) -> None:
    """Add `times` replicas like one with so many of the pool's `now` requests, scaled to each point of its curve.

    A policy that packs has more or fewer replicas at work, up to all of them; others have more or fewer requests on
    each.
    """
    c, g = control.pools[pool], fleet.settings[0]
    packs = g.policy == MERIT_ORDER and g.pack != 0
    for k in range(1, CURVE_POINTS):
        requests = c.curve_n * k / CURVE_ONE
        each, at_work = in_flight * requests / now, times
        if packs:
            each = max(in_flight, requests / max(fleet.pools[pool].open, 1))
            at_work = times * requests / now * in_flight / each
        control.curves[pool, k] += at_work * between_w(fleet, pool, each, context_each)


@inlined
def curve_w(control: ControlState, pool: int, requests: float) -> float:
    """Watts above idle at so many requests in flight, by the tables."""
    c = control.pools[pool]
    if c.curve_n <= 0.0 or requests <= 0.0:
        return 0.0
    x = requests / c.curve_n * CURVE_ONE
    k = min(int(x), CURVE_POINTS - 2)  # beyond the last point as between the last two
    low = control.curves[pool, k]
    return float(low + (x - k) * (control.curves[pool, k + 1] - low))


@inlined
def follow(control: ControlState, pool: int, weight: float) -> None:
    """Smooth what the tables say as measured power is smoothed, and learn how the two compare."""
    c = control.pools[pool]
    c.model_w += weight * (curve_w(control, pool, c.requests) - c.model_w)
    if c.model_w > LEAST_W and c.busy_w > 0.0 and c.requests >= LOADED * c.curve_n:
        c.scale += LEARN * (c.busy_w / c.model_w - c.scale)


@inlined
def shift_w(control: ControlState, pool: int, requests: float) -> float:
    """Watts that a pool will draw more with so many requests than its smoothed power says."""
    c = control.pools[pool]
    return float(max(c.scale * (curve_w(control, pool, requests) - c.model_w), -c.busy_w))
