"""What changes in a `FleetState` when a request is sent, answers for the first time, and ends.

After any of these, and before the next `choose`, call `settle`: it puts the replica where it now belongs.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.predict import tpot_s, ttft_s
from meritorder.dispatch.state import BY_PREDICTION, BY_REQUESTS, BY_TOKENS, FleetState
from meritorder.dispatch.tournament import set_key
from meritorder.records import Records

# A running mean forgets what lies more than so many requests back.
MEMORY = 4096

# One observation moves the speed of a replica by so much of the way.
OBSERVATION = 1 / 16

# The order of a pool is renewed after so many requests per replica, and earlier while its means are young.
RENEW = 4

# `since` fits below one request in flight, and both into the 53 bits of a float.
_CLOCK_RANGE = 1 << 33


@inlined
def order_key(state: FleetState, replica: int) -> float:
    """What the replicas of a pool are ordered by: the first has the smallest."""
    r = state.replicas[replica]
    order = state.settings[0].order
    if order == BY_REQUESTS:
        return float(r.in_flight) * _CLOCK_RANGE + float(r.since % _CLOCK_RANGE)
    if order == BY_TOKENS:
        return float(r.context)
    p = state.pools[r.pool]
    tpot = r.speed * tpot_s(state, r.pool, r.in_flight + 1, r.context + p.mean_new + p.mean_landed, p.mean_output)
    ttft = ttft_s(state, replica, max(int(p.mean_new), 1), 0, tpot)
    return ttft + tpot * p.mean_output


@inlined
def reorder(state: FleetState, replica: int) -> None:
    """Put a replica where it belongs among the others of its pool."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    if state.settings[0].order != 0:
        set_key(state.keys, p.tree, p.tree_size, replica - p.first, order_key(state, replica))
    if state.settings[0].by_level != 0:
        level = min(r.in_flight, p.max_sequences)
        if level != r.level:
            if r.level >= 0:
                leave_level(state, replica)
            enter_level(state, replica, level)


@inlined
def withdraw(state: FleetState, replica: int) -> None:
    """Take a replica out of its pool's order, so that it is not chosen; `reorder` puts it back."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    if state.settings[0].order != 0:
        set_key(state.keys, p.tree, p.tree_size, replica - p.first, np.inf)
    if r.level >= 0:
        leave_level(state, replica)
        r.level = -1


@inlined
def renew(state: FleetState, pool: int) -> None:
    """Put all replicas of a pool where they belong, now and then.

    What is predicted leans on the pool's means. Replicas that nobody touched for long are still ordered by those of
    then: without this a first guess that was too long would keep them idle for ever.
    """
    p = state.pools[pool]
    if p.sent >= p.renew_at:
        p.renew_at = p.sent + max(min(p.sent, RENEW * p.count), 1)
        if state.settings[0].order == BY_PREDICTION:
            predict_all(state, pool)


@compiled
def predict_all(state: FleetState, pool: int) -> None:
    """New keys for all open replicas of a pool."""
    p = state.pools[pool]
    for replica in range(p.first, p.first + p.count):
        if state.replicas[replica].closed == 0:
            set_key(state.keys, p.tree, p.tree_size, replica - p.first, order_key(state, replica))


@inlined
def settle(state: FleetState) -> None:
    """Put the replica that was touched last where it belongs; one replica may be touched between two calls."""
    g = state.settings[0]
    if g.touched >= 0:
        reorder(state, g.touched)
        renew(state, state.replicas[g.touched].pool)
        g.touched = -1


@compiled
def order_all(state: FleetState) -> None:
    """Put every replica where it belongs: before the first request."""
    for replica in range(len(state.replicas)):
        reorder(state, replica)


@inlined
def leave_level(state: FleetState, replica: int) -> None:
    """Take a replica out of the list of those with equally many requests in flight."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    level = state.levels[p.levels + r.level]
    if r.previous >= 0:
        state.replicas[r.previous].next = r.next
    else:
        level.head = r.next
    if r.next >= 0:
        state.replicas[r.next].previous = r.previous
    else:
        level.tail = r.previous
    if level.head < 0:
        word = p.level_words + (r.level >> 5)
        state.level_words[word] &= ~(1 << (r.level & 31))


