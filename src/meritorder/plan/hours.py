"""A few hours that stand for all: the design hour, the busiest, and those with which the rest is told best.

What a period costs is, by hour, a convex function of its demand: cheap while everything fits, steep where it doesn't.
Hours and their weights are therefore chosen so that the weighted hours keep the means of

* the demand of every class,
* how far demand goes beyond 30 ... 90 % of its peak, of every class and of all together (its load-duration curve),
* the cost of energy by site,

in every period and scenario: non-negative least squares for the weights, exchange of one hour at a time for the hours.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from meritorder.plan.axes import select
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.model.flexible import firm

LEVELS = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the peak
MEAN = 3.0  # weight of mean demand beside its peaks: more of it and peaks are told worse, less and energy is
ENERGY = 0.1  # weight of energy's cost beside demand: prices move less than demand
TIME = 100.0  # that the weights add up to the period comes first


def choose_hours(full: Instance, n: int, *, always: tuple[int, ...] = ()) -> Instance:
    """The instance with `n` of its hours, the design hour and those `always` wanted among them (more if they are more).

    Total time is kept, mean demand nearly. A single hour stands for all time.
    """
    clock, seconds = full.demand.clock, full.demand.seconds
    design = np.flatnonzero(np.isnan(clock))
    typical = np.flatnonzero(~np.isnan(clock) & (seconds.sum(axis=0) > 0))
    count = max(n - len(design), 0)
    if len(typical) <= count:
        return full
    if not count:
        return _weighted(full, design[-1:], np.ones(1))
    features, mean = _features(full, typical)
    tokens = np.einsum("tkrj,k,j->r", full.demand.requests, full.demand.tokens, full.demand.probability)[typical]
    kept = [int(tokens.argmax())]
    kept += [int(np.flatnonzero(typical == hour)[0]) for hour in always if hour in typical and hour != typical[kept[0]]]
    chosen = _exchanged(features, mean, kept, max(count, len(kept)))
    weights, _ = _fitted(features, mean, chosen)
    order = np.argsort(chosen)
    hours = np.concatenate([typical[np.array(chosen)[order]], design])
    return _weighted(full, hours, np.concatenate([weights[order], np.zeros(len(design))]))


def _weighted(full: Instance, hours: np.ndarray, weights: Floats) -> Instance:
    """Some hours, with the time of all divided over them by weight."""
    part = select(full, R=hours)
    seconds = full.demand.seconds.sum(axis=1, keepdims=True) * (weights / weights.sum())
    return replace(part, demand=replace(part.demand, seconds=seconds, firm=firm(full)))


def _features(full: Instance, typical: np.ndarray) -> tuple[Floats, Floats]:
    """What an hour is like [R, features] and what all are in the mean; squares add up to about 1 a kind."""
    demand, ground = full.demand, full.ground
    time = demand.seconds[:, typical].sum(axis=0)
    time = time / time.sum()
    tokens = np.moveaxis(demand.requests * demand.tokens[:, None, None], 2, 0)[typical]  # [R,T,K,J]
    tokens = tokens * np.sqrt(demand.probability)
    total = tokens.sum(axis=2, keepdims=True)
    share = np.sqrt(np.einsum("rtkj->tkj", tokens) / max(float(tokens.sum()), 1e-300))
    kinds = [_scaled(tokens, time, MEAN * share)]
    for level in LEVELS:
        for load, weight in ((total, np.sqrt((share**2).sum(axis=1, keepdims=True))), (tokens, share)):
            kinds.append(_scaled(np.maximum(load - level * load.max(axis=0), 0.0), time, weight))
    price = np.moveaxis(ground.usd_per_j, 2, 0)[typical]  # [R,T,S]
    slope = np.moveaxis(ground.pieces[..., 1].max(axis=3), 1, 0)[typical]  # [R,T,B]
    energy = price[:, :, ground.block_site] * slope
    if energy.size:
        kinds.append(_scaled(energy, time, np.full(energy.shape[1:], ENERGY / np.sqrt(energy[0].size))))
    features = np.concatenate([kind.reshape(len(typical), -1) for kind in kinds], axis=1)
    # The same distances with no more columns than hours.
    left, sizes, _ = np.linalg.svd(features, full_matrices=False)
    compact: Floats = (left * sizes)[:, sizes > 1e-9 * sizes[0]]
    return compact, time @ compact


def _scaled(values: Floats, time: Floats, weight: Floats) -> Floats:
    """By their mean over the hours, times a weight."""
    mean = np.tensordot(time, values, axes=1)
    return np.divide(values * weight, mean, out=np.zeros_like(values), where=mean > 0)


def _fitted(features: Floats, mean: Floats, chosen: list[int]) -> tuple[Floats, float]:
    """Weights of the chosen hours, and how far off the means they stay."""
    left = np.concatenate([features[chosen].T, np.full((1, len(chosen)), TIME)])
    weights, residual = nnls(left, np.append(mean, TIME))
    return weights, float(residual)


def _exchanged(features: Floats, mean: Floats, kept: list[int], count: int) -> list[int]:
    """Begin with the hours farthest apart, then exchange one for another while that helps."""
    chosen = list(kept)
    while len(chosen) < count:
        away = np.linalg.norm(features[:, None] - features[chosen], axis=2).min(axis=1)
        away[chosen] = -1.0
        chosen.append(int(away.argmax()))
    best = _fitted(features, mean, chosen)[1]
    better = True
    while better:
        better = False
        for place in range(len(kept), count):
            for hour in range(len(features)):
                trial = [*chosen[:place], hour, *chosen[place + 1 :]]
                if hour in chosen or (residual := _fitted(features, mean, trial)[1]) >= best - 1e-9:
                    continue
                best, chosen, better = residual, trial, True
    return chosen
