"""`FleetState`: what a router knows of every replica, in flat arrays that kernel and gateway share.

Only what a gateway can count by itself is here (requests in flight, prompts waiting for their first token, tokens
sent), so that a policy tried in virtual time behaves the same in real time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meritorder.records import Records

# One engine iteration with so many tokens (index B+P for step, P for prefill), see perf/table.py.
TOKENS = np.dtype([("step_s", "f8"), ("prefill_s", "f8"), ("step_j", "f8"), ("prefill_j", "f8")])
# ... and with so many decoding sequences (index B).
BATCH = np.dtype([("decode_s", "f8"), ("decode_kv_s", "f8"), ("decode_j", "f8"), ("decode_kv_j", "f8")])

# What the replicas of a pool do with a request: all of it, its prompt, or what follows on the prompt.
WHOLE, PREFILL, DECODE = range(3)

POOL = np.dtype(
    [
        ("first", "i4"),  # its first replica; the others follow
        ("count", "i4"),
        ("site", "i4"),
        ("max_sequences", "i4"),
        ("token_budget", "i4"),
        ("block_tokens", "i4"),
        ("kv_blocks", "i8"),
        ("max_context", "i8"),
        ("tokens", "i8"),  # offset into `tokens`
        ("batches", "i8"),  # offset into `batches`
        ("tree", "i8"),  # offset into `keys`
        ("tree_size", "i8"),
        ("levels", "i8"),  # offset into `levels`: one list of replicas per number in flight
        ("level_words", "i8"),  # offset into `level_words`: which of these lists hold anybody
        ("pair_s", "f8"),
        ("pair_j", "f8"),
        ("mixed_kv_s", "f8"),
        ("cap_first", "i8"),  # its levels are levels_of_power[cap_first : cap_first + cap_levels]
        ("cap_levels", "i4"),  # full power included; 1: it is never capped
        ("cap", "i4"),  # level in force; 0: full power
        ("request_s", "f8"),  # front end, per request
        ("prompt_token_s", "f8"),  # front end, per prompt token
        ("output_token_s", "f8"),  # front end, per token delivered
        ("egress_s", "f8"),  # on the wire that the answers of its site share, per token
        ("usd_per_s", "f8"),  # owner cost of one replica
        ("usd_per_j", "f8"),  # energy, PUE and carbon of one joule at the machine
        ("usd_per_prompt", "f8"),  # metered price of a prompt token
        ("usd_per_output", "f8"),  # metered price of an output token
        ("prefix_caching", "i4"),
        ("reserve_prompt", "i4"),  # engine admits a prompt only if all of it fits
        ("by_priority", "i4"),  # engine schedules by priority, else first come first served
        ("role", "i4"),  # WHOLE, PREFILL or DECODE
        # below: counted while running
        ("open", "i4"),  # replicas that may be chosen
        ("in_flight", "i8"),
        ("sent", "i8"),  # requests dispatched so far
        ("renew_at", "i8"),  # its replicas are ordered anew when so many were
        ("ended", "i8"),  # requests that have ended
        ("mean_new", "f8"),  # running mean of uncached prompt tokens per request
        ("mean_landed", "f8"),  # DECODE: running mean of prompt tokens per request, computed elsewhere; else 0
        ("mean_output", "f8"),  # running mean of output tokens per request
        ("mean_square", "f8"),  # running mean of their square
    ]
)

REPLICA = np.dtype(
    [
        ("pool", "i4"),
        ("in_flight", "i4"),
        ("waiting", "i4"),  # of these, without a first token yet
        ("level", "i4"),  # list that it stands in; -1: none, as it is closed
        ("previous", "i4"),
        ("next", "i4"),
        ("backlog", "i8"),  # prompt tokens of those waiting
        ("context", "i8"),  # tokens of those in flight: prompt and what they have made on average
        ("since", "i8"),  # when `in_flight` last changed, in dispatch steps
        ("tpot_s", "f8"),  # tightest target among the services in flight; infinity: none
        ("speed", "f8"),  # observed seconds over predicted ones; 1 until observed
        ("closed", "i4"),  # not to be chosen
    ]
)

SERVICE = np.dtype(
    [
        ("ttft_s", "f8"),  # target; infinity: none
        ("tpot_s", "f8"),  # target: 1 / token rate; infinity: none
        ("weight", "f8"),  # of harm to this service: 2^-priority
        ("sheds", "i4"),  # may be refused when nobody can serve it acceptably
        ("hold", "i4"),  # its arrivals are kept waiting in the gateway
        ("first", "i4"),  # its pools are choices[first : first + count]
        ("count", "i4"),
        ("whole", "i4"),  # so many of them serve requests whole; the others, behind them, compute prompts
        ("turn", "i8"),  # round robin's next
        ("ended", "i8"),  # requests that have ended
        ("mean_output", "f8"),  # running mean of their output tokens
        ("mean_square", "f8"),  # running mean of its square
    ]
)

# A service on one of its pools. A pool that computes prompts has a leg: a further entry of the services that stands for
# the way on from there, whose pools are those that can decode what it computes.
CHOICE = np.dtype(
    [
        ("pool", "i4"),
        ("shut", "i4"),  # by order: the pool takes no new requests of the service
        ("max_context", "i8"),  # most tokens of a request that it takes now; 0: none, it is shut or all is down
        ("leg", "i4"),  # PREFILL: the entry of the services that chooses where its prompts are decoded
        ("limit", "i4"),  # most requests in flight per replica that keep the token rate; 0: not even one does
        ("fresh_until", "i8"),  # `sent` of the pool up to which `limit` holds
        ("layerwise", "i4"),  # PREFILL: some link from it sends layer by layer; of a leg's pools: the link to them does
        # of a leg's pools, the link that a KV cache takes to them (fleet/links.py):
        ("pipe", "i4"),  # link whose bandwidth all its transfers share; -1: none
        ("latency_s", "f8"),
        ("request_s", "f8"),  # seconds of wire per request
        ("token_s", "f8"),  # and per prompt token
        ("last_layer", "f8"),  # part of the KV cache that the last layer makes
        ("of_pipe", "f8"),  # part of the shared bandwidth that one transfer takes
    ]
)

# A pool at one power limit: its tables, and the fields of POOL that go with them.
CAP_LEVEL = np.dtype(
    [
        ("tokens", "i8"),
        ("batches", "i8"),
        ("pair_s", "f8"),
        ("pair_j", "f8"),
        ("mixed_kv_s", "f8"),
        ("max_w", "f8"),  # of the busy replica, IT watts
    ]
)

LEVEL = np.dtype([("head", "i4"), ("tail", "i4")])

# Order in which pools keep their replicas.
UNORDERED, BY_REQUESTS, BY_TOKENS, BY_PREDICTION = range(4)

SETTINGS = np.dtype(
    [
        ("policy", "i4"),
        ("order", "i4"),  # key of the pools' trees
        ("by_level", "i4"),  # whether the lists by number in flight are kept
        ("uses_prefix", "i4"),
        ("prefix_tokens", "i4"),  # tokens per prefix block
        ("choices", "i4"),  # power-of-two: how many are drawn
        ("max_imbalance", "i4"),  # prefix-affinity
        ("pack", "i4"),  # merit-order: fill replicas one after the other
        ("oracle_length", "i4"),  # the output length is known beforehand
        ("max_ratio", "f8"),  # prefix-affinity
        ("min_match", "f8"),  # prefix-affinity
        ("margin", "f8"),  # merit-order
        ("scarcity", "f8"),  # merit-order
        ("clock", "i8"),  # dispatch steps so far
        ("touched", "i8"),  # replica whose place among the others may have changed; -1: none
        ("random", "u8"),  # state of the random numbers
    ]
)


class FleetState(NamedTuple):
    """Everything that `choose` reads and that dispatching changes."""

    pools: Records  # POOL
    replicas: Records  # REPLICA
    services: Records  # SERVICE
    choices: Records  # CHOICE, by service
    choice_of: Records  # i4 [services, pools]: index into `choices`, -1 where a pool may not serve a service
    tokens: Records  # TOKENS, by pool and its power limits
    batches: Records  # BATCH, likewise
    levels_of_power: Records  # CAP_LEVEL, by pool: full power first, then lower and lower
    keys: Records  # f8: tournament trees over the replicas of each pool
    levels: Records  # LEVEL, by pool
    level_words: Records  # i8 bit masks, by pool
    mix: Records  # i4 [replicas, services]: requests in flight
    owner: Records  # i4: replica that a prefix block was last sent to, -1 none
    # f8 [regions, sites + 1]; the last is the region's own: seconds on a client's wire per prompt token. In one array:
    # with a 16th one in this tuple, the kernel's machine code was measured 1.6 times as slow
    rtt_s: Records
    settings: Records  # SETTINGS, one record
