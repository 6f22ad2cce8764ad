"""The kernel's memory: flat arrays of records, one entry per replica, request, cached block or event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meritorder.control.state import ControlState
from meritorder.facility.state import FacilityState
from meritorder.records import Records
from meritorder.simulate.result import SERIES, Status

# What stands for "nobody" in a linked list.
NOBODY = -1

# Where a request is: still under way, or how it ended.
UNBORN, IN_TRANSIT, WAITING, PREFILLING, DECODING = 0, 11, 12, 13, 14
# ... its prefix has come back from the slow tier, but it has no place in a batch yet.
BACK = 15
# ... between two replicas: chosen is not yet which decodes it, that has no room yet, the KV cache is on its way,
# it is there but not in a batch yet.
HELD, WANTING, MOVING, LANDED = 16, 17, 18, 19
# ... its prefix is on its way from the slow tier.
COMING = 20
# ... in the gateway: kept waiting, or to be sent anew at a set time; on a machine that fails, but nobody waits for it.
PARKED, RETRYING, LEFT = 21, 22, 23
COMPLETED, REJECTED = int(Status.COMPLETED), int(Status.TOO_LONG)
SHED, CANCELLED, LOST = int(Status.SHED), int(Status.CANCELLED), int(Status.LOST)

# The engine of one replica. Between two boundaries it runs `n` iterations: one that was priced when scheduled
# (`single`), or a jump over decode iterations that all hold the same sequences.
ENGINE = np.dtype(
    [
        ("now", "f8"),  # last boundary
        ("seconds", "f8"),  # single: of the iteration
        ("joules", "f8"),  # single: of the iteration
        ("stretch", "f8"),  # an iteration under way takes so many times as long as its table says
        ("wanted", "f8"),  # the same of the next one
        ("spent", "f8"),  # joules up to the last boundary that the building was not told yet
        ("iteration", "i8"),  # iterations so far
        ("n", "i8"),  # iterations until the next boundary; 0: idle
        ("kv", "i8"),  # tokens in the KV caches of decoding sequences
        ("free", "i8"),  # KV blocks free, those of evictable cached prefixes included
        ("heap", "i8"),  # offset of its finish heap
        ("tokens", "i8"),  # tables of the jump under way, as in dispatch's POOL
        ("batches", "i8"),
        ("decoding", "i4"),
        ("due", "i4"),  # phase of the sequences that need a KV block in the coming iteration, see phases.py
        ("running", "i4"),  # decoding and prefilling
        ("waiting", "i4"),  # those included whose prefix has come back from the slow tier
        ("head", "i4"),  # running requests in the order of admission
        ("tail", "i4"),
        ("prefilling", "i4"),  # the first running request whose prompt is being computed; others follow it
        ("chunk", "i4"),  # single: prompt tokens in the iteration
        ("single", "i4"),
        ("cancels", "i4"),  # running requests whose client has given up
        ("apart", "i4"),  # its pool computes only prompts, or decodes those of others
    ]
)

REQUEST = np.dtype(
    [
        ("arrival", "f8"),
        ("start", "f8"),
        ("first", "f8"),
        ("finish", "f8"),
        ("queued", "f8"),  # when the engine got it
        ("finish_it", "i8"),  # decoding: the engine's iteration that makes its last token
        ("mark", "i8"),  # iteration in which it was granted blocks (while room is being made)
        ("previous", "i4"),  # in the engine's running or waiting list
        ("next", "i4"),
        ("replica", "i4"),
        ("computed", "i4"),  # prefilling: tokens in the KV cache
        ("generated", "i4"),  # output tokens made before the present prefill
        ("chunk", "i4"),  # prompt tokens in the present iteration; decoding: blocks granted
        ("units", "i4"),  # leading prefix blocks that it shares with the cache
        ("new", "i4"),  # uncached prompt tokens that dispatch counts for it
        ("room", "i4"),  # tokens that dispatch counts for it
        ("hit", "i4"),
        ("preempted", "i4"),
        ("next_cancel", "i4"),
        ("status", "u1"),
        ("reason", "u1"),
        ("awaits", "u1"),  # the books still wait for its first token since it was sent last
        ("attempts", "u1"),  # times that it was sent anew because its machine had failed
        ("cause", "u1"),  # of the last failure: index into simulate.faults.causes.CAUSES
    ]
)

# What fails at a replica and what its building does to it; changes rarely.
HEALTH = np.dtype(
    [
        ("told", "f8"),  # joules of the interval under way that the building was told
        ("slow", "f8"),  # a fault makes iterations take so many times as long
        ("warm", "f8"),  # the same of the warmest of its rows
        ("back_at", "f8"),  # tripped: when it is loaded again; -1: its row is not back yet
        ("since", "f8"),  # down: when it fell
        ("down_s", "f8"),  # how long it was down before that
        ("down", "i4"),  # outages in force; 0: it is up
        ("slows", "i4"),  # slow-downs in force
        ("tripped", "i4"),  # one of its rows is too hot or without power, or it is loading since
        ("marked", "i4"),  # it fails, or comes back, with the outage that is being handled
        ("cause", "u1"),  # of its last outage
    ]
)

# The machines of a pool.
MACHINE = np.dtype(
    [
        ("idle_w", "f8"),  # of one replica
        ("reload_s", "f8"),  # from power to taking requests
        ("weight", "f8"),  # replicas that a simulated one stands for
    ]
)

# What the gateway does with requests of a service that nobody can take now, and those that wait there, by arrival.
LOSE, RETRY, CONTINUE = range(3)
PARKING = np.dtype(
    [
        ("wait_s", "f8"),  # most seconds from arrival; 0: none
        ("count", "i8"),
        ("head", "i4"),
        ("tail", "i4"),
        ("on_failure", "i4"),  # LOSE, RETRY or CONTINUE
    ]
)

# A row of racks as it was seen last.
ROW_SEEN = np.dtype([("stretch", "f8"), ("tripped", "i4")])

# What a replica has to do with others, where prompts are computed apart from decoding.
APART = np.dtype(
    [
        ("port", "f8"),  # time from which its network port is free
        ("reserved", "i4"),  # requests that have room here but no seat yet
    ]
)

# What a request has to do with two replicas.
HANDED = np.dtype(
    [
        ("ready", "f8"),  # when its prompt was computed
        ("transfer", "f8"),  # seconds from then until its KV cache was there; -1: never on its way
        ("prefiller", "i4"),  # replica that computed its prompt, once it has left it; -1 before
        ("decoder", "i4"),  # replica that decodes it, once chosen; -1 before
        ("leg", "i4"),  # entry of the services by which that was chosen
        ("room", "i4"),  # tokens that dispatch counts for it there
    ]
)

# The slow tier of a replica: who has been brought a prefix from there (head to tail, linked like the running).
TIER = np.dtype(
    [
        ("latency_s", "f8"),
        ("prompt_s", "f8"),  # seconds on the wire per prompt
        ("unit_s", "f8"),  # and per prefix block
        ("port", "f8"),  # time from which the wire is free
        ("head", "i4"),
        ("tail", "i4"),
        ("reserved", "i4"),  # requests that have room but no seat: their prefix has come back or is on its way
    ]
)

# What a request got from the slow tier.
RETURN = np.dtype([("tokens", "i4"), ("seconds", "f8")])

# Entry of an engine's finish heap.
FINISH = np.dtype([("finish_it", "i8"), ("request", "i4")])

LIST = np.dtype([("head", "i4"), ("tail", "i4")])

# What happens at a time of its own.
AT_ENGINE, NEXT_TURN, GIVE_UP, ASK, RELEASE, LAND, CAME, AGAIN, FAULT, TICK = range(10)
EVENT = np.dtype([("time", "f8"), ("order", "i8"), ("request", "i4"), ("kind", "i4")])

# The prefix cache of one replica, and one cached block ("unit": a prefix block of the trace) in it.
CACHE = np.dtype(
    [
        ("first", "i8"),  # its slots follow from here in `slots`
        ("table", "i8"),  # its hash table is table[table : table + mask + 1]
        ("mask", "i8"),
        ("fresh", "i8"),  # slots from here on were never used (and their memory never touched)
        ("vacant", "i4"),  # slots that were used and are free again, linked by `next`
        ("oldest", "i4"),  # of those that nobody uses: evicted first
        ("newest", "i4"),
        ("evictable", "i4"),
        ("below", "i4"),  # cache of the slow tier behind it, where what it evicts goes; NOBODY: none
        ("room", "i8"),  # of a slow tier: most units
    ]
)
SLOT = np.dtype([("unit", "i4"), ("users", "i4"), ("previous", "i4"), ("next", "i4")])

# One bin of a pool's series.
BIN = np.dtype([(name, "f8") for name in SERIES])

CLOCK = np.dtype(
    [
        ("now", "f8"),
        ("bin_s", "f8"),
        ("bins_per_s", "f8"),
        ("arrived", "i8"),  # requests of the trace that have been sent by the clock
        ("pending", "i8"),  # events in the heap
        ("order", "i8"),  # events ever
        ("handled", "i8"),
        ("iterations", "i8"),
        ("unit_tokens", "i4"),  # tokens per prefix block of the trace
        ("classes", "i4"),  # waiting lists per engine
        ("phases", "i4"),  # stride of `phases`
        ("unfinished", "i8"),
        ("unsent", "i8"),  # of these, follow-ups whose time to come is not known yet
        ("step_s", "f8"),  # between ticks; 0: there are none
        ("ticks", "i8"),  # so far
        ("next_tick", "f8"),
        ("at", "f8"),  # time of the tick or outage that is to be handled
        ("outage", "i8"),  # outages so far
        ("detection_s", "f8"),  # from a failure until its requests are sent anew
        ("retries", "i4"),  # most times that one is
        ("changed", "i4"),  # who is up has changed since the last tick
        ("tripped", "i4"),  # replicas that are down for their rows
    ]
)


class SimState(NamedTuple):
    """Everything of a run that dispatch does not see. Trace columns are read, the rest changes."""

    engines: Records  # ENGINE [replicas]
    requests: Records  # REQUEST [n]
    waiting: Records  # LIST [replicas * classes]
    heap: Records  # FINISH: finish heaps of all engines
    phases: Records  # i4 [replicas * phases]: decoding sequences by (tokens - iteration) mod block size
    timeline: Records  # f8: tournament tree over the next boundary of each engine
    events: Records  # EVENT heap
    clock: Records  # CLOCK, one record
    caches: Records  # CACHE [replicas], behind them those of the slow tiers, where any pool has one
    slots: Records  # SLOT, all caches
    table: Records  # i4: slot + 1 by hash, all caches
    series: Records  # BIN [pools, bins]
    apart: Records  # APART [replicas]; empty where no pool has a role
    wanting: Records  # LIST [replicas] of requests that want room for their KV cache; empty likewise
    landed: Records  # LIST [replicas] of requests whose KV cache has come; empty likewise
    handed: Records  # HANDED [n]; empty where no pool has a role
    pipes: Records  # f8 [links]: time from which a link's shared bandwidth is free
    egress: Records  # f8 [sites]: the same of the wire that a site's answers share
    tiers: Records  # TIER [replicas]; empty where no pool has a slow tier
    returns: Records  # RETURN [n]; empty where no pool has a slow tier
    arrival_s: Records  # trace columns from here on
    prompt: Records
    output: Records
    service: Records
    region: Records
    starts: Records  # requests that start by the clock, in order; empty: all of them
    follower: Records  # first request that waits for this one; empty: open loop
    sibling: Records  # next request that waits for the same one
    think_s: Records
    cancel_s: Records
    block_start: Records
    blocks: Records
    rank: Records  # waiting list of a service's requests where the engine schedules by priority
    health: Records  # HEALTH [replicas]
    machines: Records  # MACHINE [pools]
    parking: Records  # PARKING [services]
    parked_s: Records  # f8 [n]: kept waiting in the gateway; empty without ticks
    struck: Records  # i4 [n]: requests on machines that fail now; empty without ticks


class Site(NamedTuple):
    """What stands around the machines. Not in `SimState`, since what is seldom needed makes every function dearer."""

    outages: Records  # OUTAGE, by time
    hit: Records  # i4: replicas of the outages
    rows_seen: Records  # ROW_SEEN [rows]
    facility: FacilityState
    control: ControlState
