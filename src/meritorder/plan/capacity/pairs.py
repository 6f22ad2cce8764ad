"""How many prefill replicas to how many decoders: the ratio at which neither waits for the other."""

from __future__ import annotations

from fractions import Fraction

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.alone import alone
from meritorder.plan.capacity.case import Case
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.runs import Runs, step_of
from meritorder.plan.capacity.search import largest

# Replicas of the more numerous side to one of the other, at most, and how exactly a ratio is met.
MOST, PARTS = 16, 3
# Ratios around the first guess that are simulated.
AROUND = (0.5, 1.0, 2.0)


def paired(fleet: Fleet, case: Case, source: Source, seed: int) -> Runs:
    """Runs at the best ratio: most requests/s per prefill replica times those per decoder, at the service level.

    The product doesn't ask what either costs: one per cent more of the one is worth one per cent of the other.
    """
    first = Runs(fleet, case, source, seed, pair=(1, 1))
    guess = _guess(first)
    tried = {pair: Runs(fleet, case, source, seed, pair=pair) for pair in {_whole(guess * part) for part in AROUND}}
    worth = {pair: _carried(runs) ** 2 / (pair[0] * pair[1]) for pair, runs in sorted(tried.items())}
    return tried[max(worth, key=lambda pair: (worth[pair], -sum(pair)))]


def _guess(runs: Runs) -> float:
    """Prefill replicas per decoder for mean requests, by their tables."""
    base = runs.source.base
    prompt, output = float(base.prompt_tokens.mean()), float(base.output_tokens.mean())
    prefill, decode = (replica.table for replica in runs.replicas)
    chunk = max(min(int(prompt), prefill.token_budget), 1)
    read_s = prefill.seconds(0, 0.0, chunk, 0.5 * chunk * chunk) * prompt / chunk
    batch = max(int(runs.seats), 1)
    made_s = decode.seconds(batch, batch * (prompt + 0.5 * output)) * output / batch
    return read_s / made_s


def _whole(ratio: float) -> tuple[int, int]:
    """The nearest ratio of small whole numbers."""
    bounded = min(max(ratio, 1.0 / MOST), float(MOST))
    if bounded >= 1.0:
        near = Fraction(bounded).limit_denominator(PARTS)
        return near.numerator, near.denominator
    near = Fraction(1.0 / bounded).limit_denominator(PARTS)
    return near.denominator, near.numerator


def _carried(runs: Runs) -> float:
    """Requests/s of the whole rig; a first look, not the final figure."""
    each = alone(runs)
    if each.hopeless():
        return 0.0
    limit = step_of(runs.most(1, each.stay_s))
    look = lambda step, effort: runs.at(1, 0.0, step, 0)  # noqa: E731
    return largest(look, limit, runs.slo.percentile, 8, limit).rate
