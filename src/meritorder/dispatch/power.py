"""What a replica draws, from its tables and its load.

A replica that works is taken to go on as it is: every request that ends is followed by another one.
"""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.predict import chunks, decode_s, prefill_j, prefill_s
from meritorder.dispatch.state import FleetState


@inlined
def busy_w(state: FleetState, pool: int, in_flight: int, context: float) -> float:
    """Watts above idle of a replica kept at `in_flight` requests with `context` tokens together.

    Over one request's life of `output` iterations there are `in_flight` prefills.
    """
    if in_flight <= 0:
        return 0.0
    p = state.pools[pool]
    batch = min(in_flight, p.max_sequences)
    kv_tokens = context * batch / in_flight
    b = state.batches[p.batches + batch]
    iteration_j = state.tokens[p.tokens + batch].step_j + b.decode_j + b.decode_kv_j * kv_tokens
    iteration_s = decode_s(state, pool, batch, kv_tokens)
    new = max(int(p.mean_new), 1)
    beside = min(batch, p.max_sequences - 1)  # the one that is computed needs a seat, too
    _, full, _ = chunks(state, pool, beside, new)
    pairs = 0.5 * new * new
    prompt_j = prefill_j(state, pool, beside, new, pairs)
    alongside = (full + 1) * decode_s(state, pool, beside, kv_tokens) if beside > 0 else 0.0
    prompt_s = max(prefill_s(state, pool, beside, kv_tokens, new, pairs) - alongside, 0.0)
    life = max(p.mean_output, 1.0)
    return float((life * iteration_j + batch * prompt_j) / (life * iteration_s + batch * prompt_s))
