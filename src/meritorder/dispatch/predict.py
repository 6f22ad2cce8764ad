"""What a replica will do with a request: TTFT, time per token, energy; from its IterationTable and its state.

Symbols as in perf/table.py. All is O(1): a few table look-ups. The output length is not known to a router; it is
passed in as an expectation. What is said of a replica, not of a pool, is scaled by how fast it was seen to be.
"""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.state import FleetState


@inlined
def decode_s(state: FleetState, pool: int, batch: int, kv_tokens: float) -> float:
    """Seconds of one iteration of `batch` decoding sequences over `kv_tokens` tokens of KV cache."""
    p = state.pools[pool]
    b = state.batches[p.batches + batch]
    return state.tokens[p.tokens + batch].step_s + b.decode_s + b.decode_kv_s * kv_tokens


@inlined
def chunks(state: FleetState, pool: int, batch: int, new: int) -> tuple[int, int, int]:
    """How `new` prompt tokens are cut beside `batch` sequences: tokens of a whole chunk, how many, and of the last."""
    chunk = max(state.pools[pool].token_budget - batch, 1)
    full = (new - 1) // chunk
    return chunk, full, new - full * chunk


@inlined
def prefill_s(state: FleetState, pool: int, batch: int, kv_tokens: float, new: int, pairs: float) -> float:
    """Seconds until `new` prompt tokens are computed beside `batch` decoding sequences, in chunks of the budget.

    `pairs`: token pairs that attend to one another in all.
    """
    p = state.pools[pool]
    chunk, full, rest = chunks(state, pool, batch, new)
    b = state.batches[p.batches + batch]
    decode = b.decode_s + (b.decode_kv_s + p.mixed_kv_s) * kv_tokens
    last = state.tokens[p.tokens + batch + rest].step_s + state.tokens[p.tokens + rest].prefill_s + decode
    seconds = last + p.pair_s * pairs
    if full > 0:
        whole = state.tokens[p.tokens + batch + chunk].step_s + state.tokens[p.tokens + chunk].prefill_s + decode
        seconds += full * whole
    return seconds


@inlined
def prefill_j(state: FleetState, pool: int, batch: int, new: int, pairs: float) -> float:
    """Joules above idle that `new` prompt tokens add to a replica with `batch` decoding sequences."""
    p = state.pools[pool]
    chunk, full, rest = chunks(state, pool, batch, new)
    alone = state.tokens[p.tokens + batch].step_j if batch > 0 else 0.0
    joules = state.tokens[p.tokens + batch + rest].step_j - alone + state.tokens[p.tokens + rest].prefill_j
    if full > 0:
        joules += full * (
            state.tokens[p.tokens + batch + chunk].step_j - alone + state.tokens[p.tokens + chunk].prefill_j
        )
    return max(joules, 0.0) + p.pair_j * pairs


@inlined
def tpot_s(state: FleetState, pool: int, in_flight: int, context: float, output: float) -> float:
    """Seconds per output token when a replica is kept at `in_flight` requests with `context` tokens together.

    In steady state every request that ends is followed by another one, whose prefill all the others wait for:
    over one request's life of `output` iterations there are `in_flight` prefills.
    """
    p = state.pools[pool]
    batch = min(in_flight, p.max_sequences)
    iteration = decode_s(state, pool, batch, context * batch / max(in_flight, 1))
    new = max(int(p.mean_new), 1)
    beside = min(batch, p.max_sequences - 1)  # the one that is computed needs a seat, too
    rest = min(new, p.token_budget - beside)
    step = state.tokens[p.tokens + beside].step_s
    extra = state.tokens[p.tokens + beside + rest].step_s - step + state.tokens[p.tokens + rest].prefill_s
    extra = max(extra, 0.0) * (new / rest) + p.pair_s * 0.5 * new * new
    return iteration + extra * (batch - 1) / max(output, 1.0) + p.output_token_s


@inlined
def tpot_with_s(state: FleetState, replica: int, prompt: int, expected: float) -> float:
    """Seconds per output token on `replica` with one more request, of `prompt` and `expected` output tokens."""
    r = state.replicas[replica]
    return r.speed * tpot_s(state, r.pool, r.in_flight + 1, r.context + prompt + 0.5 * expected, expected)


@inlined
def queue_s(state: FleetState, replica: int, room: float, tpot: float) -> float:
    """Seconds until a replica has a seat and KV space for `room` more tokens, if it has none now."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    if r.in_flight == 0:
        return 0.0
    # one request ends every `output * tpot / batch` seconds
    batch = min(r.in_flight, p.max_sequences)
    interval = p.mean_output * tpot / batch
    wait = 0.0
    if r.in_flight >= p.max_sequences:
        wait = (r.in_flight - p.max_sequences + 1) * interval
    short = r.context + room - p.kv_blocks * p.block_tokens
    if short > 0:
        wait = max(wait, short / (r.context / r.in_flight) * interval)
    return wait


@inlined
def ttft_s(state: FleetState, replica: int, prompt: int, cached: int, tpot: float) -> float:
    """Seconds from now until the engine emits the first token of a prompt of which `cached` tokens are there.

    Half an iteration until the engine looks up, then everything that waits, then this prompt; plus the wait for
    a seat or for KV space. Network and front end are not in it (`delay_s`).
    """
    r = state.replicas[replica]
    p = state.pools[r.pool]
    batch = max(min(r.in_flight - r.waiting, p.max_sequences - 1), 0)
    share = batch / r.in_flight if r.in_flight > 0 else 0.0
    kv_tokens = r.context * share
    new = prompt - cached
    pairs = new * (cached + 0.5 * (new + 1))
    if r.waiting > 0:
        pairs += 0.5 * r.backlog * (r.backlog / r.waiting)
    seconds = prefill_s(state, r.pool, batch, kv_tokens, new + r.backlog, pairs)
    if r.in_flight > 0:
        seconds += 0.5 * decode_s(state, r.pool, batch + 1, kv_tokens)
    seconds *= r.speed
    if r.in_flight > 0:
        seconds += queue_s(state, replica, float(prompt), tpot)
    return seconds


@inlined
def upload_s(state: FleetState, region: int) -> float:
    """Seconds that a prompt token takes on the wire of a client."""
    return float(state.rtt_s[region, state.rtt_s.shape[1] - 1])


@inlined
def delay_s(state: FleetState, pool: int, region: int, prompt: int) -> float:
    """Seconds of network (the prompt's way included) and front end that a first token takes on top of the engine."""
    p = state.pools[pool]
    front_end = p.request_s + (p.prompt_token_s + upload_s(state, region)) * prompt + p.output_token_s
    return state.rtt_s[region, p.site] + front_end
