"""What becomes of a request in the books: placed, answered for the first time, ended. One compiled call each."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch import update
from meritorder.dispatch.caps import set_cap
from meritorder.dispatch.choose import choose_near
from meritorder.dispatch.predict import delay_s, prefill_j, tpot_with_s, ttft_s
from meritorder.dispatch.reasons import FULL, LEAST_POWER, NONE_USABLE, TOO_LONG
from meritorder.records import Records
from meritorder.serve.books.arrange import arrange, has_place, open_pools
from meritorder.serve.books.hashes import known_prefix, own_blocks, owner_of
from meritorder.serve.books.ledger import free_row, has_row, take_row
from meritorder.serve.books.power import further_w, least_power, spare_w, weigh
from meritorder.serve.books.state import ANSWERED, AVOIDED, FREE, MOST_BLOCKS, SENT, LiveState
from meritorder.serve.books.view import Block, view_of

# The speed of a replica stays within 1/8 and 8.
MOST_SPEED = 8.0

# replica, reason, cached, predicted TTFT and time per token (s), row, speed that they were predicted with
Placed = tuple[int, int, int, float, float, int, float]


@inlined
def longest_context(live: LiveState, service: int) -> int:
    """Most tokens of a request that any pool of a service can hold."""
    state = live.fleet
    s = state.services[service]
    longest = 2
    for c in range(s.first, s.first + s.count):
        longest = max(longest, state.pools[state.choices[c].pool].max_context)
    return int(longest)


@inlined
def bar_all(live: LiveState, replicas: Records, why: int, on: bool) -> None:
    """Bar replicas for a reason, or let them in again."""
    for replica in replicas:
        bar_one(live, replica, why, on)


@inlined
def bar_one(live: LiveState, replica: int, why: int, on: bool) -> None:
    """The same for one of them."""
    gate = live.gates[replica]
    gate.barred = gate.barred | why if on else gate.barred & ~why
    arrange(live, replica)


@inlined
def choose_within_power(
    live: LiveState, service: int, region: int, prompt: int, output: int, near: int, cached: int, room: int
) -> tuple[int, int, int]:
    """`choose_near`, but never beyond the power limit of a site.

    Where the replica that the policy wants would exceed it, the one of its pool that adds the least power is taken
    if that is little enough, else the pool stays out.
    """
    state = live.fleet
    open_pools(live, service)
    if near >= 0 and state.replicas[near].closed != 0:
        near, cached = -1, 0
    while True:
        replica, there, reason = choose_near(state, service, region, prompt, output, near, cached)
        if replica < 0:
            # the request is never too long: no pool that could hold it is open
            return -1, 0, why_not(live, service, prompt + output) if reason == TOO_LONG else reason
        pool = state.replicas[replica].pool
        if further_w(live, replica, room) <= spare_w(live, pool):
            return replica, there, reason
        replica = least_power(live, pool, room)
        if replica >= 0:
            return replica, cached if replica == near else 0, LEAST_POWER
        state.choices[state.choice_of[service, pool]].max_context = 0


@compiled
def why_not(live: LiveState, service: int, total: int) -> int:
    """Why no pool takes a request of `total` tokens: are all that could hold it down, or full?"""
    state = live.fleet
    s = state.services[service]
    for c in range(s.first, s.first + s.count):
        pool = state.choices[c].pool
        p = state.pools[pool]
        if total <= p.max_context:
            for replica in range(p.first, p.first + p.count):
                if live.gates[replica].barred == 0:
                    return FULL
    return NONE_USABLE


@compiled
def place(
    block: Block,
    worker: int,
    service: int,
    region: int,
    prompt: int,
    output: int,
    hashes: Records,
    avoid: Records,
) -> Placed:
    """Choose a replica for a request and enter it there; replica -1: none, see the reason."""
    live = view_of(block)
    state = live.fleet
    if not has_row(live, worker):
        return -1, FULL, 0, 0.0, 0.0, -1, 0.0
    # Lengths are estimates: what seems too long goes to the longest context there is, and the backend decides.
    held = state.services[service].hold  # 1: all wait; above: so many more, less one, may go
    if held == 1:
        return -1, FULL, 0, 0.0, 0.0, -1, 0.0
    longest = longest_context(live, service)
    output = max(min(output, longest - 1), 0)
    prompt = max(min(prompt, longest - output), 1)
    blocks = min(len(hashes), MOST_BLOCKS) if state.settings[0].uses_prefix != 0 else 0
    near, cached = -1, 0
    known = known_prefix(live, hashes, blocks)
    if known > 0:
        near = owner_of(live, hashes[known - 1])
        cached = min(known * state.settings[0].prefix_tokens, prompt - 1)
    room = update.room_for(state, service, prompt, output)
    bar_all(live, avoid, AVOIDED, True)
    replica, cached, reason = choose_within_power(live, service, region, prompt, output, near, cached, room)
    bar_all(live, avoid, AVOIDED, False)
    if replica < 0:
        return -1, reason, 0, 0.0, 0.0, -1, 0.0
    r = state.replicas[replica]
    expected = float(output) if state.settings[0].oracle_length != 0 else state.services[service].mean_output
    tpot = tpot_with_s(state, replica, prompt, expected)
    ttft = ttft_s(state, replica, prompt, cached, tpot) + delay_s(state, r.pool, region, prompt)
    new = prompt - cached
    row = take_row(live, worker, replica, service, new, room)
    if held > 1:
        state.services[service].hold = held - 1
    update.sent(state, replica, service, new, room)
    arrange(live, replica)
    if state.pools[r.pool].prefix_caching != 0:
        own_blocks(live, hashes, blocks, replica)
    return replica, reason, cached, ttft, tpot, row, r.speed


@compiled
def answered(block: Block, worker: int, number: int) -> None:
    """The first token of a request has come."""
    live = view_of(block)
    row = live.rows[worker, number]
    if row.status == SENT:
        row.status = ANSWERED
        update.answered(live.fleet, row.replica, row.new)
        arrange(live, row.replica)


@inlined
def correct(
    live: LiveState,
    replica: int,
    service: int,
    speed: float,
    predicted_ttft: float,
    predicted_tpot: float,
    ttft: float,
    tpot: float,
) -> None:
    """Move a replica's speed towards what was observed over what was predicted (at `speed`), on a log scale.

    TTFT and time per token count as they do in the time to the last token; 0: not observed.
    """
    tokens = live.fleet.services[service].mean_output if tpot > 0.0 else 0.0
    observed, predicted = tokens * tpot, tokens * predicted_tpot
    if ttft > 0.0:
        observed += ttft
        predicted += predicted_ttft
    if not (0.0 < observed < np.inf and predicted > 0.0):
        return
    r = live.fleet.replicas[replica]
    ratio = min(max(speed * observed / predicted, 1.0 / MOST_SPEED), MOST_SPEED)
    r.speed = min(max(r.speed * (ratio / r.speed) ** update.OBSERVATION, 1.0 / MOST_SPEED), MOST_SPEED)


@inlined
def energy_j(live: LiveState, replica: int, prompt: int, cached: int, output: int) -> float:
    """Joules above idle of a request: its prefill, and its share of the iterations that made its output.

    With the batch as it is now and the lengths as they were.
    """
    state = live.fleet
    r = state.replicas[replica]
    p = state.pools[r.pool]
    batch = max(min(r.in_flight - r.waiting, p.max_sequences), 1)
    new = max(prompt - cached, 1)
    b = state.batches[p.batches + batch]
    step = state.tokens[p.tokens + batch].step_j + b.decode_j
    each = step / batch + b.decode_kv_j * (prompt + 0.5 * output)
    return float(prefill_j(state, r.pool, batch - 1, new, new * (cached + 0.5 * (new + 1))) + output * each)


@compiled
def ended(
    block: Block,
    worker: int,
    number: int,
    output: int,
    prompt: int,
    cached: int,
    speed: float,
    predicted_ttft: float,
    predicted_tpot: float,
    ttft: float,
    tpot: float,
) -> float:
    """A request has ended after `output` tokens, for whatever reason. Returns the joules that it took, see `energy_j`.

    `prompt` 0: it took none. `ttft`, `tpot`: what was observed, see `correct`.
    """
    live = view_of(block)
    row = live.rows[worker, number]
    if row.status == FREE:
        return 0.0
    replica = row.replica
    update.ended(live.fleet, replica, row.service, row.new, row.room, output, row.status == ANSWERED)
    correct(live, replica, row.service, speed, predicted_ttft, predicted_tpot, ttft, tpot)
    arrange(live, replica)
    free_row(live, worker, number)
    return energy_j(live, replica, prompt, cached, output) if prompt > 0 else 0.0


@compiled
def has_room(block: Block, service: int) -> bool:
    """Whether any pool of a service takes a short request now."""
    live = view_of(block)
    state = live.fleet
    s = state.services[service]
    for c in range(s.first, s.first + s.count):
        choice = state.choices[c]
        if s.hold != 1 and choice.shut == 0 and has_place(live, choice.pool) and spare_w(live, choice.pool) > 0.0:
            return True
    return False


@compiled
def bar(block: Block, replica: int, why: int, on: bool) -> None:
    """Bar a replica for a reason, or let it in again."""
    bar_one(view_of(block), replica, why, on)


@compiled
def admit(block: Block, replica: int, most: int) -> None:
    """Set the most requests of ours that a replica may have in flight."""
    live = view_of(block)
    live.gates[replica].most = most
    arrange(live, replica)


@compiled
def set_foreign(block: Block, replica: int, running: int, waiting: int) -> None:
    """Count the load that others put on a replica: what its metrics say beyond ours, in two readings in a row."""
    live = view_of(block)
    state = live.fleet
    r = state.replicas[replica]
    p = state.pools[r.pool]
    f = live.foreign[replica]
    seen = max(running + waiting - (r.in_flight - f.in_flight), 0)
    seen_waiting = min(max(waiting - (r.waiting - f.waiting), 0), seen)
    in_flight, in_line = min(seen, f.seen), min(seen_waiting, f.seen_waiting)
    f.seen, f.seen_waiting = seen, seen_waiting
    backlog = int(in_line * max(p.mean_new, 1.0))
    context = int(in_flight * (p.mean_new + 0.5 * p.mean_square / p.mean_output))
    r.in_flight += in_flight - f.in_flight
    r.waiting += in_line - f.waiting
    r.backlog += backlog - f.backlog
    r.context += context - f.context
    p.in_flight += in_flight - f.in_flight
    live.caps[r.pool].foreign += in_flight - f.in_flight
    f.in_flight, f.waiting, f.backlog, f.context = in_flight, in_line, backlog, context
    arrange(live, replica)


@compiled
def limit_power(block: Block, pool: int, level: int) -> None:
    """A pool's power limit has been set: its tables change, and what its replicas are predicted to draw."""
    live = view_of(block)
    set_cap(live.fleet, pool, level)
    p = live.fleet.pools[pool]
    for replica in range(p.first, p.first + p.count):
        weigh(live, replica)
