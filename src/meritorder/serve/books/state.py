"""`LiveState`: a `FleetState` and what only a running gateway has, all of it in flat arrays that workers share.

Everything that a request adds to the counts of a replica stands in a row of the worker that holds it, so that the
counts can be made anew from the rows when a worker dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from meritorder.dispatch.build import build_state
from meritorder.dispatch.state import FleetState
from meritorder.fleet.schema import Engine, Fleet
from meritorder.perf.replica import Replica
from meritorder.records import Records, records

# Text is hashed in blocks of so many bytes, taken for so many tokens.
BLOCK_BYTES, BLOCK_TOKENS = 256, 64

# Blocks of a prompt that are looked at: the first megabyte of its text.
MOST_BLOCKS = 4096

SITE = np.dtype(
    [
        ("limit_w", "f8"),  # most IT power; infinity: no limit
        ("idle_w", "f8"),  # of all its replicas
        ("busy_w", "f8"),  # predicted above idle, with the requests in flight
    ]
)

# Requests that the engine of a replica has from elsewhere, as its own metrics say.
FOREIGN = np.dtype(
    [
        ("in_flight", "i4"),
        ("waiting", "i4"),
        ("backlog", "i8"),
        ("context", "i8"),
        ("seen", "i4"),  # in flight in the last reading
        ("seen_waiting", "i4"),
    ]
)

# `most` where there is no limit.
UNLIMITED = 2**31 - 1

# What a pool may have in flight of ours, and what it has from elsewhere.
CAP = np.dtype([("most", "i8"), ("foreign", "i8")])

# What a replica may have in flight of ours, and why it may have nothing at all: DOWN, AVOIDED or both.
GATE = np.dtype(
    [
        ("most", "i4"),
        ("barred", "i4"),
        ("held_until", "f8"),  # monotonic time until which whoever has barred it wants it to be so, at least
        ("life", "i4"),  # how often it has lost its cache
    ]
)

# It can't serve; it has failed the request that is being placed.
DOWN, AVOIDED = 1, 2

WORKER = np.dtype(
    [
        ("used", "i4"),  # rows ever used: the first ones
        ("free", "i4"),  # first of the free ones among these, plus 1; 0: none
    ]
)

FREE, SENT, ANSWERED = range(3)

# One request in flight.
ROW = np.dtype(
    [
        ("status", "i4"),  # FREE, SENT or ANSWERED
        ("replica", "i4"),
        ("service", "i4"),
        ("next", "i4"),  # free row after this one, plus 1
        ("new", "i8"),
        ("room", "i8"),
    ]
)

# A block of text and the replica that it was last sent to.
PREFIX = np.dtype(
    [
        ("hash", "u8"),
        ("replica", "i4"),  # plus 1; 0: none
        ("life", "i4"),  # of that replica; in a later one it has the block no more
    ]
)


class LiveState(NamedTuple):
    """What the compiled functions of the books work on; `view.py` knows the order of its arrays."""

    fleet: FleetState
    sites: Records  # SITE
    watts: Records  # f8 [replicas]: predicted above idle
    foreign: Records  # FOREIGN [replicas]
    gates: Records  # GATE [replicas]
    caps: Records  # CAP [pools]
    workers: Records  # WORKER
    rows: Records  # ROW [workers, rows of each]
    prefixes: Records  # PREFIX, by hash


def regions_of(fleet: Fleet) -> tuple[str, ...]:
    """Client regions that sites name a distance to; the first stands for all others."""
    return ("default", *sorted({region for site in fleet.sites.values() for region in site.rtt} - {"default"}))


def default_most(engine: Engine) -> int:
    """Requests that a replica is given at most: what it runs at a time, and some that wait there to follow at once."""
    return engine.max_sequences + max(engine.max_sequences // 4, 1)


def build_live(
    fleet: Fleet, replicas: Sequence[Replica], *, workers: int, rows: int, prefix_slots: int, seed: int = 0
) -> LiveState:
    """The state before the first request, in private memory. `prefix_slots` is a power of two."""
    state = build_state(
        fleet, replicas, fleet.dispatch, regions=regions_of(fleet), prefix_tokens=BLOCK_TOKENS, seed=seed
    )
    sites = records(len(fleet.sites), SITE)
    gates = records(len(state.replicas), GATE)
    caps = records(len(state.pools), CAP)
    caps.most[:] = [pool.max_in_flight or UNLIMITED for pool in fleet.pools.values()]
    sites.limit_w[:] = [site.power_limit or np.inf for site in fleet.sites.values()]
    for p, pool, replica in zip(state.pools, fleet.pools.values(), replicas, strict=True):
        sites[p.site].idle_w += replica.table.idle_w * pool.replicas
        gates.most[p.first : p.first + p.count] = default_most(pool.engine)
    return LiveState(
        fleet=state,
        sites=sites,
        watts=np.zeros(len(state.replicas)),
        foreign=records(len(state.replicas), FOREIGN),
        gates=gates,
        caps=caps,
        workers=records(workers, WORKER),
        rows=np.zeros((workers, rows), np.dtype(ROW, align=True)).view(np.recarray),
        prefixes=records(prefix_slots, PREFIX),
    )
