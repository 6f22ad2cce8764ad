"""Adding what an engine did between two boundaries to the series of its pool."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.simulate.kernel.memory import SimState


@compiled
def halve_resolution(sim: SimState) -> None:
    """Merge pairs of bins, so that the same number of bins spans twice the time."""
    pools, bins = sim.series.shape
    for pool in range(pools):
        for k in range(bins):
            b = sim.series[pool, k >> 1]
            x = sim.series[pool, k]
            joules, busy, running, kv = x.energy_j, x.busy_s, x.running_s, x.kv_token_s
            prompt, output, iterations = x.prompt_tokens, x.output_tokens, x.iterations
            x.energy_j = x.busy_s = x.running_s = x.kv_token_s = 0.0
            x.prompt_tokens = x.output_tokens = x.iterations = 0.0
            b.energy_j += joules
            b.busy_s += busy
            b.running_s += running
            b.kv_token_s += kv
            b.prompt_tokens += prompt
            b.output_tokens += output
            b.iterations += iterations
    sim.clock[0].bin_s *= 2.0
    sim.clock[0].bins_per_s *= 0.5


@inlined
def meter(
    sim: SimState,
    pool: int,
    start: float,
    stop: float,
    joules: float,
    running: float,
    kv_tokens: float,
    prompt_tokens: float,
    output_tokens: float,
    iterations: float,
) -> None:
    """Spread an interval's totals evenly over the bins it touches; `running` and `kv_tokens` are its means."""
    bins = sim.series.shape[1]
    while stop >= bins * sim.clock[0].bin_s:
        halve_resolution(sim)
    width, per_s = sim.clock[0].bin_s, sim.clock[0].bins_per_s
    seconds = stop - start
    # rounding may name the bin behind the last
    k = min(int(start * per_s), bins - 1)
    last = min(int(stop * per_s), bins - 1)
    alone = k == last
    while k <= last:
        part = seconds if alone else min(stop, (k + 1) * width) - max(start, k * width)
        share = 1.0 if alone else part / seconds
        b = sim.series[pool, k]
        b.energy_j += joules * share
        b.busy_s += part
        b.running_s += running * part
        b.kv_token_s += kv_tokens * part
        b.prompt_tokens += prompt_tokens * share
        b.output_tokens += output_tokens * share
        b.iterations += iterations * share
        k += 1