@inlined
def enter_level(state: FleetState, replica: int, number: int) -> None:
    """Append a replica to the list of those with `number` requests in flight: the one waiting longest is first."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    level = state.levels[p.levels + number]
    r.level = number
    r.next = -1
    r.previous = level.tail
    if level.tail >= 0:
        state.replicas[level.tail].next = replica
    else:
        level.head = replica
        word = p.level_words + (number >> 5)
        state.level_words[word] |= 1 << (number & 31)
    level.tail = replica


@compiled
def tighten(state: FleetState, replica: int) -> None:
    """Find the tightest time per token that anybody in flight on the replica was promised."""
    tightest = np.inf
    for service in range(len(state.services)):
        if state.mix[replica, service] > 0:
            tightest = min(tightest, state.services[service].tpot_s)
    state.replicas[replica].tpot_s = tightest


@inlined
def room_for(state: FleetState, service: int, prompt: int, output: int) -> int:
    """Tokens that a request counts for while in flight: its prompt, and what requests in flight have made on average.

    Long requests are in flight for longer, so that is E[o^2] / (2 E[o]) and not half the mean (renewal theory's
    mean age). `output` counts only where lengths are known.
    """
    if state.settings[0].oracle_length != 0:
        return int(prompt + 0.5 * output)
    s = state.services[service]
    return int(prompt + 0.5 * s.mean_square / s.mean_output)


@inlined
def sent(state: FleetState, replica: int, service: int, new: int, room: int) -> None:
    """A request with `new` uncached prompt tokens, `room` tokens in all, goes to `replica`."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    p.in_flight += 1
    p.sent += 1
    p.mean_new += (new - p.mean_new) / min(p.sent, MEMORY)
    r.in_flight += 1
    r.waiting += 1
    r.backlog += new
    r.context += room
    state.mix[replica, service] += 1
    r.tpot_s = min(r.tpot_s, state.services[service].tpot_s)
    state.settings[0].clock += 1
    r.since = state.settings[0].clock
    state.settings[0].touched = replica


@compiled
def sent_on(state: FleetState, replica: int, leg: int, prompt: int, room: int) -> None:
    """A request whose prompt is computed elsewhere goes to `replica`; `leg`: see dispatch/state.py."""
    p = state.pools[state.replicas[replica].pool]
    sent(state, replica, leg, 0, room)
    p.mean_landed += (prompt - p.mean_landed) / min(p.sent, MEMORY)


@inlined
def answered(state: FleetState, replica: int, new: int) -> None:
    """The first token of a request has come."""
    r = state.replicas[replica]
    r.waiting -= 1
    r.backlog -= new
    state.settings[0].touched = replica


@inlined
def learn(means: Records, output: int) -> None:
    """One more output length for the running means of a service or a pool."""
    means.ended += 1
    weight = min(means.ended + 1, MEMORY)
    means.mean_output += (output - means.mean_output) / weight
    means.mean_square += (float(output) * output - means.mean_square) / weight


@inlined
def observe(state: FleetState, replica: int, stretch: float) -> None:
    """A request ends whose last iteration took `stretch` times as long as predicted."""
    r = state.replicas[replica]
    r.speed += (stretch - r.speed) * OBSERVATION


@inlined
def ended(state: FleetState, replica: int, service: int, new: int, room: int, output: int, answered: bool) -> None:
    """A request has ended after `output` tokens; `answered`: it had its first token before."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    p.in_flight -= 1
    r.in_flight -= 1
    if not answered:
        r.waiting -= 1
        r.backlog -= new
    r.context -= room
    state.mix[replica, service] -= 1
    if state.mix[replica, service] == 0:
        tighten(state, replica)
    if output > 0:
        learn(state.services[service], output)
        learn(p, output)
    state.settings[0].clock += 1
    r.since = state.settings[0].clock
    state.settings[0].touched = replica
