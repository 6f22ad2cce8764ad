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
            b = sim.series[pool, k]
            if 2 * k + 1 < bins:
                x, y = sim.series[pool, 2 * k], sim.series[pool, 2 * k + 1]
                b.energy_j = x.energy_j + y.energy_j
                b.busy_s = x.busy_s + y.busy_s
                b.running_s = x.running_s + y.running_s
                b.kv_token_s = x.kv_token_s + y.kv_token_s
                b.prompt_tokens = x.prompt_tokens + y.prompt_tokens
                b.output_tokens = x.output_tokens + y.output_tokens
                b.iterations = x.iterations + y.iterations
            else:
                b.energy_j = b.busy_s = b.running_s = b.kv_token_s = 0.0
                b.prompt_tokens = b.output_tokens = b.iterations = 0.0
    sim.clock[0].bin_s *= 2.0


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
    width = sim.clock[0].bin_s
    seconds = stop - start
    k = int(start / width)
    last = int(stop / width)
    while k <= last:
        part = min(stop, (k + 1) * width) - max(start, k * width)
        share = part / seconds if last > int(start / width) else 1.0
        b = sim.series[pool, k]
        b.energy_j += joules * share
        b.busy_s += part
        b.running_s += running * part
        b.kv_token_s += kv_tokens * part
        b.prompt_tokens += prompt_tokens * share
        b.output_tokens += output_tokens * share
        b.iterations += iterations * share
        k += 1
